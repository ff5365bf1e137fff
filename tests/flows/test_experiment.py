"""The flow, on a small data set with a known answer, against a real MLflow store and a real Prefect server."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExecutionConfig, ExperimentConfig
from tasks.core.errors import TrackingError
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.tracking import artifacts, runs, search, store

pytestmark = pytest.mark.usefixtures("api_url")

N_USERS, N_ITEMS = 40, 30


@pytest.fixture
def client(config: ExperimentConfig) -> MlflowClient:
    return store.open_store(store.resolve_uri())


def test_every_fit_is_one_complete_nested_run(config: ExperimentConfig, client: MlflowClient) -> None:
    outcome = experiment(config)
    assert (outcome.trained, outcome.reused) == (6, 0)
    found = search.our_runs(client)
    nested = [run for run in found if run.data.tags.get("mlflow.parentRunId") == outcome.result.parent_id]
    assert len(found) == 7
    assert len(nested) == 6
    assert all(runs.is_complete(run) for run in found)
    roles = [run.data.tags["latentlab.role"] for run in nested]
    assert (roles.count("model"), roles.count("evaluation")) == (4, 2)


def test_runs_carry_the_names_of_the_contract(config: ExperimentConfig, client: MlflowClient) -> None:
    experiment(config)
    run = search.find_run(client, "blocks/k8/1")
    expected = {"factors": "8", "iterations": "6", "regularization": "0.01", "alpha": "1.0", "solver": "cg"}
    assert expected.items() <= run.data.params.items()
    assert {"objective", "imbalance", "elapsed_seconds", "factor_change", "fit_seconds", "iterations_run"} <= set(
        run.data.metrics
    )
    assert [m.step for m in client.get_metric_history(run.info.run_id, "objective")] == [2, 6]
    settled = client.get_metric_history(run.info.run_id, "overlap_final.users_at_5")
    assert [m.step for m in settled] == [2, 6]
    assert settled[-1].value == 1
    assert [m.step for m in client.get_metric_history(run.info.run_id, "elapsed_seconds")] == [1, 2, 3, 4, 5, 6]
    manifest = artifacts.read_artifact(client, run.info.run_id, "factors.npz").parent / "manifest.json"
    paths = {entry["path"] for entry in json.loads(manifest.read_text())["files"]}
    assert {path for path in paths if not path.startswith("models/")} == {
        "factors.npz",
        "items.parquet",
        "neighbours/items.parquet",
        "neighbours/users.parquet",
        "queries/item_4.json",
        "queries/recommend_for_0.json",
        "queries/user_3.json",
        "recommendations.parquet",
        "users.parquet",
    }
    (dataset,) = run.inputs.dataset_inputs
    assert run.data.tags["latentlab.data_sha256"].startswith(dataset.dataset.digest)


def test_neighbours_are_of_the_same_block(config: ExperimentConfig) -> None:
    result = experiment(config).result
    user, item, recommended = result.queries
    raw = {
        (entry.raw_id, query.name) for query in (user, item) for entries in query.models.values() for entry in entries
    }
    assert all(raw_id % 2 == (user if name == "user_3" else item).raw_id % 2 for raw_id, name in raw)
    assert all(entry.raw_id % 2 == recommended.raw_id % 2 for entry in recommended.models["k2"][:3])


def test_factors_in_mlflow_are_those_of_the_fit(config: ExperimentConfig, client: MlflowClient) -> None:
    experiment(config)
    run = search.find_run(client, "blocks/k2/0")
    stored = Factors.load(artifacts.read_artifact(client, run.info.run_id, "factors.npz"))
    frame = pd.read_csv(str(config.dataset.path))
    rows, columns = (pd.factorize(frame[side])[0].astype(np.int32) for side in ("user", "item"))
    from scipy.sparse import csr_array

    matrix = csr_array((np.full(len(frame), 5, np.float32), (rows, columns)), shape=(N_USERS, N_ITEMS))
    again = als.fit(matrix, config.models["k2"], seed=int(run.data.params["seed"]))
    assert np.array_equal(stored.users, again.users)
    assert np.array_equal(stored.items, again.items)


def test_a_second_run_trains_nothing_and_touches_nothing(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config.model_copy(update={"execution": ExecutionConfig(isolate=False)})
    first = experiment(config)
    before = [(run.info.to_proto(), run.data.metrics) for run in search.our_runs(client)]
    fits: list[int] = []
    from implicit.cpu.als import AlternatingLeastSquares

    solver = AlternatingLeastSquares.fit
    monkeypatch.setattr(AlternatingLeastSquares, "fit", lambda self, *a, **k: fits.append(1) or solver(self, *a, **k))
    second = experiment(config)
    assert fits == []
    assert (second.trained, second.reused) == (0, 6)
    assert second.result == first.result
    assert [(run.info.to_proto(), run.data.metrics) for run in search.our_runs(client)] == before


def test_what_was_asked_for_last_is_the_latest(config: ExperimentConfig, client: MlflowClient) -> None:
    alone = config.model_copy(update={"evaluation": None})
    first, other = experiment(alone).result.parent_id, experiment(alone.model_copy(update={"replicates": 1})).result
    assert search.find_run(client, "latest").info.run_id == other.parent_id
    experiment(alone)
    assert search.find_run(client, "latest").info.run_id == search.find_run(client, "blocks").info.run_id == first


def test_adding_a_model_trains_only_that_model(config: ExperimentConfig, client: MlflowClient) -> None:
    first = experiment(config)
    models = {**config.models, "k3": config.models["k2"].model_copy(update={"factors": 3})}
    more = experiment(config.model_copy(update={"models": models}))
    assert (more.trained, more.reused) == (3, 6)
    assert more.result.parent_id != first.result.parent_id
    assert {run.run_id for run in first.result.runs} < {run.run_id for run in more.result.runs}


def test_fresh_trains_anew_and_supersedes(config: ExperimentConfig, client: MlflowClient) -> None:
    first = experiment(config)
    fresh = experiment(config, fresh=True)
    assert fresh.trained == 6
    old = {run.run_id for run in first.result.runs}
    assert not old & {run.run_id for run in fresh.result.runs}
    assert all("latentlab.superseded" in client.get_run(run_id).data.tags for run_id in old)
    assert search.find_run(client, "blocks/k2/0").info.run_id not in old
    assert search.find_run(client, "blocks").info.run_id == fresh.result.parent_id


def test_a_damaged_list_is_refused_and_what_was_complete_stays(config: ExperimentConfig, client: MlflowClient) -> None:
    first = experiment(config)
    run = next(run for run in first.result.runs if run.role == "model")
    path = artifacts.read_artifact(client, run.run_id, "neighbours/users.parquet")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    other = config.model_copy(update={"queries": config.queries.model_copy(update={"users": (5,)})})
    with pytest.raises(TrackingError, match=r"neighbours/users\.parquet has sha256"):
        experiment(other)
    assert client.get_run(first.result.parent_id).info.status == "FINISHED"


def test_a_fit_that_fails_leaves_failed_runs_with_the_reason(config: ExperimentConfig, client: MlflowClient) -> None:
    huge = config.models["k2"].model_copy(update={"alpha": 1e12, "regularization": 1e38})
    failing = config.model_copy(update={"models": {"k2": config.models["k2"], "huge": huge}})
    broken = failing.model_copy(update={"replicates": 1, "evaluation": None})
    from tasks.core.errors import TrainingError

    with pytest.raises(TrainingError):
        experiment(broken)
    statuses = {run.info.run_name: run.info.status for run in search.our_runs(client)}
    assert statuses == {"k2 vs huge": "FAILED", "k2 #0": "FINISHED", "huge #0": "FAILED"}
    failed = [run for run in search.our_runs(client) if run.info.status == "FAILED"]
    assert all("TrainingError" in run.data.tags["latentlab.reason"] for run in failed)


def test_all_that_is_planned_is_told_to_its_end(config: ExperimentConfig) -> None:
    from tasks.reporting import progress

    planned: dict[str, float] = {}
    told: dict[str, tuple[int, int, str]] = {}

    class Listening:
        def plan(self, title: str, work: dict[str, float]) -> None:
            assert title == "6 fits"
            planned.update(work)

        def step(self, label: str, done: int, total: int, unit: str) -> None:
            assert done >= told.get(label, (0, 0, ""))[0]
            told[label] = done, total, unit

    with progress.listening(Listening()):
        experiment(config)
    assert len(planned) == 12
    assert all(done == total for done, total, _ in told.values())
    references = {f"lists of {name}" for name in ("popularity", "item-knn", "ease", "random")}
    assert told.keys() == planned.keys() | references
    assert told["train k8 #0"][1:] == (config.models["k8"].iterations, "iterations")


@pytest.mark.parametrize(
    ("where", "at", "statuses"),
    [
        ("train k8 #0", 3, ["FINISHED", "FINISHED", "KILLED", "KILLED"]),
        ("lists of k8 #0", 1, ["FINISHED", "FINISHED", "KILLED", "KILLED"]),
        ("lists of item-knn", 1, [*["FINISHED"] * 6, "KILLED"]),
    ],
)
def test_interrupting_leaves_killed_runs(
    config: ExperimentConfig, client: MlflowClient, where: str, at: int, statuses: list[str]
) -> None:
    from tasks.reporting import progress

    class Interrupting:
        def plan(self, title: str, work: dict[str, float]) -> None:
            pass

        def step(self, label: str, done: int, total: int, unit: str) -> None:
            if label == where and done >= at:
                raise KeyboardInterrupt

    with pytest.raises(BaseException) as raised, progress.listening(Interrupting()):  # noqa: PT011
        experiment(config)
    assert raised.type is KeyboardInterrupt
    assert sorted(run.info.status for run in search.our_runs(client)) == statuses


def test_prefect_shows_the_story(config: ExperimentConfig) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    outcome = experiment(config)
    store = store.open_store(store.resolve_uri())
    flow_run_id = store.get_run(outcome.result.parent_id).data.tags["prefect.flow_run_id"]
    with get_client(sync_client=True) as prefect:
        only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        assert prefect.read_flow_run(flow_run_id).name == "blocks"
        expected = {"download file", "preprocess file", "train k2 #0", "evaluate k8 #0 held-out", "compare blocks"}
        for _ in range(50):  # the server takes task runs in from a queue
            names = {run.name for run in prefect.read_task_runs(flow_run_filter=only)}
            if expected <= names:
                break
            time.sleep(0.2)
        assert expected <= names


def test_the_notebooks_worked_example_goes_through(workdir: Path, client: MlflowClient) -> None:
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
