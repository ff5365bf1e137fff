"""Metrics of fits in MLflow: along the iterations, and of the machine."""

import numpy as np
import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import Stopped
from tasks.tracking.experiments import open_experiment
from tasks.tracking.metrics import StepMetrics, send_metrics, send_missing_metrics
from tasks.tracking.reading.named_run import find_run
from tasks.tracking.runs import start_run
from tasks.tracking.store import resolve_uri


@pytest.fixture
def run_id(client: MlflowClient) -> str:
    """The id of an open run."""
    return start_run(client, open_experiment(client, resolve_uri(), "any"), "x", tags={})


def test_a_fit_stops_once_its_run_is_ended_in_mlflow(client: MlflowClient, run_id: str) -> None:
    """So a fit on a cluster, which no signal reaches, is stopped after its flow was cancelled."""
    metrics = StepMetrics(client, run_id, every_seconds=0)
    metrics.add(1, objective=2.0)
    client.set_terminated(run_id, "KILLED")
    with pytest.raises(Stopped, match="was ended in MLflow"):
        metrics.add(2, objective=1.0)


def test_metrics_that_the_run_has_are_not_sent_again(client: MlflowClient, run_id: str) -> None:
    recorded = [("objective", float(10 - step), 1000 + step, step) for step in range(1, 6)]
    send_metrics(client, run_id, recorded[:3])
    send_missing_metrics(client, run_id, recorded)
    send_missing_metrics(client, run_id, recorded)
    assert [metric.step for metric in client.get_metric_history(run_id, "objective")] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("api_url")
def test_system_metrics_are_logged_if_the_config_says_so(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    slow = {"k8": {"factors": 64, "iterations": 1500}}
    base = {**config.model_dump(), "models": slow, "replicates": 1, "evaluation": None}
    for enabled in (True, False):
        experiment(ExperimentConfig.model_validate({**base, "execution": {"system_metrics": enabled}}), fresh=True)
        metrics = find_run(client, "blocks/k8/0").data.metrics
        assert ("system/cpu_utilization_percentage" in metrics) == enabled
        assert np.isfinite(list(metrics.values())).all()
