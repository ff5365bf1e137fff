"""The MLflow store: experiments, runs, what makes a run complete, and reading it back.

The only place that knows MLflow. Every call names its run: there is no active run anywhere. A run is
*complete* once its files are uploaded, listed again and found to match `manifest.json`, whose sha256 is
then the tag `latentlab.complete`; FINISHED comes last. Readers take only runs that are FINISHED, complete
and not superseded, and where two runs share an identity the one that ended first.
"""

import getpass
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tasks.core.errors import TrackingError
from tasks.core.plan import MODEL, PARENT, PlannedRun
from tasks.core.store import StoredFile, file_sha256, home, write_text

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

MANIFEST = "manifest.json"
_BATCH = 1000  # metrics that MLflow takes in one call
_TERMINAL = {"FINISHED", "FAILED", "KILLED"}


@dataclass(frozen=True)
class RunRef:
    """A run that can be read: where it is, and which fit of which experiment it holds."""

    run_id: str
    model: str
    replicate: int
    role: str
    identity: str


def resolve_uri(configured: str | None = None) -> str:
    """Where runs are kept: MLFLOW_TRACKING_URI, else the config's, else mlflow.db in the current directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or configured
    if not uri:
        return f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).is_absolute():
        return f"sqlite:///{Path(path).absolute()}"
    return uri


def without_secrets(uri: str) -> str:
    """A URI as it may be printed, without user name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else uri


def open_store(uri: str) -> "MlflowClient":
    """A client of the store, made if it is a local file that is not there yet.

    Raises
    ------
    TrackingError
        The store cannot be opened.
    """
    from mlflow import MlflowClient

    os.environ.pop("MLFLOW_RUN_ID", None)  # an inherited run is not ours
    with _store_errors(uri):
        if not uri.startswith("sqlite"):
            return MlflowClient(uri)
        # several processes that create one sqlite store at once fail in its migrations
        from filelock import FileLock

        database = Path(uri.removeprefix("sqlite:///"))
        if database.is_dir():  # MLflow would try again for 100 s
            raise IsADirectoryError("it is a folder; expected a database file")
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock", timeout=120):
            client = MlflowClient(uri)
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

    with _store_errors(uri):
        found = client.get_experiment_by_name(name)
        if found is None:
            location = None
            if uri.startswith("sqlite:///"):
                location = (Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / name).as_uri()
            try:
                note = {
                    "mlflow.note.content": "ALS models compared by their neighbour lists, by latentlab.",
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
        "latentlab.version": _version(),
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
        params={**settings.model_dump(), "seed": run.seed, "model": run.model, "replicate": run.replicate},
        description=f"ALS, k={settings.factors}, {settings.iterations} iterations, seed {run.seed}.",
    )


def open_parent(
    client: "MlflowClient",
    experiment_id: str,
    name: str,
    *,
    description: str,
    config_sha256: str,
    data_sha256: str,
    fresh: bool,
    tags: Mapping[str, str],
) -> tuple[str, bool]:
    """The parent run of a config on its data: the existing one reopened, or a new one.

    Returns
    -------
    The run's id, and whether it was complete before.
    """
    condition = f"tags.`latentlab.config_sha256` = '{config_sha256}' and tags.`latentlab.role` = '{PARENT}'"
    for run in () if fresh else _search(client, [experiment_id], condition):
        if run.data.tags.get("latentlab.data_sha256") == data_sha256 and "latentlab.superseded" not in run.data.tags:
            client.update_run(run.info.run_id, status="RUNNING")
            set_tags(client, run.info.run_id, tags)
            return str(run.info.run_id), run.info.status == "FINISHED"
    identity = {"latentlab.config_sha256": config_sha256, "latentlab.data_sha256": data_sha256}
    run_tags = {"latentlab.role": PARENT, "latentlab.description": description, **identity, **tags}
    return start_run(client, experiment_id, name, tags=run_tags, description=description), False


