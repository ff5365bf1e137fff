"""The MLflow store: experiments, runs, their params, metrics and status.

Every call names its run: there is no active run anywhere.
"""

import getpass
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tasks import progress
from tasks.core.errors import Stopped, TrackingError, without_logins
from tasks.core.plan import PlannedRun
from tasks.core.process import this_process
from tasks.core.store import TEMPORARY
from tasks.core.sweep import shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

_EXPERIMENT = """ALS models compared by their neighbour lists.

- A run named after its models is a comparison: its description is the answer, its artifact `report.html` shows all.
- The runs nested in it are the fits, one a model and seed, `held-out` those that accuracy is measured on.
- To filter: `tags.latentlab.role = "model"`, `params.model = "k50"`, `tags.latentlab.verdict LIKE "different%"`."""
_BATCH = 1000  # metrics that MLflow takes in one call
_PREFLIGHT_SECONDS = 10
TERMINAL = {"FINISHED", "FAILED", "KILLED"}
HEARTBEAT, PROCESS = "latentlab.heartbeat", "latentlab.process"
"""Tags: when the process that holds an open run was last heard of, and which it is; see `tasks.liveness`."""


def resolve_uri(configured: str | None = None) -> str:
    """Where runs are kept: MLFLOW_TRACKING_URI, else the config's, else mlflow.db in the current directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or configured
    if uri and uri.startswith(("http://", "https://")):
        return _login_aside(uri)
    if not uri:
        return f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).is_absolute():
        return f"sqlite:///{Path(path).absolute()}"
    return uri


def _login_aside(uri: str) -> str:
    """A server's address without user name and password, which MLflow takes from variables of their own.

    Within an address they would be part of its errors, and those of Prefect's logs.
    """
    parts = urlsplit(uri)
    for name, value in {"USERNAME": parts.username, "PASSWORD": parts.password}.items():
        if value is not None:
            os.environ[f"MLFLOW_TRACKING_{name}"] = unquote(value)
    return without_secrets(uri)


def without_secrets(uri: str) -> str:
    """A URI as it may be printed, without user name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else uri


