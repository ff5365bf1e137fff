"""The comparison of an experiment with one that was run in another way."""

from typing import Any

import pandas as pd
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.planning.runs import MODEL, PARENT
from tasks.reporting.result import Result
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.runs import is_complete, run_ref
from tasks.tracking.search import our_runs
from tests.flows.finished_experiment import FinishedExperiment


def with_execution(config: ExperimentConfig, **execution: Any) -> ExperimentConfig:
    """Return a config with other settings of `execution`."""
    return ExperimentConfig.model_validate({**config.model_dump(), "execution": execution})


def check_same_lists(finished: FinishedExperiment, client: MlflowClient, **execution: Any) -> None:
    """Assert that other settings of `execution` give the same lists, and one complete run for each identity.

    Parameters
    ----------
    finished : FinishedExperiment
        The experiment, with its own settings.
    client : MlflowClient
        Of a copy of its store, in which every fit is trained again.
    **execution : Any
        The other settings.
    """
    outcome = experiment(with_execution(finished.config, **execution), fresh=True)
    assert outcome.trained == 6
    lists, expected = _neighbours(client, outcome.result), _neighbours(client, finished.outcome.result)
    assert len(lists) == 4
    assert lists.keys() == expected.keys()
    assert all(lists[key].equals(expected[key]) for key in expected)
    complete = [run for run in our_runs(client) if is_complete(run) and run_ref(run).role != PARENT]
    identities = [run.data.tags["latentlab.identity"] for run in complete]
    assert sorted(identities) == sorted(run.identity for run in outcome.result.runs)


def _neighbours(client: MlflowClient, result: Result) -> dict[tuple[str, int], pd.DataFrame]:
    """Return the neighbours of all users, by model and replicate."""
    return {
        (run.model, run.replicate): pd.read_parquet(RunFiles(client, run.run_id).read("neighbours/users.parquet"))
        for run in result.runs
        if run.role == MODEL
    }