def complete_runs(client: "MlflowClient", experiment_ids: Sequence[str]) -> dict[str, RunRef]:
    """The complete fits of experiments, by identity; of several with one identity, the one that ended first."""
    found: dict[str, RunRef] = {}
    runs = [run for run in _search(client, experiment_ids, "attributes.status = 'FINISHED'") if is_complete(run)]
    for run in sorted(runs, key=lambda run: (run.info.end_time, run.info.run_id)):
        ref = run_ref(run)
        if ref.role != PARENT:
            found.setdefault(ref.identity, ref)
    return found


def is_complete(run: "Run") -> bool:
    """Whether readers may take the run."""
    tags = run.data.tags
    return run.info.status == "FINISHED" and "latentlab.complete" in tags and "latentlab.superseded" not in tags


def run_ref(run: "Run") -> RunRef:
    """What the tags of a run of ours say."""
    tags = run.data.tags
    return RunRef(
        str(run.info.run_id),
        tags.get("latentlab.model", ""),
        int(tags.get("latentlab.replicate", 0)),
        tags.get("latentlab.role", ""),
        tags.get("latentlab.identity", ""),
    )


def our_runs(client: "MlflowClient", experiment_ids: Sequence[str] | None = None) -> "list[Run]":
    """Every run that latentlab made, latest first."""
    if experiment_ids is None:
        experiment_ids = [str(experiment.experiment_id) for experiment in client.search_experiments()]
    return [run for run in _search(client, experiment_ids, "") if "latentlab.role" in run.data.tags]


class StepMetrics:
    """Metrics along the iterations, buffered and sent in batches."""

    def __init__(self, client: "MlflowClient", run_id: str, every_seconds: float = 5.0) -> None:
        self.client, self.run_id, self.every = client, run_id, every_seconds
        self.buffer: list[Any] = []
        self.sent = time.monotonic()

    def add(self, step: int, **values: float | None) -> None:
        """Note values at an iteration; those that are None or not a number are left out."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        self.buffer += [Metric(k, v, now, step) for k, v in values.items() if v is not None and v == v]
        if len(self.buffer) >= _BATCH or time.monotonic() - self.sent > self.every:
            self.flush()

    def flush(self) -> None:
        """Send what is buffered."""
        log_metrics(self.client, self.run_id, self.buffer)
        self.buffer = []
        self.sent = time.monotonic()


def log_metrics(client: "MlflowClient", run_id: str, metrics: "Sequence[Any] | Mapping[str, float]") -> None:
    """Log metrics in batches; a mapping's values that the run already has are left as they are."""
    from mlflow.entities import Metric

    if isinstance(metrics, Mapping):
        known = client.get_run(run_id).data.metrics
        now = time.time_ns() // 1_000_000
        metrics = [Metric(key, value, now, 0) for key, value in metrics.items() if known.get(key) != value]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def metric_history(client: "MlflowClient", run_id: str, key: str) -> dict[int, float]:
    """A metric along the iterations: step -> value, by step."""
    return dict(sorted((metric.step, metric.value) for metric in client.get_metric_history(run_id, key)))


def log_dataset(
    client: "MlflowClient", run_id: str, *, name: str, digest: str, source: str, profile: dict[str, Any]
) -> None:
    """Note the data as an input of the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=name,
        digest=digest[:12],
        source_type="local",
        source=json.dumps({"uri": source}),
        profile=json.dumps(profile),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set several tags in one call."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def write_table(folder: Path, path: str, frame: "pd.DataFrame") -> None:
    """Stage a table that the MLflow UI shows beside those of other runs, as `log_table` writes it.

    `log_table` itself appends, so that a second try would double the rows.
    """
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    frame.to_json(target, orient="split", index=False)


def staging(run_id: str) -> Path:
    """Where a run's files are kept until they are uploaded."""
    return home() / "staging" / run_id


