"""Which version of a registered model becomes the champion: versions, fits and comparisons in a real store."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import TrackingError, UnmetExpectation
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.reporting.result import Result
from tasks.tracking.comparison import log_comparison
from tasks.tracking.logged_models.promotion import CHALLENGER, CHAMPION, promote, versions_of
from tasks.tracking.runs import end_run, start_run
from tests.tasks.reporting.small_result import accuracy_test, small_result
from tests.tasks.tracking.helpers import Fit

CONFIG = ExperimentConfig.model_validate(
    {"name": "blocks", "dataset": {"name": "synthetic-100k"}, "models": {"a": {"factors": 2, "iterations": 3}}}
)
Compare = Callable[..., str]


@pytest.fixture
def versions(client: MlflowClient, fit: Fit) -> list[str]:
    """The fits of versions 1, the champion, and 2, the challenger, of `mine`."""
    client.create_registered_model("mine")
    run_ids = [fit(identity, model=model) for identity, model in (("first", "a"), ("second", "b"))]
    for run_id in run_ids:
        client.create_model_version("mine", f"runs:/{run_id}/model", run_id)
    client.set_registered_model_alias("mine", CHAMPION, "1")
    client.set_registered_model_alias("mine", CHALLENGER, "2")
    return run_ids


@pytest.fixture
def compare(client: MlflowClient, experiment_id: str, versions: list[str], tmp_path: Path) -> Compare:
    """Logs a comparison of the fits of both versions, as models a and b, and returns its id."""

    def log(result: Result, run_ids: list[str] = versions) -> str:
        tags = {"latentlab.role": PARENT, "latentlab.data_sha256": "data"}
        parent_id = start_run(client, experiment_id, "a vs b", tags=tags)
        folder = tmp_path / parent_id
        folder.mkdir()
        runs = [RunRef(run_id, model, 0, MODEL, run_id) for run_id, model in zip(run_ids, "ab", strict=True)]
        log_comparison(client, CONFIG, replace(result, parent_id=parent_id, runs=runs), [], "", folder)
        end_run(client, parent_id, "FINISHED")
        return parent_id

    return log


def with_verdict(verdict: str) -> Result:
    result = small_result()
    return replace(result, answers=[replace(result.answers[0], verdict=verdict)])


def with_accuracy(of_a: float, of_b: float, p: float) -> Result:
    return small_result(accuracy_tests=[accuracy_test("a", "b", of_a, of_b, p)])


def champion(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias("mine", CHAMPION).version)


@pytest.mark.usefixtures("versions")
def test_a_version_is_promoted_without_a_condition(client: MlflowClient) -> None:
    promotion = promote(client, "mine", "2")
    assert (promotion.before, promotion.comparison, champion(client)) == ("1", None, "2")
    assert list(client.get_registered_model("mine").aliases) == [CHAMPION]


@pytest.mark.usefixtures("versions")
def test_the_champion_need_not_be_compared_with_itself(client: MlflowClient) -> None:
    assert promote(client, "mine", "1", "more-accurate").before == "1"
    assert champion(client) == "1"


@pytest.mark.parametrize(
    ("condition", "result"),
    [("practically-same", with_verdict("practically-same")), ("more-accurate", with_accuracy(0.25, 0.5, 0.0001))],
)
def test_a_version_is_promoted_if_the_comparison_fulfils_the_condition(
    client: MlflowClient, compare: Compare, condition: str, result: Result
) -> None:
    comparison = compare(result)
    promotion = promote(client, "mine", "2", condition)
    assert (promotion.comparison, champion(client)) == (comparison, "2")
    assert promotion.reason in (result.answers[0].sentence, result.accuracy_tests[0].sentence)


@pytest.mark.parametrize(
    ("condition", "result"),
    [
        ("practically-same", with_verdict("different-small")),
        ("practically-same", replace(small_result(), answers=[])),
        ("more-accurate", with_accuracy(0.5, 0.25, 0.0001)),
        ("more-accurate", with_accuracy(0.25, 0.5, 0.2)),
        ("more-accurate", small_result(accuracy_tests=[])),
    ],
)
def test_the_champion_stays_if_the_comparison_does_not(
    client: MlflowClient, compare: Compare, condition: str, result: Result
) -> None:
    comparison = compare(result)
    with pytest.raises(
        UnmetExpectation, match=f"version 1 stays champion: comparison {comparison} of a .* {condition}"
    ):
        promote(client, "mine", "2", condition)
    assert champion(client) == "1"
    assert UnmetExpectation.exit_code == 7


def test_the_last_comparison_decides(client: MlflowClient, compare: Compare) -> None:
    compare(with_verdict("practically-same"))
    compare(with_verdict("different-meaningfully"))
    with pytest.raises(UnmetExpectation):
        promote(client, "mine", "2", "practically-same")


def test_a_comparison_of_other_fits_does_not_decide(
    client: MlflowClient, compare: Compare, versions: list[str], fit: Fit
) -> None:
    compare(with_verdict("practically-same"), [versions[0], fit("third", model="b")])
    with pytest.raises(UnmetExpectation, match="no comparison used the fits of both versions"):
        promote(client, "mine", "2", "practically-same")


def test_versions_of_different_data_are_not_compared(client: MlflowClient, versions: list[str]) -> None:
    client.set_tag(versions[1], "latentlab.data_sha256", "changed")
    with pytest.raises(UnmetExpectation, match=r"interactions data \(experiment blocks\) and version 2 to changed"):
        promote(client, "mine", "2", "practically-same")


def test_a_fit_that_was_trained_again_is_the_same(client: MlflowClient, versions: list[str]) -> None:
    client.set_tag(versions[1], "latentlab.identity", "first")
    with pytest.raises(UnmetExpectation, match="have the same settings, data and seed"):
        promote(client, "mine", "2", "more-accurate")
    assert promote(client, "mine", "2", "practically-same").before == "1"


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("mime", "1", "no registered model 'mime'"),
        ("models:/mine", "1", "no registered model 'models:/mine'"),
        (" ", "1", "no registered model ' '"),
        ("mine", "3", "mine has no version 3; it has 1 and 2"),
    ],
)
def test_what_does_not_exist_is_named(client: MlflowClient, name: str, version: str, message: str) -> None:
    with pytest.raises(TrackingError, match=message):
        promote(client, name, version)


@pytest.mark.parametrize("name", ["it's", 'the "old" one', "both ' and \"", "a `b`", "100%_ 注"])
def test_the_versions_of_a_name_with_quotes_are_found(client: MlflowClient, fit: Fit, name: str) -> None:
    run_id = fit("first", model="a")
    for registered in (name, "other"):
        client.create_registered_model(registered)
        client.create_model_version(registered, f"runs:/{run_id}/model", run_id)
    assert [version.name for version in versions_of(client, name)] == [name]
    with pytest.raises(TrackingError, match="has no version 2; it has 1"):
        promote(client, name, "2")


@pytest.mark.usefixtures("versions")
def test_a_version_that_was_registered_without_its_run_cannot_be_compared(client: MlflowClient) -> None:
    client.create_model_version("mine", "file:///elsewhere")
    with pytest.raises(TrackingError, match="version 3 of mine was registered without its run; promote without --if"):
        promote(client, "mine", "3", "more-accurate")
    assert champion(client) == "1"
    assert promote(client, "mine", "3").before == "1"


@pytest.mark.usefixtures("versions")
def test_without_a_champion_a_condition_has_nothing_to_compare_with(client: MlflowClient) -> None:
    client.delete_registered_model_alias("mine", CHAMPION)
    with pytest.raises(TrackingError, match="no champion to compare version 2 with"):
        promote(client, "mine", "2", "practically-same")
    assert promote(client, "mine", "2").before is None
