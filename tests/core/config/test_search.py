"""The section `search`: what is searched, and what is refused."""

import pytest

from tasks.core.config.evaluation import ACCURACY, EvaluationConfig
from tasks.core.config.search.sections import NumberRange
from tasks.core.ranking import metrics
from tests.core.config.small_config import SMALL, Faults, Load

RANGE = "regularization: {low: 1, high: 200, log: true}"


def searching(models: str, rest: str = "") -> str:
    """Return a config that searches; its line 5 names the models."""
    return f"{SMALL}search:\n  models: {{{models}}}\n{rest}"


def test_a_setting_has_a_range_or_a_list_of_values(load: Load) -> None:
    config = load(searching(f"k2: {{{RANGE}, alpha: [1, 3], factors: {{low: 2, high: 8}}, solver: [cg, cholesky]}}"))
    assert config.search is not None
    free = config.search.models["k2"].free
    assert list(free) == ["factors", "regularization", "alpha", "solver"]
    assert free["regularization"] == NumberRange(low=1, high=200, log=True)
    assert free["alpha"] == (1.0, 3.0)
    assert load(config.to_yaml()) == config


def test_a_search_changes_no_digest(load: Load) -> None:
    assert load(searching(f"k2: {{{RANGE}}}")).digest() == load(SMALL).digest()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("k2: {}", "c.yaml:5: search.models.k2: has no free setting"),
        ("k2: {alpha: [1]}", "search.models.k2: has no free setting"),
        (
            "k2: {regularization: {low: 3, high: 3}}",
            "found low 3 and high 3; expected low below high",
        ),
        (
            "k2: {regularization: {low: 0, high: 3, log: true}}",
            "low: found 0; `log: true` needs a lowest value",
        ),
        ("k2: {alpha: {low: 0, high: 3}}", "k2.alpha.low: found 0; expected a value greater than 0"),
        (
            "k2: {factors: {low: 1, high: 20000}}",
            "k2.factors.high: found 20000; expected a value less than",
        ),
        ("k2: {factors: {low: 1.5, high: 3}}", "k2.factors.low: found 1.5; expected a whole number"),
        ("k2: {factors: [0, 3]}", "k2.factors.0: found 0; expected greater than or equal to 1"),
        ("k2: {solver: [cg, qr]}", "k2.solver.1: found 'qr'; expected 'cg' or 'cholesky'"),
        ("k2: {alpha: [1, 3, 1]}", "k2.alpha: found [1, 3, 1]; expected values without repeats"),
        ("k2: {alpha: [1, 3, 1.0]}", "k2.alpha: found [1, 3, 1.0]; expected values without repeats"),
        ("k2: {alpha: 3}", "k2.alpha: found 3; expected a range such as {low: 1, high: 200}, or a list of values"),
        ("k2: {regularisation: [1, 2]}", "k2.regularisation: unknown key; did you mean 'regularization'?"),
        ("k2: {alpha: {low: 1, hig: 2, high: 3}}", "k2.alpha.hig: unknown key; did you mean 'high'?"),
        (f"k3: {{{RANGE}}}", "search.models.k3: is no model of this config; the models are k2"),
    ],
)
def test_what_cannot_be_searched_is_one_fault(faults: Faults, models: str, message: str) -> None:
    (line,) = faults(searching(models))
    assert message in line


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("  metric: ndcg_at_5\n", "c.yaml:6: search.metric: found 'ndcg_at_5'; expected an accuracy metric"),
        ("  metric: coverage_at_10\n", "search.metric: found 'coverage_at_10'; expected an accuracy metric"),
        ("  trials: 0\n", "search.trials: found 0"),
        ("evaluation: null\n", "search: settings are chosen by accuracy on the validation part"),
        ("evaluation: {split: {strategy: files, test: a}}\n", "search: `strategy: files` has no validation part"),
    ],
)
def test_what_cannot_be_measured_is_one_fault(faults: Faults, rest: str, message: str) -> None:
    (line,) = faults(searching(f"k2: {{{RANGE}}}", rest))
    assert message in line


def test_a_model_of_files_has_nothing_to_search(faults: Faults) -> None:
    models = "name: small\nmodels: {old: {lists: 'a-*.csv'}}\nof: users\ndataset: {name: movielens-100k}\n"
    lines = faults(f"{models}search: {{models: {{old: {{{RANGE}}}}}}}\n")
    assert "search.models.old: is read from files" in "\n".join(lines)


def test_a_stopping_rule_is_not_applied_by_a_search(faults: Faults) -> None:
    (line,) = faults(searching(f"k2: {{{RANGE}}}"), "models.k2.stop={when: steady}")
    assert "search.models.k2: has a stopping rule, which a search does not apply" in line


def test_the_accuracy_metrics_are_those_that_are_computed() -> None:
    assert tuple(metrics._METRICS) == ACCURACY
    assert {"ndcg_at_10", "hit_rate_at_20", "auc"} <= set(EvaluationConfig().accuracy_metrics)