def upload(client: "MlflowClient", run_id: str, folder: Path, *, tables: Sequence[str] = ()) -> None:
    """Upload a folder with its manifest, check what arrived, and mark the run complete.

    Raises
    ------
    TrackingError
        The artifacts cannot be written, or what the store lists afterwards is not what was sent.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    entries = [
        {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": file_sha256(path)}
        for path in files
    ]
    manifest = folder / MANIFEST
    write_text(manifest, json.dumps({"files": entries}, indent=1))
    try:
        for path in [*files, manifest]:
            parent = path.relative_to(folder).parent.as_posix()
            client.log_artifact(run_id, str(path), None if parent == "." else parent)
    except OSError as error:
        raise TrackingError(
            f"run {run_id}: its artifacts cannot be written: {error}; free or repair the place, and run again"
        ) from None
    listed = _listed(client, run_id)
    expected = {str(entry["path"]): entry["size"] for entry in entries} | {MANIFEST: manifest.stat().st_size}
    wrong = [path for path, size in expected.items() if listed.get(path) != size]
    if wrong:
        raise TrackingError(f"run {run_id}: {', '.join(wrong)} did not arrive whole; run the same command again")
    logged = json.dumps([{"path": path, "type": "table"} for path in tables])
    set_tags(client, run_id, {"mlflow.loggedArtifacts": logged, "latentlab.complete": file_sha256(manifest)})


def end_run(client: "MlflowClient", run_id: str, status: str, reason: str = "") -> None:
    """Close a run as FINISHED, FAILED or KILLED, with the reason as a tag."""
    if reason:
        client.set_tag(run_id, "latentlab.reason", reason[:500])
    client.set_terminated(run_id, status)


def close_open_runs(client: "MlflowClient", experiment_id: str, flow_run_id: str, status: str, reason: str) -> int:
    """End every run that this flow run opened and did not end; how many."""
    condition = f"tags.`prefect.flow_run_id` = '{flow_run_id}'"
    left = [run for run in _search(client, [experiment_id], condition) if run.info.status not in _TERMINAL]
    for run in left:
        end_run(client, run.info.run_id, status, reason)
    return len(left)


def supersede(client: "MlflowClient", run_ids: Sequence[str], by: str) -> None:
    """Tag runs as replaced: readers pass them over."""
    for run_id in run_ids:
        client.set_tag(run_id, "latentlab.superseded", by)


def read_artifact(client: "MlflowClient", run_id: str, path: str) -> Path:
    """A local copy of a complete run's file, checked against the manifest and that against the run's tag.

    Raises
    ------
    TrackingError
        The run is not complete, has no such file, or the file is not the one that was written.
    """
    run = client.get_run(run_id)
    complete = run.data.tags.get("latentlab.complete")
    if complete is None:
        raise TrackingError(f"run {run_id} is not complete; run its config again")
    manifest = _local(client, run, MANIFEST)
    if _sha256(run, manifest) != complete:
        raise TrackingError(f"run {run_id}: {MANIFEST} differs from the run's tag; train it anew with --fresh")
    entries = {entry["path"]: entry for entry in json.loads(manifest.read_text(encoding="utf-8"))["files"]}
    if path not in entries:
        raise TrackingError(f"run {run_id} has no {path}; it has {', '.join(entries)}")
    file = _local(client, run, path)
    found = _sha256(run, file)
    if found != entries[path]["sha256"]:
        raise TrackingError(
            f"run {run_id}: {path} has sha256 {found[:12]}… but {entries[path]['sha256'][:12]}… expected: "
            "it was damaged or changed; train it anew with --fresh"
        )
    return file


def stage(path: Path) -> StoredFile:
    """A staged file as it stands now."""
    return StoredFile(str(path), file_sha256(path))


def find_run(client: "MlflowClient", text: str) -> "Run":
    """The run that RUN on the command line means: a run id, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT, `latest`.

    Raises
    ------
    TrackingError
        There is none; the message says which there are.
    """
    from mlflow.exceptions import MlflowException

    if text == "latest":
        parents = [run for run in our_runs(client) if _role(run) == PARENT and run.info.status == "FINISHED"]
        if not parents:
            raise TrackingError("there is no finished experiment yet; start one with `latentlab run`")
        return max(parents, key=lambda run: run.info.end_time)
    if len(text) == 32 and all(letter in "0123456789abcdef" for letter in text):
        try:
            return client.get_run(text)
        except MlflowException:
            raise TrackingError(f"there is no run {text}; `latentlab runs` lists them") from None
    name, _, rest = text.partition("/")
    experiment_id = find_experiment(client, name)
    if experiment_id is None:
        known = ", ".join(sorted({e.name for e in client.search_experiments()} - {"Default"})) or "none yet"
        raise TrackingError(f"there is no experiment {name!r}; experiments here: {known}")
    runs = [run for run in our_runs(client, [experiment_id]) if run.info.status == "FINISHED"]
    if rest:
        model, _, replicate = rest.partition("/")
        wanted = (model, int(replicate or 0) if (replicate or "0").isdecimal() else -1)
        matching = [r for r in runs if is_complete(r) and _role(r) == MODEL and _place(r) == wanted]
        if not matching:
            have = sorted({"/".join(map(str, _place(r))) for r in runs if _role(r) == MODEL})
            raise TrackingError(f"{name} has no complete run {rest!r}; it has {', '.join(have) or 'none'}")
        return max(matching, key=lambda run: run.info.end_time)
    parents = [run for run in runs if _role(run) == PARENT]
    if not parents:
        raise TrackingError(f"{name} has no finished comparison; run its config")
    return max(parents, key=lambda run: run.info.end_time)


def finished_parents(client: "MlflowClient", experiment_id: str) -> "list[Run]":
    """The finished comparisons of an experiment, the latest first."""
    parents = [run for run in our_runs(client, [experiment_id]) if _role(run) == PARENT and is_complete(run)]
    return sorted(parents, key=lambda run: run.info.end_time, reverse=True)


def _role(run: "Run") -> str:
    return str(run.data.tags.get("latentlab.role", ""))


def _place(run: "Run") -> tuple[str, int]:
    ref = run_ref(run)
    return ref.model, ref.replicate


def _search(client: "MlflowClient", experiment_ids: Sequence[str], condition: str) -> "Iterator[Run]":
    token = None
    while experiment_ids:
        page = client.search_runs(list(experiment_ids), condition, max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _listed(client: "MlflowClient", run_id: str, path: str | None = None) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for file in client.list_artifacts(run_id, path):
        sizes |= _listed(client, run_id, file.path) if file.is_dir else {file.path: int(file.file_size or 0)}
    return sizes


def _local(client: "MlflowClient", run: "Run", path: str) -> Path:
    """A run's file on this machine: where the store keeps it, or else a copy under our home."""
    from mlflow.exceptions import MlflowException

    kept = urlsplit(run.info.artifact_uri)
    if kept.scheme in {"", "file"}:
        return Path(unquote(kept.path)) / path
    folder = home() / "downloads" / run.info.run_id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Path(client.download_artifacts(run.info.run_id, path, str(folder)))
    except (MlflowException, OSError) as error:
        raise TrackingError(f"run {run.info.run_id}: {path} cannot be read: {error}") from None


def _sha256(run: "Run", path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise TrackingError(
            f"run {run.info.run_id}: {path} cannot be read: {error.strerror}; train it anew with --fresh"
        ) from None


@contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Failures to reach or open the store, as one clear error without the URI's secrets."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        reason = first_line(error)
        raise TrackingError(
            f"the MLflow store {without_secrets(uri)} cannot be used: {reason}; "
            "check MLFLOW_TRACKING_URI and tracking.uri"
        ) from None


def first_line(error: Exception) -> str:
    """What a library says, without the user name and password of an address within it."""
    return re.sub(r"(?<=://)[^/\s@]*@", "", str(error).partition("\n")[0])[:300]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _version() -> str:
    from importlib.metadata import version

    return version("latentlab")
