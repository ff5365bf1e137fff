"""Step 5: what is staged of a run -> MLflow, where the run becomes complete."""

from typing import TYPE_CHECKING, Any

from prefect import task

from tasks.core.errors import TrackingError
from tasks.core.files import writing
from tasks.core.planning.runs import MODEL, PlannedRun, RunRef
from tasks.recovery.heartbeat import alive
from tasks.recovery.reconcile import discard
from tasks.recovery.working_directory import Staged
from tasks.tracking import artifacts, metrics, registry, runs, search, store
from tasks.train import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient

RETRIES = (2, 10)
"""Seconds before a store that does not answer is asked again."""


def _may_pass(task: Any, task_run: Any, state: Any) -> bool:
    """Whether an upload failed for a reason that may be over the next time: the store, not what is staged."""
    from mlflow.exceptions import MlflowException

    error = state.result(raise_on_failure=False)
    return isinstance(error, TrackingError | MlflowException)


@task(
    name="upload",
    task_run_name="upload {run.label}",
    retries=len(RETRIES),
    retry_delay_seconds=list(RETRIES),
    retry_condition_fn=_may_pass,
)
def upload(run: PlannedRun, staged: Staged, where: Home, replaces: str | None = None) -> RunRef:
    """Upload a run's files, mark it complete, and end it as FINISHED.

    Parameters
    ----------
    replaces : a complete run of the same identity that readers take no more once this one is there

    Returns
    -------
    The run, or the one of its identity that another process completed before
    """
    try:
        client = store.open_store(where.uri)
    except TrackingError as error:
        advice = "once it answers, run the same command again: what is trained is kept"
        raise TrackingError(f"{error}; {advice}") from None
    staged.check()
    files = staged.files or []
    with alive(client, staged.run_id):
        metrics.log_metrics(client, staged.run_id, staged.results or {})
        with writing(staged.model_folder):
            model = _log_model(client, staged) if run.role == MODEL else []
        tables = [entry["path"] for entry in files if entry["path"].startswith("queries/")]
        artifacts.upload(client, staged.run_id, staged.folder, files=files, tables=tables, more=model)
        runs.end_run(client, staged.run_id, "FINISHED")
        if replaces is not None:
            runs.supersede(client, [replaces], staged.run_id)
    discard(run.identity)
    return search.resolve_duplicates(client, where.experiment_id, run.identity)[run.identity]


def _log_model(client: "MlflowClient", staged: Staged) -> list[dict[str, object]]:
    """Log the lists as a model that others can load; its files as manifest entries."""
    import pandas as pd

    lists = {
        entry["path"].removesuffix(".parquet").replace("/", "_"): staged.folder / entry["path"]
        for entry in staged.files or []
        if entry["path"].endswith(".parquet")
    }
    user, item = (str(pd.read_parquet(lists[side])["raw_id"].iloc[0]) for side in ("users", "items"))
    return registry.log_model(client, staged.run_id, staged.model_folder, lists, (user, item))
