"""The settings of a model, and their identity."""

from itertools import combinations

import pytest

from tasks.core.config.als import AlsConfig
from tests.core.config.small_config import SMALL, Faults


@pytest.mark.parametrize("value", ["true", '"50"', ".inf", ".nan", "50.5", "50.0", "null", "[]", "fifty"])
def test_count_must_be_a_whole_number(value: str, faults: Faults) -> None:
    (line,) = faults(SMALL, f"models.k2.factors={value}")
    assert "models.k2.factors: found" in line
    assert line.endswith("expected a whole number")


@pytest.mark.parametrize("value", ["true", '"1"', ".inf", ".nan", "1e999", "null", "yes"])
def test_real_setting_must_be_a_finite_number(value: str, faults: Faults) -> None:
    (line,) = faults(SMALL, f"models.k2.regularization={value}")
    assert "models.k2.regularization: found" in line
    assert "number" in line


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("stop", "steady", ["found 'steady'", "keys and values"]),
        ("stop", "{}", ["stop.when", "is missing"]),
        ("stop", "{when: stedy}", ["stop.when: found 'stedy'", "'steady'", "did you mean 'steady'"]),
        ("stop", "{when: steady, patient: 3}", ["unknown key", "did you mean 'patience'"]),
        ("stop", "{when: steady, every: 0}", ["stop.every: found 0", "greater than or equal to 1"]),
        ("stop", "{when: steady, tolerance: 1}", ["stop.tolerance: found 1", "less than 1"]),
        ("stop", "{when: metric, patient: 3}", ["unknown key", "did you mean 'patience'"]),
        ("stop", "{when: metric, every: 0}", ["models.k2.stop.every: found 0", "greater than or equal to 1"]),
        ("stop", "{when: metrik}", ["stop.when: found 'metrik'", "'steady' or 'metric'", "did you mean 'metric'"]),
        ("stop", "{when: metric, metric: ndcg_at_5}", ["stop.metric: found 'ndcg_at_5'", "evaluation.cutoffs"]),
        ("acceleration", "balancd", ["'none' or 'balanced'", "did you mean 'balanced'"]),
    ],
)
def test_invalid_stop_or_acceleration_is_one_fault(key: str, value: str, words: list[str], faults: Faults) -> None:
    (line,) = faults(SMALL, f"models.k2.{key}={value}")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ("null", "models.k2.stop: holds out a part as `evaluation.split` does, so `evaluation` cannot be null"),
        ("{split: {strategy: leave_last}}", "expected strategy random or random_user, found leave_last"),
        ("{split: {strategy: files, test: a}}", "expected strategy random or random_user, found files"),
    ],
)
def test_a_rule_on_a_metric_needs_a_part_to_measure_it_on(evaluation: str, message: str, faults: Faults) -> None:
    (line,) = faults(SMALL, "models.k2.stop={when: metric}", f"evaluation={evaluation}")
    assert message in line


def test_identity_leaves_out_settings_added_later_while_they_are_unused() -> None:
    plain = AlsConfig(factors=2, iterations=3)
    assert set(plain.identity()) == set(plain.model_dump()) - {"acceleration", "stop", "engine"}
    balanced = AlsConfig.model_validate({**plain.model_dump(), "acceleration": "balanced"})
    steady = AlsConfig.model_validate({**plain.model_dump(), "stop": {"when": "steady"}})
    patient = AlsConfig.model_validate({**plain.model_dump(), "stop": {"when": "steady", "patience": 4}})
    identities = [model.identity() for model in (plain, balanced, steady, patient)]
    assert all(a != b for a, b in combinations(identities, 2))
