"""MLflow runs: how they are started, tagged and ended, and what their tags say."""

import getpass
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

from tasks.core.config.dataset import NO_DATA_SET, DatasetConfig, scheme_of
from tasks.core.data.catalogue import catalogue_entry
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import without_logins
from tasks.core.formatting import percent, setting_text
from tasks.core.planning.runs import EVALUATION, PlannedRun, RunRef
from tasks.core.process_identity import this_process
from tasks.tracking.store import without_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.core.external.runs import FileRun
    from tasks.tracking.local_reader.types import StoredRun

USED = "latentlab.used"
"""Tag of a comparison: when it was last asked for."""
ENDED = {"FINISHED", "FAILED", "KILLED"}
"""Statuses of runs that are not open."""
_PROCESS = "latentlab.process"
"""Tag of an open run: the process that holds it and, as `heartbeat`, when that last said so."""
_EARLIER_HEARTBEAT = "latentlab.heartbeat"
"""Tag in which earlier versions kept the time of the heartbeat."""
_GENERATION = "latentlab.generation"
_REASON = "latentlab.reason"


@dataclass(frozen=True)
class ParentRun:
    """The parent of the runs of a flow run, and where in MLflow they are.

    Attributes
    ----------
    uri : str
        Of the store.
    experiment_id, run_id : str
    tags : dict of str to str
        Tags of all runs of the flow run: the flow run's id, and its address on a real server.
    """

    uri: str
    experiment_id: str
    run_id: str
    tags: dict[str, str]


def start_run(
    client: "MlflowClient",
    experiment_id: str,
    name: str,
    *,
    tags: Mapping[str, str],
    params: Mapping[str, Any] | None = None,
    description: str = "",
) -> str:
    """Create a run that is RUNNING.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    name : str
        Its name.
    tags : mapping of str to str
        Name -> value.
    params : mapping of str, optional
        Name -> value.
    description : str
        In Markdown.

    Returns
    -------
    str
        Its id.
    """
    from mlflow.entities import Param

    common = {
        "mlflow.user": _user(),
        "mlflow.source.name": "latentlab",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": description,
        "latentlab.version": package_version("latentlab"),
        **_owner(),
    }
    run = client.create_run(experiment_id, run_name=name, tags={**common, **tags})
    run_id = str(run.info.run_id)
    if params:
        parameters = [Param(key, str(value)) for key, value in params.items()]
        client.log_batch(run_id, params=parameters, synchronous=True)
    return run_id


