"""The flow on a small data set with a known answer: what MLflow and Prefect hold, and what later runs reuse."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from scipy.sparse import csr_array

from flows.compare import compare
from flows.experiment import experiment
from tasks.core.config.experiment import ExecutionConfig, ExperimentConfig
from tasks.core.errors import TrackingError, TrainingError
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.reporting.progress import listening
from tasks.tracking.artifacts import MANIFEST, RunFiles
from tasks.tracking.reading.named_run import find_run
from tasks.tracking.results import known_result
from tasks.tracking.runs import is_complete
from tasks.tracking.search import our_runs
from tasks.tracking.store import resolve_uri
from tests.flows.finished_experiment import FinishedExperiment

pytestmark = pytest.mark.usefixtures("api_url")


def test_every_fit_is_a_complete_nested_run(finished: FinishedExperiment) -> None:
    outcome = finished.outcome
    assert (outcome.trained, outcome.reused) == (6, 0)
    runs = our_runs(finished.client)
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == outcome.result.parent_id]
    assert len(runs) == 7
    assert len(nested) == 6
    assert all(is_complete(run) for run in runs)
    roles = [run.data.tags["latentlab.role"] for run in nested]
    assert (roles.count("model"), roles.count("evaluation")) == (4, 2)


def test_a_fit_has_the_documented_params_and_metrics(finished: FinishedExperiment) -> None:
    client = finished.client
    run = find_run(client, "blocks/k8/1")
    expected = {"factors": "8", "iterations": "6", "regularization": "0.01", "alpha": "1.0", "solver": "cg"}
    assert expected.items() <= run.data.params.items()
    assert {"objective", "imbalance", "elapsed_seconds", "factor_change", "fit_seconds", "iterations_run"} <= set(
        run.data.metrics
    )
    for metric in ("objective", "imbalance", "factor_change"):
        assert [logged.step for logged in client.get_metric_history(run.info.run_id, metric)] == [2, 6]
    overlaps = client.get_metric_history(run.info.run_id, "overlap_final.users_at_5")
    assert [metric.step for metric in overlaps] == [2, 6]
    assert overlaps[-1].value == 1
    elapsed = client.get_metric_history(run.info.run_id, "elapsed_seconds")
    assert [metric.step for metric in elapsed] == [1, 2, 3, 4, 5, 6]


def test_a_fit_has_the_documented_artifacts_and_data_set(finished: FinishedExperiment) -> None:
    run = find_run(finished.client, "blocks/k8/1")
    manifest = RunFiles(finished.client, run.info.run_id).read("factors.npz").with_name(MANIFEST)
    paths = {entry["path"] for entry in json.loads(manifest.read_text())["files"]}
    assert {path for path in paths if not path.startswith("models/")} == {
        "factors.npz",
        "items.parquet",
        "neighbours/items.parquet",
        "neighbours/items_by_scores.parquet",
        "neighbours/users.parquet",
        "neighbours/users_by_scores.parquet",
        "queries/item_4.json",
        "queries/item_4_by_scores.json",
        "queries/recommend_for_0.json",
        "queries/user_3.json",
        "queries/user_3_by_scores.json",
        "recommendations.parquet",
        "users.parquet",
    }
    (dataset,) = run.inputs.dataset_inputs
    assert run.data.tags["latentlab.data_sha256"].startswith(dataset.dataset.digest)


def test_neighbours_and_recommendations_are_of_the_same_block(finished: FinishedExperiment) -> None:
    user, item, recommended = finished.outcome.result.queries
    for query in (user, item):
        neighbours = {entry.raw_id for entries in query.models.values() for entry in entries}
        assert {neighbour % 2 for neighbour in neighbours} == {query.raw_id % 2}
    assert all(entry.raw_id % 2 == recommended.raw_id % 2 for entry in recommended.models["k2"][:3])


def test_the_factors_in_mlflow_are_those_of_the_fit(finished: FinishedExperiment) -> None:
    run = find_run(finished.client, "blocks/k2/0")
    stored = Factors.load(RunFiles(finished.client, run.info.run_id).read("factors.npz"))
    frame = pd.read_csv(str(finished.config.dataset.path))
    rows, columns = (pd.factorize(frame[side])[0].astype(np.int32) for side in ("user", "item"))
    matrix = csr_array((np.full(len(frame), 5, np.float32), (rows, columns)), shape=(40, 30))
    fitted = als.fit(matrix, finished.config.models["k2"], seed=int(run.data.params["seed"]))
    assert np.array_equal(stored.users, fitted.users)
    assert np.array_equal(stored.items, fitted.items)


def test_prefect_shows_every_step_as_a_task_run(finished: FinishedExperiment) -> None:
    parent = finished.client.get_run(finished.outcome.result.parent_id)
    flow_run_id = parent.data.tags["prefect.flow_run_id"]
    with get_client(sync_client=True) as prefect:
        of_flow = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        assert prefect.read_flow_run(flow_run_id).name == "blocks"
        expected = {"download file", "preprocess file", "train k2 #0", "evaluate k8 #0 held-out", "compare blocks"}
        names: set[str] = set()
        for _ in range(50):  # the server takes task runs in from a queue
            names = {run.name for run in prefect.read_task_runs(flow_run_filter=of_flow)}
            if expected <= names:
                break
            time.sleep(0.2)
        assert expected <= names


def test_a_second_run_trains_nothing_and_changes_no_run(
    config: ExperimentConfig,
    finished: FinishedExperiment,
    copy_of_finished: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def runs() -> list[Any]:
        return [(run.info.to_proto(), run.data.metrics) for run in our_runs(copy_of_finished)]

    before = runs()
    fits: list[object] = []
    monkeypatch.setattr(AlternatingLeastSquares, "fit", lambda self, *_, **__: fits.append(self))
    second = experiment(config.model_copy(update={"execution": ExecutionConfig(isolate=False)}))
    assert fits == []
    assert (second.trained, second.reused) == (0, 6)
    assert second.result == finished.outcome.result
    assert runs() == before


def test_the_comparison_that_was_asked_for_last_is_the_latest(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    def latest() -> str:
        return str(find_run(copy_of_finished, "latest").info.run_id)

    two_seeds = config.model_copy(update={"evaluation": None})
    one_seed = two_seeds.model_copy(update={"replicates": 1})
    first, second = experiment(two_seeds).result.parent_id, experiment(one_seed).result.parent_id
    assert latest() == second
    experiment(two_seeds)
    assert latest() == find_run(copy_of_finished, "blocks").info.run_id == first


def test_compare_and_a_written_baseline_find_the_comparison_that_exists(
    copy_of_finished: MlflowClient, finished: FinishedExperiment
) -> None:
    """A deployment writes the default baseline, and `compare` names its models by experiment."""
    first = finished.outcome.result
    assert compare("blocks/k2", "blocks/k8", resolve_uri()).parent_id == first.parent_id
    comparison = finished.config.comparison.model_copy(update={"baseline": "k2"})
    again = experiment(finished.config.model_copy(update={"comparison": comparison}))
    assert (again.trained, again.result.parent_id) == (0, first.parent_id)
    parent = copy_of_finished.get_run(first.parent_id)
    identity, experiment_id = parent.data.tags["latentlab.identity"], parent.info.experiment_id
    known = known_result(copy_of_finished, experiment_id, identity, first.runs[::-1])
    assert known is not None
    assert known.parent_id == first.parent_id
    assert known_result(copy_of_finished, experiment_id, identity, first.runs[1:]) is None
    assert not [run for run in our_runs(copy_of_finished) if "latentlab.superseded" in run.data.tags]


@pytest.mark.usefixtures("copy_of_finished")
def test_only_an_added_model_is_trained(config: ExperimentConfig, finished: FinishedExperiment) -> None:
    first = finished.outcome.result
    models = {**config.models, "k3": config.models["k2"].model_copy(update={"factors": 3})}
    more = experiment(config.model_copy(update={"models": models}))
    assert (more.trained, more.reused) == (3, 6)
    assert more.result.parent_id != first.parent_id
    assert {run.run_id for run in first.runs} < {run.run_id for run in more.result.runs}


def test_fresh_trains_every_fit_again_and_supersedes_the_old_runs(
    config: ExperimentConfig, finished: FinishedExperiment, copy_of_finished: MlflowClient
) -> None:
    fresh = experiment(config, fresh=True)
    assert fresh.trained == 6
    old = {run.run_id for run in finished.outcome.result.runs}
    assert not old & {run.run_id for run in fresh.result.runs}
    assert all("latentlab.superseded" in copy_of_finished.get_run(run_id).data.tags for run_id in old)
    assert find_run(copy_of_finished, "blocks/k2/0").info.run_id not in old
    assert find_run(copy_of_finished, "blocks").info.run_id == fresh.result.parent_id


def test_a_damaged_list_is_refused_and_the_earlier_comparison_stays_complete(
    config: ExperimentConfig, finished: FinishedExperiment, copy_of_finished: MlflowClient
) -> None:
    result = finished.outcome.result
    run = next(run for run in result.runs if run.role == "model")
    path = RunFiles(copy_of_finished, run.run_id).read("neighbours/users.parquet")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    other_queries = config.model_copy(update={"queries": config.queries.model_copy(update={"users": (5,)})})
    with pytest.raises(TrackingError, match=r"neighbours/users\.parquet has sha256"):
        experiment(other_queries)
    assert copy_of_finished.get_run(result.parent_id).info.status == "FINISHED"


def test_a_fit_that_fails_leaves_failed_runs_with_the_reason(config: ExperimentConfig, client: MlflowClient) -> None:
    huge = config.models["k2"].model_copy(update={"alpha": 1e12, "regularization": 1e38})
    models = {"k2": config.models["k2"], "huge": huge}
    with pytest.raises(TrainingError):
        experiment(config.model_copy(update={"models": models, "replicates": 1, "evaluation": None}))
    runs = our_runs(client)
    statuses = {run.info.run_name: run.info.status for run in runs}
    assert statuses.pop("k2 #0", "FINISHED") == "FINISHED"  # it does not begin if the other was the first to fail
    assert statuses == {"k2 vs huge": "FAILED", "huge #0": "FAILED"}
    failed = [run for run in runs if run.info.status == "FAILED"]
    assert all("TrainingError" in run.data.tags["latentlab.reason"] for run in failed)


@pytest.mark.usefixtures("client")
def test_the_progress_of_everything_planned_reaches_its_end(config: ExperimentConfig) -> None:
    planned: dict[str, float] = {}
    reported: dict[str, tuple[int, int, str]] = {}

    class Recording:
        def plan(self, title: str, work: dict[str, float]) -> None:
            assert title == "6 fits"
            planned.update(work)

        def step(self, label: str, done: int, total: int, unit: str) -> None:
            assert done >= reported.get(label, (0, 0, ""))[0]
            reported[label] = done, total, unit

    with listening(Recording()):
        experiment(config)
    assert len(planned) == 12
    assert all(done == total for done, total, _ in reported.values())
    references = {f"lists of {name}" for name in ("popularity", "item-knn", "ease", "random")}
    references |= {f"{part} of {name}" for part in ("settings", "fit") for name in ("item-knn", "ease")}
    assert reported.keys() == planned.keys() | references
    assert reported["train k8 #0"][1:] == (config.models["k8"].iterations, "iterations")


@pytest.mark.usefixtures("client")
def test_the_example_of_the_notebook_gives_its_lists(workdir: Path) -> None:
    (workdir / "example.csv").write_text(
        "user,item,rating\n1,A,5\n1,C,3\n2,B,4\n2,D,2\n3,A,1\n3,C,5\n", encoding="utf-8"
    )
    example = ExperimentConfig.model_validate(
        {
            "name": "worked-example",
            "dataset": {"name": "file", "path": "example.csv"},
            "preprocess": {"min_rating": None},
            "models": {"k2": {"factors": 2, "iterations": 15}},
            "replicates": 1,
            "queries": {"users": [0], "recommend_for": [0], "n": 2},
            "comparison": {"depths": [1]},
            "evaluation": None,
        }
    )
    result = experiment(example).result
    assert (result.summary.users, result.summary.items, result.summary.interactions) == (3, 4, 6)
    users, recommended = result.queries
    assert users.models["k2"][0].raw_id == 3, "users 1 and 3 both chose A and C"
    assert {entry.raw_id for entry in recommended.models["k2"]} == {"B", "D"}, "what user 1 has not chosen"
