"""The step of a search: one model -> the trials of its settings, in its study and as MLflow runs."""

import logging

from prefect import task

from tasks.core.data.prepared import PreparedData
from tasks.core.formatting import decimals
from tasks.core.search.plan import ModelSearch
from tasks.core.search.result import Tuning, best_after, tuning
from tasks.core.search.study import Trial, finished_trials, open_study, run_trial
from tasks.recovery.lock import lock
from tasks.reporting import progress
from tasks.tracking.runs import ParentRun
from tasks.tracking.searches.trials import log_trial, logged_trials
from tasks.tracking.store import open_store

log = logging.getLogger(__name__)


@task(name="search", task_run_name="{search.label}")
def search_model(data: PreparedData, search: ModelSearch, parent: ParentRun) -> tuple[Tuning, int]:
    """Run the trials that the study of a model lacks, and log those that the MLflow run lacks.

    Parameters
    ----------
    data : PreparedData
        Interactions, and the split of their validation part.
    search : ModelSearch
        The search.
    parent : ParentRun
        The run of the search.

    Returns
    -------
    Tuning
        What all trials found.
    trained : int
        Number of trials that were run now.

    Raises
    ------
    TrainingError
        If no trial was complete.
    DataError
        If the study cannot be read or written.
    Stopped
        If the work is to stop.
    """
    client = open_store(parent.uri)
    split = data.splits[0].load()
    with lock(f"study-{search.identity}", search.label), open_study(search) as study:
        trials = finished_trials(study)
        trained = 0
        logged = logged_trials(client, parent)
        while True:
            for trial in trials:
                if (search.model, trial.number) not in logged:
                    log_trial(client, parent, search, trial)
                    logged.add((search.model, trial.number))
            _report(search, trials)
            if len(trials) >= search.trials:
                return tuning(search, trials[: search.trials]), trained
            run_trial(study, search, split, lambda: progress.check_stop(f"{search.label} was stopped"))
            trained += 1
            trials = finished_trials(study)
            if (last := trials[-1]).state == "failed":
                log.warning("%s: trial %d, %s: %s", search.label, last.number, _values(last), last.reason)


def _values(trial: Trial) -> str:
    return ", ".join(f"{name} {value}" for name, value in trial.settings.items())


def _report(search: ModelSearch, trials: list[Trial]) -> None:
    best = best_after(trials)[-1] if trials else None
    found = f", best {search.metric} {decimals(best)}" if best is not None else ""
    progress.step(search.label, min(len(trials), search.trials), search.trials, f"trials{found}")