def reopen_run(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Make an ended run RUNNING again, as a run of this process.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    tags : mapping of str to str
        Name -> new value.
    """
    set_tags(client, run_id, {**tags, **_owner()})
    if _REASON in client.get_run(run_id).data.tags:
        client.delete_tag(run_id, _REASON)
    client.update_run(run_id, status="RUNNING")


def nested_tags(parent: ParentRun, run: "PlannedRun | FileRun", data: PreparedData) -> dict[str, str]:
    """Return the tags of a run below a parent.

    Parameters
    ----------
    parent : ParentRun
        Parent of the run.
    run : PlannedRun or FileRun
        A fit, or what is read from files.
    data : PreparedData
        Interactions, and their split.

    Returns
    -------
    dict of str to str
    """
    tags = {
        "latentlab.identity": run.identity,
        "latentlab.role": run.role,
        "latentlab.model": run.model,
        "latentlab.replicate": str(run.replicate),
        "latentlab.data_sha256": data.sha256,
        "mlflow.parentRunId": parent.run_id,
        **parent.tags,
    }
    if data.splits and run.role == EVALUATION:
        tags["latentlab.split_sha256"] = data.splits[run.repeat].sha256
        tags["latentlab.repeat"] = str(run.repeat)
    return tags


def start_fit(client: "MlflowClient", parent: ParentRun, run: PlannedRun, data: PreparedData) -> str:
    """Create the run of one fit, with all its hyperparameters.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent : ParentRun
        Parent of the run.
    run : PlannedRun
        The fit.
    data : PreparedData
        Interactions, and their split.

    Returns
    -------
    str
        Its id.
    """
    settings = run.settings
    kind = "ALS of Spark MLlib" if settings.is_of_spark else "ALS"
    left_out = f", without a random {percent(run.resample.fraction)} of the interactions" if run.resample else ""
    return start_run(
        client,
        parent.experiment_id,
        run.label,
        tags=nested_tags(parent, run, data),
        params={
            **settings.model_dump(),
            **({} if settings.is_of_spark else {"stop": setting_text(settings.stop and settings.stop.model_dump())}),
            "resample": setting_text(run.resample and run.resample.model_dump()),
            "seed": run.seed,
            "model": run.model,
            "replicate": run.replicate,
            "repeat": run.repeat,
        },
        description=f"{kind}, k={settings.factors}, {settings.iterations} iterations, seed {run.seed}{left_out}.",
    )


def log_dataset(client: "MlflowClient", run_id: str, dataset: DatasetConfig, data: PreparedData) -> None:
    """Log the interactions as the data set of a run.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    dataset : DatasetConfig
        The data set.
    data : PreparedData
        Interactions, and their split.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = dataset.path or dataset.url or dataset.name
    is_catalogued = source == dataset.name != NO_DATA_SET
    if is_catalogued and (archive := catalogue_entry(dataset.name).archive):
        source = without_secrets(archive.urls[0])
    size = data.summary
    scheme = scheme_of(source)
    remote = scheme in ("http", "https")
    logged = Dataset(
        name=dataset.name,
        digest=data.sha256[:12],
        source_type="http" if remote else scheme or "local",
        source=json.dumps({"url" if remote else "uri": source}),
        profile=json.dumps({"users": size.users, "items": size.items, "interactions": size.interactions}),
    )
    client.log_inputs(run_id, [DatasetInput(logged, [InputTag("mlflow.data.context", "training")])])


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set several tags in one call, which returns once they are stored, whatever MLFLOW_ENABLE_ASYNC_LOGGING says.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    tags : mapping of str to str
        Name -> value.
    """
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()], synchronous=True)


def end_run(client: "MlflowClient", run_id: str, status: str, reason: str = "") -> None:
    """Close a run, with the reason as a tag.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    status : str
        FINISHED, FAILED or KILLED.
    reason : str
        Why, for people.
    """
    if reason:
        set_tags(client, run_id, {_REASON: without_logins(reason)[:500]})
    client.set_terminated(run_id, status)


def supersede(client: "MlflowClient", run_ids: Sequence[str], by: str) -> None:
    """Tag runs as superseded: readers pass them over.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_ids : sequence of str
        Ids of the runs.
    by : str
        The id of the run that takes their place.
    """
    for run_id in run_ids:
        set_tags(client, run_id, {"latentlab.superseded": by})


def log_generation(client: "MlflowClient", run_id: str, replaces: Sequence[str]) -> None:
    """Tag an open run as one generation later than the complete runs of its identity that it replaces.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    replaces : sequence of str
        Ids of the complete runs.
    """
    if replaces:
        latest = max(_generation(client.get_run(replaced)) for replaced in replaces)
        set_tags(client, run_id, {_GENERATION: str(latest + 1)})


def precedence(run: "StoredRun") -> tuple[int, int, str]:
    """Return a sort key of complete runs of one identity: of several, readers take the first.

    The latest generation precedes, and in it the run that ended first. What decides is stored before a run is FINISHED
    and never changes. Hence processes that see different runs still agree on which of two precedes, and the first of
    all is superseded by none of them.
    """
    return -_generation(run), run.info.end_time, str(run.info.run_id)


def _generation(run: "StoredRun") -> int:
    return int(run.data.tags.get(_GENERATION, 0))


def log_use(client: "MlflowClient", run_id: str) -> None:
    """Tag a comparison with the present time: `latest` is the one that was last asked for.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    """
    set_tags(client, run_id, {USED: str(time.time_ns() // 1_000_000)})


def last_use(run: "StoredRun") -> int:
    """Return when a comparison was completed or last asked for, in milliseconds since 1970."""
    return max(int(run.info.end_time), int(run.data.tags.get(USED, 0)))


def send_heartbeat(client: "MlflowClient", run_id: str) -> None:
    """Tag an open run as held by this process, with the present time.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    """
    set_tags(client, run_id, _owner())


def last_heartbeat(run: "StoredRun") -> float:
    """Return the time of an open run's last heartbeat, in seconds since 1970.

    An earlier version that holds the run does not write the time into the tag of its process.
    """
    tags = run.data.tags
    return float(process_of(run).get("heartbeat", tags.get(_EARLIER_HEARTBEAT, run.info.start_time / 1000)))


def process_of(run: "StoredRun") -> dict[str, Any]:
    """Return the process that holds a run (`tasks.core.process_identity.this_process`); empty if unknown."""
    try:
        return dict(json.loads(run.data.tags[_PROCESS]))
    except (KeyError, ValueError, TypeError):
        return {}


def is_complete(run: "StoredRun") -> bool:
    """Return whether readers may take a run: it is FINISHED, its files are complete, and it is not superseded."""
    return was_completed(run) and "latentlab.superseded" not in run.data.tags


def was_completed(run: "StoredRun") -> bool:
    """Return whether a run is FINISHED and its files are complete, even if another one superseded it since."""
    return run.info.status == "FINISHED" and "latentlab.complete" in run.data.tags


def run_ref(run: "StoredRun") -> RunRef:
    """Return what the tags of a run say."""
    tags = run.data.tags
    return RunRef(
        str(run.info.run_id),
        tags.get("latentlab.model", ""),
        int(tags.get("latentlab.replicate", 0)),
        tags.get("latentlab.role", ""),
        tags.get("latentlab.identity", ""),
        int(tags.get("latentlab.repeat", 0)),
    )


def _owner() -> dict[str, str]:
    """Return the tag that says that this process holds a run, and that it was alive just now."""
    return {_PROCESS: json.dumps({**this_process(), "heartbeat": round(time.time())})}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
