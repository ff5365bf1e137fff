"""Expectations of a result: which are refused before anything is trained, and which are met."""

import re
import shlex

import pytest
import yaml

from tasks.core.comparison.answers import Answer
from tasks.core.config.load import load_config
from tasks.core.errors import ConfigError, UnmetExpectation
from tasks.core.planning.expectations import Expectations, ExpectedAccuracy
from tests.core.comparison.examples import config_of
from tests.paths import ROOT

CONFIG = config_of(["k50", "k500"])
ANSWER = Answer(
    target="user_1",
    n=3,
    a="k50",
    b="k500",
    runs_a=5,
    runs_b=5,
    within_a=1.0,
    within_b=1.0,
    between=1.0,
    delta=0.0,
    n_delta=0.0,
    rho=None,
    steadier=0.0,
    others=0.0,
    standard_error=None,
    low_95=None,
    high_95=None,
    low_90=None,
    high_90=None,
    note=None,
    p=1.0,
    splits=126,
    exact=True,
    margin=0.2,
    p_holm=1.0,
    verdict="practically-same",
    decided_by_seed=False,
    sentence="They are the same.",
)
ACCURACY = {("k50", "ndcg_at_10"): 0.3, ("k500", "ndcg_at_10"): 0.2}


@pytest.mark.parametrize(
    ("verdict", "accuracy"),
    [
        (None, ()),
        ("practically-same", ()),
        ("not:different-meaningfully", ()),
        (None, ("k50:ndcg_at_10>=0.3",)),
        ("practically-same", ("k50:ndcg_at_10>=.25", "k500:ndcg_at_10>=1e-1")),
    ],
)
def test_what_was_found_is_accepted(verdict: str | None, accuracy: tuple[str, ...]) -> None:
    Expectations.of(CONFIG, verdict, accuracy).check(ANSWER, ACCURACY)


@pytest.mark.parametrize(
    ("verdict", "accuracy", "message"),
    [
        (
            "different-meaningfully",
            (),
            "expected the verdict different-meaningfully, found practically-same: They are the same.",
        ),
        (
            "not:practically-same",
            (),
            "expected any verdict but practically-same, found practically-same: They are the same.",
        ),
        (None, ("k500:ndcg_at_10>=0.25",), "expected ndcg_at_10 of k500 to be at least 0.25, found 0.2"),
        (None, ("k50:auc>=0.5",), "expected auc of k50 to be at least 0.5, found none"),
    ],
)
def test_another_result_is_named_with_what_was_expected(
    verdict: str | None, accuracy: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UnmetExpectation) as raised:
        Expectations.of(CONFIG, verdict, accuracy).check(ANSWER, ACCURACY)
    assert str(raised.value) == message
    assert raised.value.exit_code == 7


def test_all_unmet_expectations_are_named() -> None:
    expected = Expectations.of(CONFIG, "unstable", ("k50:ndcg_at_10>=0.9", "k500:ndcg_at_10>=0.9"))
    with pytest.raises(UnmetExpectation) as raised:
        expected.check(ANSWER, ACCURACY)
    assert len(str(raised.value).splitlines()) == 3


@pytest.mark.parametrize(("mean", "printed"), [(0.299996, "0.299996"), (0.29994, "0.2999"), (0.29, "0.29")])
def test_an_accuracy_that_is_too_low_is_not_rounded_to_the_one_that_is_expected(mean: float, printed: str) -> None:
    expected = Expectations.of(CONFIG, None, ("k50:ndcg_at_10>=0.3",))
    with pytest.raises(UnmetExpectation, match=f"expected ndcg_at_10 of k50 to be at least 0.3, found {printed}$"):
        expected.check(ANSWER, {("k50", "ndcg_at_10"): mean})


@pytest.mark.parametrize("verdict", ["practically-same", "not:practically-same"])
def test_without_a_test_no_verdict_is_the_expected_one(verdict: str) -> None:
    with pytest.raises(UnmetExpectation, match="found none: nothing was tested"):
        Expectations.of(CONFIG, verdict, ()).check(None, {})


@pytest.mark.parametrize(
    ("verdict", "accuracy", "message"),
    [
        ("practicaly-same", (), "found 'practicaly-same'; expected one of .*; did you mean 'practically-same'?"),
        ("not:", (), "found 'not:'; expected one of different-meaningfully, "),
        (None, ("k50>=0.3",), "expected MODEL:METRIC>=NUMBER"),
        (None, ("k50:ndcg_at_10>=high",), "expected MODEL:METRIC>=NUMBER"),
        (None, ("k50:ndcg_at_10>=nan",), "expected MODEL:METRIC>=NUMBER"),
        (None, ("k50:ndcg_at_10>0.3",), "expected MODEL:METRIC>=NUMBER"),
        (None, ("k5:ndcg_at_10>=0.3",), "found 'k5'; the models are k50, k500; did you mean 'k50'?"),
        (None, ("k50:ndcg_at_15>=0.3",), "found 'ndcg_at_15'; the metrics are .*auc; did you mean 'ndcg_at_1"),
    ],
)
def test_unknown_names_are_refused(verdict: str | None, accuracy: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Expectations.of(CONFIG, verdict, accuracy)


@pytest.mark.parametrize(
    ("models", "changes", "message"),
    [
        (["k50"], {}, "test gives no verdict with one model; expected a second model"),
        (
            ["k50", "k500"],
            {"replicates": 1},
            "no verdict with one seed for each model; expected replicates of 2",
        ),
    ],
)
def test_an_experiment_without_a_verdict_is_refused(models: list[str], changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Expectations.of(config_of(models, **changes), "practically-same", ())


def test_an_experiment_without_evaluation_has_no_accuracy() -> None:
    with pytest.raises(ConfigError, match="test measures no accuracy, because its evaluation is null"):
        Expectations.of(config_of(["k50", "k500"], evaluation=None), None, ("k50:ndcg_at_10>=0.3",))


def test_the_workflow_in_the_documentation_expects_what_its_config_gives() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(name: models.*?)^```$", page, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(text)["jobs"]["compare"]["steps"]
    (command,) = [shlex.split(step["run"]) for step in steps if "latentlab run" in step.get("run", "")]
    options = dict(zip(command[4:-2:2], command[5:-2:2], strict=True))
    config = load_config(ROOT / command[2])
    expected = Expectations.of(config, options["--expect"], [options["--expect-accuracy"]])
    assert (expected.verdict, expected.negated) == ("different-meaningfully", True)
    assert expected.accuracy == (ExpectedAccuracy("k50", "ndcg_at_10", 0.10),)
