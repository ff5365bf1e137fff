"""Metrics of runs: sent in batches, and not twice."""

from mlflow import MlflowClient

from tasks.tracking.metrics import StepMetrics, log_metrics, send_metrics
from tests.tasks.tracking.helpers import Fit


def history(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, float]]:
    """Return step and value of each point that the run has."""
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


def test_logging_the_same_numbers_again_adds_no_points(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    for _ in range(2):
        log_metrics(client, run_id, {"ndcg_at_10": 0.25, "auc": 0.5})
    assert history(client, run_id, "ndcg_at_10") == [(0, 0.25)]
    log_metrics(client, run_id, {"ndcg_at_10": 0.5, "auc": 0.5})
    assert [value for _, value in history(client, run_id, "ndcg_at_10")] == [0.25, 0.5]
    assert client.get_run(run_id).data.metrics == {"ndcg_at_10": 0.5, "auc": 0.5}


def test_more_metrics_than_one_call_takes_all_arrive(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    send_metrics(client, run_id, [("objective", float(step), 1, step) for step in range(1001)])
    assert len(history(client, run_id, "objective")) == 1001


def test_step_metrics_are_sent_in_batches_without_values_that_are_not_numbers(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    metrics = StepMetrics(client, run_id, every_seconds=3600)
    metrics.add(1, at=1000, factor_change=0.5, objective=float("nan"))
    metrics.add(2, at=2000, factor_change=float("nan"), objective=4.0)
    assert metrics.recorded == [("factor_change", 0.5, 1000, 1), ("objective", 4.0, 2000, 2)]
    assert client.get_run(run_id).data.metrics == {}
    metrics.finish()
    assert history(client, run_id, "factor_change") == [(1, 0.5)]
    assert history(client, run_id, "objective") == [(2, 4.0)]
