"""Metrics of runs, sent in batches."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from tasks.core.errors import Stopped
from tasks.recovery import interrupts
from tasks.tracking.store import first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
_BATCH = 1000  # metrics that MLflow takes in one call


class StepMetrics:
    """Metrics along the iterations, buffered and sent in batches.

    A store that stops answering does not stop the training: what is not sent is in `noted`, for later.
    """

    def __init__(self, client: "MlflowClient", run_id: str, every_seconds: float = 5.0) -> None:
        self.client, self.run_id, self.every = client, run_id, every_seconds
        self.noted: list[tuple[str, float, int, int]] = []
        self.n_sent = 0
        self.sent_at = time.monotonic()
        self.answers = True

    def add(self, step: int, at: float | None = None, **values: float) -> None:
        """Note values at an iteration; those that are not a number are left out.

        Parameters
        ----------
        at : when, in milliseconds since 1970; now by default

        Raises
        ------
        Stopped
            Somebody ended the run in MLflow.
        """
        when = time.time_ns() // 1_000_000 if at is None else int(at)
        self.noted += [(key, value, when, step) for key, value in values.items() if value == value]
        if len(self.noted) - self.n_sent >= _BATCH or time.monotonic() - self.sent_at > self.every:
            self._send()

    def _send(self) -> None:
        from mlflow.exceptions import MlflowException

        if self.answers:
            try:
                # an interrupted transaction would keep a database in a file locked; a server's answer may take long
                with nullcontext() if self.client.tracking_uri.startswith("http") else interrupts.undisturbed():
                    send_metrics(self.client, self.run_id, self.noted[self.n_sent :])
                    self.n_sent = len(self.noted)
                    status = self.client.get_run(self.run_id).info.status
            except MlflowException as error:
                log.warning(
                    "MLflow does not answer (%s); the training goes on, and its metrics are kept", first_line(error)
                )
                self.answers = False
            else:
                if status == "KILLED":
                    raise Stopped(f"run {self.run_id} was ended in MLflow")
        self.sent_at = time.monotonic()

    def finish(self) -> None:
        """Send what is left; here a store that does not answer is an error."""
        send = send_metrics if self.answers else send_missing_metrics
        send(self.client, self.run_id, self.noted[self.n_sent :])


def send_metrics(client: "MlflowClient", run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
    """Log (key, value, milliseconds since 1970, step) in batches."""
    from mlflow.entities import Metric

    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=[Metric(*each) for each in metrics[start : start + _BATCH]])


def send_missing_metrics(client: "MlflowClient", run_id: str, metrics: Sequence[tuple[str, float, int, int]]) -> None:
    """Log those that the run does not have yet: a second point at a step would be drawn as a second line."""
    known = {
        (key, step)
        for key in dict.fromkeys(metric[0] for metric in metrics)
        for step in metric_history(client, run_id, key)
    }
    send_metrics(client, run_id, [metric for metric in metrics if (metric[0], metric[3]) not in known])


def log_metrics(client: "MlflowClient", run_id: str, metrics: Mapping[str, float]) -> None:
    """Log final metrics; values that the run already has are left as they are."""
    known = client.get_run(run_id).data.metrics
    now = time.time_ns() // 1_000_000
    send_metrics(client, run_id, [(key, value, now, 0) for key, value in metrics.items() if known.get(key) != value])


def metric_history(client: "MlflowClient", run_id: str, key: str) -> dict[int, float]:
    """A metric along the iterations: step -> value, by step."""
    return dict(sorted((metric.step, metric.value) for metric in client.get_metric_history(run_id, key)))


@contextmanager
def system_metrics(uri: str, run_id: str, *, wanted: bool) -> Iterator[None]:
    """Log what the machine does, within the block, as the run's `system/…` metrics."""
    if not wanted:
        yield
        return
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor: Any = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
        run_id, tracking_uri=uri
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
