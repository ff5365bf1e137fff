"""The lists of each model's replicates -> their consensus, a logged model of the comparison."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from prefect import task

from tasks.core.comparison.agreement import SIDES
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.prepared import PreparedData
from tasks.core.files import combined_sha256, writing
from tasks.core.planning.runs import MODEL, RunRef, listed_entities
from tasks.core.ranking.consensus import ALGORITHM, consensus
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.similarity import FACTORS
from tasks.reporting import progress
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import SERVED, ListReader, artifact, served_name, write_sample
from tasks.tracking.logged_models.consensus_model import log_consensus
from tasks.tracking.noise_of_data import lost_in_runs
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient


@task(name="consensus", task_run_name="consensus of {config.name}")
def make_consensus(
    config: ExperimentConfig, data: PreparedData, runs: Sequence[RunRef], parent_id: str, uri: str
) -> dict[str, str]:
    """Merge the lists of each model's runs, and log them as a model, unless that was done before.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Its interactions.
    runs : sequence of RunRef
        The runs that were compared. Those of the evaluation have no lists, and are left out.
    parent_id : str
        Parent run of the comparison, which is complete.
    uri : str
        Of the store.

    Returns
    -------
    dict of str to str
        Model -> id of the logged model.

    Raises
    ------
    TrackingError
        If a run's file is missing or damaged, or a model cannot be written to the store.
    DataError
        If the files cannot be written on this machine.
    """
    client = open_store(uri)
    interactions = data.load()
    lost = lost_in_runs(client, config, runs, interactions.matrix)
    entities = listed_entities(config, *interactions.matrix.shape, lost, data.listed_rows())
    reader = ListReader(interactions, entities, lost=lost)
    # the lists of a sample are other lists
    sampled = [None if of_side.are_all else of_side.rows.tolist() for of_side in entities.values()]
    # so are those without what one of the runs, of any model, has lost
    without = [] if lost is None else [[np.flatnonzero(lost.of(side)).tolist() for side in ("users", "items")]]
    models = {}
    for number, model in enumerate(config.models, start=1):
        replicates = [run for run in runs if (run.model, run.role) == (model, MODEL)]
        identity = combined_sha256("consensus", ALGORITHM, sorted(run.run_id for run in replicates), sampled, *without)
        write = partial(_write_lists, client, replicates, interactions, entities, reader)
        models[model] = log_consensus(client, parent_id, identity, replicates, write)
        progress.step("consensus", number, len(config.models), "models")
    return models


def _write_lists(
    client: "MlflowClient",
    runs: Sequence[RunRef],
    interactions: Interactions,
    entities: Mapping[str, Entities],
    reader: ListReader,
    folder: Path,
) -> dict[str, Path]:
    """Write the names of users and items and all lists, one target at a time: every run's lists are in memory."""
    files = {run: RunFiles(client, run.run_id) for run in runs}
    paths = {name: folder / f"{name}.parquet" for name in SERVED}
    with writing(folder):
        interactions.users_frame().to_parquet(paths["users"], index=False)
        interactions.items_frame().to_parquet(paths["items"], index=False)
        if not write_sample(folder, entities):
            del paths["sample"]
        for target, side in SIDES.items():
            path, column = artifact(target)
            merged = consensus([reader.lists(run, of_run, target, FACTORS) for run, of_run in files.items()])
            merged.frame(column, entities[side].rows).to_parquet(paths[served_name(path)], index=False)
    return paths
