"""MLflow runs: their parameters and tags, and how they end."""

from dataclasses import replace

from mlflow import MlflowClient

from tasks.core.config.als import AlsConfig
from tasks.core.data.prepared import HeldOut, PreparedData
from tasks.core.files import StoredFile
from tasks.core.planning.runs import EVALUATION, MODEL, PlannedRun, RunRef
from tasks.tracking.runs import ParentRun, end_run, run_ref, start_fit
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
        "seed": "7",
        "model": "k2",
        "replicate": "3",
    }
    assert run_ref(run) == RunRef(run.info.run_id, "k2", 3, MODEL, "identity")


def test_a_fit_is_nested_in_its_parent_and_names_its_data(
    client: MlflowClient, uri: str, experiment_id: str, data: PreparedData
) -> None:
    """Only an evaluation fit uses the split, so only its run names the split."""
    parent = ParentRun(uri, experiment_id, "id-of-the-parent", {"prefect.flow_run_id": "flow-1"})
    split = replace(data, held_out=HeldOut(StoredFile("", ""), StoredFile("", ""), "split"))
    runs = {}
    for role in (MODEL, EVALUATION):
        planned = PlannedRun("k2", 0, role, AlsConfig(factors=2, iterations=3), 7, role)
        runs[role] = client.get_run(start_fit(client, parent, planned, split))
    for run in runs.values():
        assert run.info.experiment_id == experiment_id
        assert run.info.status == "RUNNING"
        assert run.data.tags["mlflow.parentRunId"] == "id-of-the-parent"
        assert run.data.tags["prefect.flow_run_id"] == "flow-1"
        assert run.data.tags["latentlab.data_sha256"] == "data"
    assert "latentlab.split_sha256" not in runs[MODEL].data.tags
    assert runs[EVALUATION].data.tags["latentlab.split_sha256"] == "split"


def test_a_long_reason_is_truncated(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    end_run(client, run_id, "FAILED", "because " * 10_000)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert len(run.data.tags["latentlab.reason"]) == 500
