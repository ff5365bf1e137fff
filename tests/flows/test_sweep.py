"""A sweep with evaluation: its result, what MLflow holds of it, its report, and its tables."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.tracking.artifacts import RunFiles
from tasks.tracking.store import open_store
from tests.command_line import CommandLine, command_line
from tests.flows.dated_ratings import SWEEP, write_dated_ratings

Result = dict[str, Any]


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, api_url: str) -> CommandLine:
    folder = tmp_path_factory.mktemp("sweep")
    write_dated_ratings(folder, SWEEP)
    shutil.copy(empty_store, folder / "mlflow.db")
    return command_line(folder, api_url, columns=80)


@pytest.fixture(scope="module")
def result(commands: CommandLine) -> Result:
    """What `run --json` prints."""
    printed: Result = commands.answer("run", "config.yaml")
    return printed


@pytest.fixture
def client(commands: CommandLine) -> MlflowClient:
    return open_store(commands.store)


@pytest.fixture
def files(client: MlflowClient, result: Result) -> RunFiles:
    """The artifacts of the comparison."""
    return RunFiles(client, result["parent_id"])


def mean(result: Result, model: str, metric: str) -> float:
    """Return a model's mean accuracy."""
    (value,) = [row["mean"] for row in result["accuracy"] if (row["model"], row["metric"]) == (model, metric)]
    return float(value)


def test_each_value_of_the_setting_is_a_model_and_a_point(result: Result) -> None:
    assert list(result["models"]) == ["als-factors1", "als-factors2", "als-factors4"]
    assert result["sweep"]["settings"] == ["factors"]
    for point, factors in zip(result["sweep"]["points"], (1, 2, 4), strict=True):
        assert point["varied"] == {"factors": factors}
        assert point["megabytes"] == pytest.approx(4 * factors * (40 + 30) / 1e6)
        assert 0 <= point["steadiness"]["mean"] <= 1
        assert point["accuracy"]["mean"] == pytest.approx(mean(result, point["model"], "ndcg_at_3"))


def test_every_model_has_its_overlap_between_seeds(result: Result) -> None:
    rows = [row for row in result["comparison"] if (row["target"], row["depth"]) == ("users", 3)]
    assert {row["a"] for row in rows if row["a"] == row["b"]} == set(result["models"])


def test_models_and_references_have_the_same_accuracy_metrics(result: Result) -> None:
    assert {row["metric"] for row in result["accuracy"]} == {row["metric"] for row in result["reference_accuracy"]}


def test_the_last_rating_of_each_user_is_held_out(result: Result) -> None:
    counts = result["held_out"]
    assert counts["test_interactions"] == counts["evaluated_users"] == 40
    assert counts["users_without_train"] == 0


def test_reference_recommenders_are_evaluated_on_the_same_split(result: Result) -> None:
    names = {row["model"] for row in result["reference_accuracy"]}
    assert names == {"popularity", "item-knn", "ease", "random"}
    means = {(row["model"], row["metric"]): row["mean"] for row in result["reference_accuracy"]}
    assert means["ease", "auc"] > means["random", "auc"]


def test_every_model_is_tested_against_every_reference(result: Result) -> None:
    tests = result["beside_references"]
    references = {row["model"] for row in result["reference_accuracy"]}
    assert {(test["a"], test["b"]) for test in tests} == {(a, b) for a in references for b in result["models"]}
    means = {row["model"]: row["mean"] for row in result["reference_accuracy"] if row["metric"] == "ndcg_at_3"}
    for test in tests:
        assert test["metric"] == "ndcg_at_3"
        assert test["mean_a"] == pytest.approx(means[test["a"]])
        assert test["mean_b"] == pytest.approx(mean(result, test["b"], "ndcg_at_3"))
    smallest = min(test["p_difference"] for test in tests)
    assert min(test["p_holm"] for test in tests) == pytest.approx(min(len(tests) * smallest, 1))
    assert result["beside_popularity"] == [test for test in tests if test["a"] == "popularity"]


def test_the_settings_of_references_are_chosen_and_logged(result: Result, client: MlflowClient) -> None:
    """On the rating before the last of each user, with its time: the strategy is leave_last."""
    knn, ease = result["reference_settings"]
    assert (knn["reference"], set(knn["settings"])) == ("item-knn", {"neighbours", "shrinkage"})
    assert (ease["reference"], set(ease["settings"])) == ("ease", {"penalty"})
    assert knn["metric"] == ease["metric"] == "ndcg_at_3"
    logged = client.get_run(result["parent_id"]).data.metrics
    assert logged["reference/penalty.ease"] == ease["settings"]["penalty"]
    assert logged["reference/neighbours.item-knn"] == knn["settings"]["neighbours"]
    assert logged["reference/shrinkage.item-knn"] == knn["settings"]["shrinkage"]


def test_differences_in_accuracy_are_adjusted_together(result: Result) -> None:
    tests = result["accuracy_tests"]
    assert {(test["metric"], test["b"]) for test in tests} == {
        (f"{metric}_at_3", model)
        for metric in ("ndcg", "recall", "precision", "map")
        for model in ("als-factors2", "als-factors4")
    }
    for p, p_holm in (("p_difference", "p_holm"), ("p_equivalent", "p_equivalent_holm")):
        assert all(test[p] <= test[p_holm] for test in tests)
        smallest = min(test[p] for test in tests)
        assert min(test[p_holm] for test in tests) == pytest.approx(min(len(tests) * smallest, 1))


def test_the_parent_run_holds_accuracy_and_duration_by_model(result: Result, client: MlflowClient) -> None:
    assert {
        "accuracy/auc.ease",
        "accuracy/coverage_at_5.random",
        "accuracy/ndcg_at_3.als-factors4",
        "fit_seconds/als-factors1",
    } <= set(client.get_run(result["parent_id"]).data.metrics)


def test_the_sweep_is_logged_as_a_table_and_a_figure(files: RunFiles) -> None:
    table = json.loads(files.read("sweep.json").read_text())
    assert table["columns"][:3] == ["model", "factors", "accuracy"]
    assert len(table["data"]) == 3
    assert "seconds per fit" in files.read("figures/sweep.svg").read_text()


def test_the_report_says_that_nothing_was_tuned_and_shows_the_sweep(files: RunFiles) -> None:
    page = files.read("report.html").read_text()
    assert "No setting was tuned" in page
    assert 'id="sweep"' in page
    assert "popularity" in page


@pytest.mark.usefixtures("result")
def test_the_tables_fit_into_eighty_columns(commands: CommandLine) -> None:
    done = commands.call("show", "latest")
    assert done.returncode == 0, done.stderr
    assert "Along factors" in done.stdout
    assert "Held out: 40 interactions of 40 users" in done.stdout
    assert "Models beside the reference recommenders: ndcg_at_3" in done.stdout
    assert "The lists at 5" in done.stdout
    assert "…" not in done.stdout.partition("Held-out accuracy")[2]
    assert max(map(len, done.stdout.splitlines())) <= 80
