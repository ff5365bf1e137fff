"""Metrics of runs, sent in batches."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks.core.errors import Stopped
from tasks.tracking.store import first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

_BATCH = 1000
"""Metrics that MLflow takes in one call."""


class StepMetrics:
    """Metrics along the iterations of a fit, buffered and sent in batches.

    A store that stops answering does not stop the training: the metrics stay in `recorded`, and can be sent later.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
    every_seconds : float
        Time between two batches.

    Attributes
    ----------
    recorded : list of (key, value, milliseconds since 1970, iteration)
        All metrics so far.
    """

    def __init__(self, client: "MlflowClient", run_id: str, every_seconds: float = 5.0) -> None:
        self.client, self.run_id, self.every_seconds = client, run_id, every_seconds
        self.recorded: list[tuple[str, float, int, int]] = []
        self._n_sent = 0
        self._sent_at = time.monotonic()
        self._answers = True

    def add(self, step: int, at: float | None = None, **values: float) -> None:
        """Record values of an iteration; those that are not a number are left out.

        Parameters
        ----------
        step : int
            The iteration.
        at : float, optional
            When, in milliseconds since 1970; now by default.
        **values : float
            Key -> value.

        Raises
        ------
        Stopped
            If the run was ended in MLflow.
        """
        when = time.time_ns() // 1_000_000 if at is None else int(at)
        self.recorded += [(key, value, when, step) for key, value in values.items() if value == value]
        if len(self.recorded) - self._n_sent >= _BATCH or time.monotonic() - self._sent_at > self.every_seconds:
            self._send()

    def finish(self) -> None:
        """Send what is left. Here, a store that does not answer is an error."""
        send = send_metrics if self._answers else send_missing_metrics
        send(self.client, self.run_id, self.recorded[self._n_sent :])

    def _send(self) -> None:
        from mlflow.exceptions import MlflowException

        if self._answers:
            try:
                send_metrics(self.client, self.run_id, self.recorded[self._n_sent :])
                self._n_sent = len(self.recorded)
                status = self.client.get_run(self.run_id).info.status
            except MlflowException as error:
                log.warning("MLflow does not answer (%s); training continues, and keeps its metrics", first_line(error))
                self._answers = False
            else:
                if status == "KILLED":
                    raise Stopped(f"run {self.run_id} was ended in MLflow")
        self._sent_at = time.monotonic()


def send_metrics(client: "MlflowClient", run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
    """Log metrics in batches.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    metrics : sequence of (key, value, milliseconds since 1970, step)
        The metrics.
    """
    from mlflow.entities import Metric

    for start in range(0, len(metrics), _BATCH):
        batch = [Metric(*metric) for metric in metrics[start : start + _BATCH]]
        client.log_batch(run_id, metrics=batch, synchronous=True)


def send_missing_metrics(client: "MlflowClient", run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
    """Log the metrics that the run does not have: a second point at a step would be drawn as a second line.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    metrics : sequence of (key, value, milliseconds since 1970, step)
        The metrics.
    """
    logged = {
        (key, step)
        for key in dict.fromkeys(metric[0] for metric in metrics)
        for step in metric_history(client, run_id, key)
    }
    send_metrics(client, run_id, [metric for metric in metrics if (metric[0], metric[3]) not in logged])


def log_metrics(client: "MlflowClient", run_id: str, metrics: Mapping[str, float]) -> None:
    """Log final metrics; values that the run already has are left as they are.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    metrics : mapping of str to float
        Name -> value.
    """
    logged = client.get_run(run_id).data.metrics
    now = time.time_ns() // 1_000_000
    send_metrics(client, run_id, [(key, value, now, 0) for key, value in metrics.items() if logged.get(key) != value])


def metric_history(client: "MlflowClient", run_id: str, key: str) -> dict[int, float]:
    """Return a metric along the iterations.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id, key : str
        Id of the run, and name of the metric.

    Returns
    -------
    dict of int to float
        Iteration -> value, by iteration.
    """
    return dict(sorted((metric.step, metric.value) for metric in client.get_metric_history(run_id, key)))


@contextmanager
def system_metrics(uri: str, run_id: str, *, enabled: bool) -> Iterator[None]:
    """Log CPU, memory, disk and network of the machine during the block, as the run's `system/…` metrics.

    Parameters
    ----------
    uri : str
        Of the store.
    run_id : str
        Id of the run.
    enabled : bool
        Whether anything is logged.
    """
    if not enabled:
        yield
        return
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor: Any = SystemMetricsMonitor(run_id, tracking_uri=uri)  # type: ignore[no-untyped-call]
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
