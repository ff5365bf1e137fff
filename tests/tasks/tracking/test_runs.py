"""MLflow runs: their parameters and tags, and how they end."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from tasks.core.config.als import AlsConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.data.splits.held_out import HeldOut
from tasks.core.files import StoredFile
from tasks.core.planning.runs import EVALUATION, MODEL, PlannedRun, RunRef
from tasks.tracking.metrics import log_metrics
from tasks.tracking.runs import (
    ParentRun,
    end_run,
    is_complete,
    log_use,
    run_ref,
    send_heartbeat,
    start_fit,
    supersede,
)
from tests.tasks.tracking.helpers import Fit


def test_a_fit_keeps_its_hyperparameters_model_and_replicate(client: MlflowClient, fit: Fit) -> None:
    run = client.get_run(fit("identity", model="k2", replicate=3))
    assert run.data.params == {
        "factors": "2",
        "iterations": "3",
        "regularization": "0.01",
        "alpha": "1.0",
        "solver": "cg",
        "orientation": "user_item",
        "acceleration": "none",
        "stop": "none",
        "engine": "implicit",
        "resample": "none",
        "seed": "7",
        "model": "k2",
        "replicate": "3",
        "repeat": "0",
    }
    assert run_ref(run) == RunRef(run.info.run_id, "k2", 3, MODEL, "identity")


def test_a_fit_is_nested_in_its_parent_and_names_its_data(
    client: MlflowClient, uri: str, experiment_id: str, data: PreparedData
) -> None:
    """Only an evaluation fit uses a split, so only its run names the split, the second of two."""
    parent = ParentRun(uri, experiment_id, "id-of-the-parent", {"prefect.flow_run_id": "flow-1"})
    held_out = [HeldOut(StoredFile("", ""), StoredFile("", ""), sha256) for sha256 in ("first", "second")]
    split = replace(data, splits=tuple(held_out))
    runs = {}
    for role in (MODEL, EVALUATION):
        repeat = 1 if role == EVALUATION else 0
        planned = PlannedRun("k2", 0, role, AlsConfig(factors=2, iterations=3), 7, role, repeat=repeat)
        runs[role] = client.get_run(start_fit(client, parent, planned, split))
    for run in runs.values():
        assert run.info.experiment_id == experiment_id
        assert run.info.status == "RUNNING"
        assert run.data.tags["mlflow.parentRunId"] == "id-of-the-parent"
        assert run.data.tags["prefect.flow_run_id"] == "flow-1"
        assert run.data.tags["latentlab.data_sha256"] == "data"
    assert {"latentlab.split_sha256", "latentlab.repeat"}.isdisjoint(runs[MODEL].data.tags)
    assert runs[EVALUATION].data.tags["latentlab.split_sha256"] == "second"
    assert (run_ref(runs[EVALUATION]).repeat, runs[EVALUATION].data.params["repeat"]) == (1, "1")


def test_a_long_reason_is_truncated(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    end_run(client, run_id, "FAILED", "because " * 10_000)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert len(run.data.tags["latentlab.reason"]) == 500


@pytest.mark.parametrize(
    "write",
    [
        lambda client, run_id: supersede(client, [run_id], by="another"),
        lambda client, run_id: log_use(client, run_id),
        lambda client, run_id: send_heartbeat(client, run_id),
        lambda client, run_id: end_run(client, run_id, "FAILED", "why"),
        lambda client, run_id: log_metrics(client, run_id, {"fit_seconds": 1.0}),
    ],
    ids=["superseded", "used", "heartbeat", "reason", "metrics"],
)
def test_what_decides_is_stored_at_once_although_mlflow_logs_asynchronously(
    client: MlflowClient, fit: Fit, monkeypatch: pytest.MonkeyPatch, write: Callable[[MlflowClient, str], None]
) -> None:
    """Params, tags and metrics of a new run, and each later tag. MLflow's queue is not started."""
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    run_id = fit()
    assert is_complete(client.get_run(run_id))
    write(client, run_id)
    assert client.get_run(run_id).data.params["model"] == "k2"
    assert not client._tracking_client.store._async_logging_queue.is_active()