def run_url(uri: str, experiment_id: str, run_id: str) -> str | None:
    """Where a browser shows a run; None for a store that is no server."""
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{without_secrets(uri).rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"


def is_new(uri: str) -> bool:
    """Whether the store is a local file that is still to be made, in a folder where it can be."""
    path = Path(uri.removeprefix("sqlite:///"))
    return uri.startswith("sqlite:///") and not path.exists() and os.access(path.parent, os.W_OK)


def open_store(uri: str) -> "MlflowClient":
    """A client of the store, which answers; made if it is a local file that is not there yet.

    Raises
    ------
    TrackingError
        The store cannot be opened.
    """
    from mlflow import MlflowClient

    os.environ.pop("MLFLOW_RUN_ID", None)  # an inherited run is not ours
    registry = os.environ.get("MLFLOW_REGISTRY_URI") or uri  # else it is what the process has set globally
    with store_errors(uri):
        if not uri.startswith("sqlite"):
            # asked once: MLflow itself would try again for minutes
            if uri.startswith(("http://", "https://")):
                import requests

                requests.get(f"{uri.rstrip('/')}/health", timeout=_PREFLIGHT_SECONDS)
            elif uri.startswith(("postgresql", "mysql", "mssql")):
                import sqlalchemy

                sqlalchemy.create_engine(uri).connect().close()
            client = MlflowClient(uri, registry)
            client.search_experiments(max_results=1)
            return client
        # several processes that create one sqlite store at once fail in its migrations
        from filelock import FileLock

        database = Path(uri.removeprefix("sqlite:///"))
        if database.is_dir():  # MLflow would try again for 100 s
            raise IsADirectoryError("it is a folder; expected a database file")
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock", timeout=120):
            if not database.exists():  # migrations that are cut off cannot be gone on with: made aside, then renamed
                unfinished = database.with_name(f"{TEMPORARY}{database.name}")
                unfinished.unlink(missing_ok=True)
                MlflowClient(f"sqlite:///{unfinished}", f"sqlite:///{unfinished}").search_experiments(max_results=1)
                unfinished.replace(database)
            client = MlflowClient(uri, registry)
            client.search_experiments(max_results=1)
    return client


def open_experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of the experiment called `name`, created if there is none.

    Raises
    ------
    TrackingError
        It was deleted, or the store cannot be written.
    """
    from mlflow.exceptions import MlflowException

    with store_errors(uri):
        found = client.get_experiment_by_name(name)
        if found is None:
            location = None
            if uri.startswith("sqlite:///"):
                location = (Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / name).as_uri()
            try:
                note = {
                    "mlflow.note.content": _EXPERIMENT,
                    "mlflow.experimentKind": "custom_model_development",  # the UI opens on training runs
                }
                return str(client.create_experiment(name, artifact_location=location, tags=note))
            except MlflowException:  # another process was first
                found = client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {name!r} was deleted; restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id if found else '?'}), "
                "or give the config another name"
            )
    return str(found.experiment_id)


def find_experiment(client: "MlflowClient", name: str) -> str | None:
    """The id of an experiment that exists, or None."""
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id) if found and found.lifecycle_stage == "active" else None


def start_run(
    client: "MlflowClient",
    experiment_id: str,
    name: str,
    *,
    tags: Mapping[str, str],
    params: Mapping[str, Any] | None = None,
    description: str = "",
) -> str:
    """Create a run that is RUNNING; its id."""
    from mlflow.entities import Param

    common = {
        "mlflow.user": _user(),
        "mlflow.source.name": "latentlab",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": description,
        "latentlab.version": package_version("latentlab"),
        HEARTBEAT: f"{time.time():.0f}",
        PROCESS: json.dumps(this_process()),
    }
    run = client.create_run(experiment_id, run_name=name, tags={**common, **tags})
    run_id = str(run.info.run_id)
    if params:
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])
    return run_id


def start_fit(client: "MlflowClient", experiment_id: str, run: PlannedRun, tags: Mapping[str, str]) -> str:
    """Create the run of one fit, with all its hyperparameters."""
    settings = run.settings
    return start_run(
        client,
        experiment_id,
        run.label,
        tags={
            "latentlab.identity": run.identity,
            "latentlab.role": run.role,
            "latentlab.model": run.model,
            "latentlab.replicate": str(run.replicate),
            **tags,
        },
        params={
            **settings.model_dump(),
            "stop": shown(settings.stop and settings.stop.model_dump()),
            "seed": run.seed,
            "model": run.model,
            "replicate": run.replicate,
        },
        description=f"ALS, k={settings.factors}, {settings.iterations} iterations, seed {run.seed}.",
    )


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
                with nullcontext() if self.client.tracking_uri.startswith("http") else progress.undisturbed():
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


def log_dataset(
    client: "MlflowClient", run_id: str, *, name: str, digest: str, source: str, profile: dict[str, Any]
) -> None:
    """Note the data as an input of the run; `source` is a URL or a path."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    remote = source.startswith(("http://", "https://"))
    dataset = Dataset(
        name=name,
        digest=digest[:12],
        source_type="http" if remote else "local",
        source=json.dumps({"url" if remote else "uri": source}),
        profile=json.dumps(profile),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set several tags in one call."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def end_run(client: "MlflowClient", run_id: str, status: str, reason: str = "") -> None:
    """Close a run as FINISHED, FAILED or KILLED, with the reason as a tag."""
    if reason:
        client.set_tag(run_id, "latentlab.reason", without_logins(reason)[:500])
    client.set_terminated(run_id, status)


def close_open_runs(client: "MlflowClient", experiment_id: str, flow_run_id: str, status: str, reason: str) -> int:
    """End every run that this flow run opened and did not end; how many."""
    condition = f"tags.`prefect.flow_run_id` = '{flow_run_id}'"
    left = [run for run in search(client, [experiment_id], condition) if run.info.status not in TERMINAL]
    for run in left:
        end_run(client, run.info.run_id, status, reason)
    return len(left)


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


def search(client: "MlflowClient", experiment_ids: Sequence[str], condition: str) -> "Iterator[Run]":
    token = None
    while experiment_ids:
        page = client.search_runs(list(experiment_ids), condition, max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Failures to reach or open the store, as one clear error without the URI's secrets."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        reason = first_line(error)
        if schema := re.search(r"database schema \((.*?)\)", reason):
            reason = (
                f"it was made by another MLflow than the {package_version('mlflow')} here ({schema[1]}): "
                "after a backup, `mlflow db upgrade` brings an older store up to date; a newer one needs that MLflow"
            )
        raise TrackingError(
            f"the MLflow store {without_secrets(uri)} cannot be used: {reason}; "
            "check MLFLOW_TRACKING_URI and tracking.uri"
        ) from None


def first_line(error: Exception) -> str:
    """What a library says, without the user name and password of an address within it."""
    lines = [line for line in str(error).splitlines() if not line.startswith("(raised as a result of")]
    return without_logins(lines[0] if lines else type(error).__name__)[:300]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
