"""MLflow runs: how they are started, tagged and ended."""

import getpass
import json
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

from tasks.core.errors import without_logins
from tasks.core.formatting import setting_text
from tasks.core.planning.runs import PlannedRun, RunRef
from tasks.recovery.process_identity import this_process
from tasks.tracking.search import search

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TERMINAL = {"FINISHED", "FAILED", "KILLED"}
HEARTBEAT, PROCESS = "latentlab.heartbeat", "latentlab.process"
"""Tags: when the process that holds an open run was last heard of, and which it is; see `tasks.recovery.heartbeat`."""


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
            "stop": setting_text(settings.stop and settings.stop.model_dump()),
            "seed": run.seed,
            "model": run.model,
            "replicate": run.replicate,
        },
        description=f"ALS, k={settings.factors}, {settings.iterations} iterations, seed {run.seed}.",
    )


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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


_USED = "latentlab.used"


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


def note_use(client: "MlflowClient", run_id: str) -> None:
    """Note that a comparison was asked for again: `latest` is the one that was last asked for."""
    client.set_tag(run_id, _USED, str(time.time_ns() // 1_000_000))


def supersede(client: "MlflowClient", run_ids: Sequence[str], by: str) -> None:
    """Tag runs as replaced: readers pass them over."""
    for run_id in run_ids:
        client.set_tag(run_id, "latentlab.superseded", by)
