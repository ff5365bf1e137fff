"""Searches and their trials as MLflow runs.

A trial is logged once it is finished: its run is opened, filled and ended at once, and tagged last with how it ended.
Without this tag a process died while it was logged, and the trial is logged again.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.search.plan import SEARCH, TRIAL, ModelSearch
from tasks.core.search.result import SearchResult
from tasks.core.search.study import Trial
from tasks.tracking.metrics import send_metrics, send_missing_metrics
from tasks.tracking.runs import ParentRun, end_run, log_dataset, reopen_run, set_tags, start_run
from tasks.tracking.search import runs_of_role, runs_within

if TYPE_CHECKING:
    from mlflow import MlflowClient

_STATE = "latentlab.trial_state"
_NUMBER = "latentlab.trial"
_STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}


def open_search(
    client: "MlflowClient",
    experiment_id: str,
    identity: str,
    config: ExperimentConfig,
    data: PreparedData,
    tags: Mapping[str, str],
) -> str:
    """Open the run of a search: the one that an earlier process opened, or a new one.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    identity : str
        Of the search.
    config : ExperimentConfig
        A config with `search`.
    data : PreparedData
        Interactions, and the split of their validation part.
    tags : mapping of str to str
        Of all runs of the flow run.

    Returns
    -------
    str
        Its id.
    """
    if earlier := next(runs_of_role(client, experiment_id, SEARCH, identity), None):
        reopen_run(client, earlier.info.run_id, tags)
        return str(earlier.info.run_id)
    search = config.search
    assert search is not None, "the config was checked"
    models = ", ".join(search.models)
    run_id = start_run(
        client,
        experiment_id,
        f"search {models}",
        tags={
            "latentlab.role": SEARCH,
            "latentlab.identity": identity,
            "latentlab.data_sha256": data.sha256,
            "latentlab.split_sha256": data.splits[0].sha256,
            **tags,
        },
        params={"metric": search.metric, "seeds": search.seeds, "pruner": search.pruner},
        description=f"Search of settings of {models} by {search.metric} on the validation part.",
    )
    log_dataset(client, run_id, config.dataset, data)
    return run_id


def logged_trials(client: "MlflowClient", parent: ParentRun) -> set[tuple[str, int]]:
    """Return model and number of the trials of a search that are logged completely.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent : ParentRun
        The search.

    Returns
    -------
    set of (model, number)
    """
    tags = (run.data.tags for run in runs_within(client, parent.experiment_id, parent.run_id))
    return {(each["latentlab.model"], int(each[_NUMBER])) for each in tags if _STATE in each}


def log_trial(client: "MlflowClient", parent: ParentRun, search: ModelSearch, trial: Trial) -> None:
    """Log a finished trial: its settings as params, and the metric along its iterations.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent : ParentRun
        The search.
    search : ModelSearch
        The search of the model.
    trial : Trial
        The trial.
    """
    settings = search.settings.model_copy(update=trial.settings)
    run_id = start_run(
        client,
        parent.experiment_id,
        f"{search.model} trial {trial.number}",
        tags={
            "latentlab.role": TRIAL,
            "latentlab.model": search.model,
            _NUMBER: str(trial.number),
            "mlflow.parentRunId": parent.run_id,
            **parent.tags,
        },
        params={
            **{name: value for name, value in settings.model_dump().items() if name != "stop"},
            "model": search.model,
            "seeds": len(search.seeds),
        },
    )
    now = time.time_ns() // 1_000_000
    metrics = [(search.metric, value, now, iteration) for iteration, value in trial.along.items()]
    metrics += [("seconds", trial.seconds, now, 0)]
    if trial.value is not None:
        metrics += [(f"final/{search.metric}", trial.value, now, 0)]
    send_metrics(client, run_id, metrics)
    set_tags(client, run_id, {_STATE: trial.state})
    end_run(client, run_id, _STATUS[trial.state], trial.reason)


def log_search(client: "MlflowClient", run_id: str, result: SearchResult) -> None:
    """Log what a search found: the best value of each model after each trial, and its settings in the description.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run of the search.
    result : SearchResult
        What it found.
    """
    now = time.time_ns() // 1_000_000
    rows = []
    for tuning in result.tunings:
        best = [
            (f"best/{tuning.model}", value, now, number)
            for number, value in enumerate(tuning.best_after, start=1)
            if value is not None
        ]
        send_missing_metrics(client, run_id, best)
        settings = ", ".join(f"{name} {value}" for name, value in tuning.settings.items())
        rows.append(f"| {tuning.model} | {tuning.value:.4f} | {settings} | {tuning.trials} |")
    table = ["| model | best | settings | trials |", "| --- | --- | --- | --- |", *rows]
    set_tags(
        client,
        run_id,
        {"mlflow.note.content": "\n".join([f"{result.metric} on the validation part.", "", *table])},
    )
