"""Step 5: the files of a fit -> MLflow, where its run becomes complete."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prefect import task

from tasks.core.errors import TrackingError
from tasks.core.files import writing
from tasks.core.models.factors import Factors
from tasks.core.planning.runs import PlannedRun, RunRef
from tasks.recovery.working_directory import TrainedFit
from tasks.tracking import artifacts
from tasks.tracking.lists import ITEM_FACTORS, MEDIAN_CONFIDENCE, SERVED
from tasks.tracking.logged_models.fit_model import log_model, write_item_factors
from tasks.tracking.metrics import log_metrics
from tasks.tracking.runs import ParentRun
from tasks.tracking.search import finish_run
from tasks.tracking.store import is_store_error, open_store
from tasks.train import OpenFit

if TYPE_CHECKING:
    from mlflow import MlflowClient

_RETRY_SECONDS = (2, 10)
"""Pauses before a store that does not answer is tried again."""


def _may_succeed_on_retry(task: Any, task_run: Any, state: Any) -> bool:
    """Return whether an upload failed because of the store, not because of its files."""
    return is_store_error(state.result(raise_on_failure=False))


@task(
    name="upload",
    task_run_name="upload {run.label}",
    retries=len(_RETRY_SECONDS),
    retry_delay_seconds=list(_RETRY_SECONDS),
    retry_condition_fn=_may_succeed_on_retry,
)
def upload(run: PlannedRun, open_fit: OpenFit, parent: ParentRun, replaces: str | None = None) -> RunRef:
    """Upload the files of a fit, tag its run as complete, and end it as FINISHED.

    Parameters
    ----------
    run : PlannedRun
        The fit.
    open_fit : OpenFit
        The trained fit, and its open run.
    parent : ParentRun
        Parent of the run.
    replaces : str, optional
        The id of a complete run of the same identity, which the new one supersedes.

    Returns
    -------
    RunRef
        The run, or the one of the same identity that another process completed before.

    Raises
    ------
    TrackingError
        If the store does not answer, or the files did not arrive.
    DataError
        If a file is damaged.
    """
    try:
        client = open_store(parent.uri)
    except TrackingError as error:
        advice = "once it answers, run the same command again: what is trained is kept"
        raise TrackingError(f"{error}; {advice}") from error
    fit, run_id = open_fit.fit, open_fit.run_id
    fit.check()
    files = fit.files or []
    log_metrics(client, run_id, fit.results or {})
    model_files = [] if run.is_evaluation else _log_model(client, run, run_id, fit)
    artifacts.upload(
        client,
        run_id,
        fit.directory.artifacts,
        files=files,
        tables=[entry["path"] for entry in files if entry["path"].startswith("queries/")],
        model_files=model_files,
    )
    return finish_run(client, run_id, [replaces] if replaces is not None else [])


def _log_model(client: "MlflowClient", run: PlannedRun, run_id: str, fit: TrainedFit) -> list[dict[str, object]]:
    """Log the lists, by factors, and the item factors as a model that MLflow loads; return entries of its files."""
    written = {entry["path"] for entry in fit.files or []}
    files = {name: fit.directory.artifacts / path for name, path in SERVED.items() if path in written}
    with TemporaryDirectory(prefix="latentlab-") as folder:
        # a fit that an earlier version evaluated lacks the confidence
        if MEDIAN_CONFIDENCE in (fit.results or {}):
            files[ITEM_FACTORS] = Path(folder) / f"{ITEM_FACTORS}.npz"
            items = Factors.load(Path(fit.stored_files()[0].path)).items
            with writing(Path(folder)):
                write_item_factors(files[ITEM_FACTORS], items, run.settings, (fit.results or {})[MEDIAN_CONFIDENCE])
        return log_model(client, run_id, fit.directory.model, files)
