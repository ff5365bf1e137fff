"""The lists of each model's replicates -> their consensus, a logged model of the comparison."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task

from tasks.core.files import combined_sha256, writing
from tasks.core.planning.runs import MODEL, RunRef
from tasks.core.ranking.consensus import ALGORITHM, consensus
from tasks.reporting import progress
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import ARTIFACTS, read_target
from tasks.tracking.logged_models.consensus_model import log_consensus
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient


@task(name="consensus")
def make_consensus(runs: Sequence[RunRef], parent_id: str, uri: str) -> dict[str, str]:
    """Merge the lists of each model's runs, and log them as a model, unless that was done before.

    Parameters
    ----------
    runs : sequence of RunRef
        The runs of a comparison. Those of the evaluation have no lists, and are left out.
    parent_id : str
        Its parent run, which is complete.
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
    runs_by_model: dict[str, list[RunRef]] = {}
    for run in runs:
        if run.role == MODEL:
            runs_by_model.setdefault(run.model, []).append(run)
    models = {}
    for number, (model, replicates) in enumerate(runs_by_model.items(), start=1):
        identity = combined_sha256("consensus", ALGORITHM, sorted(run.run_id for run in replicates))
        write = partial(_write_lists, client, replicates)
        models[model] = log_consensus(client, parent_id, identity, replicates, write)
        progress.step("consensus", number, len(runs_by_model), "models")
    return models


def _write_lists(client: "MlflowClient", runs: Sequence[RunRef], folder: Path) -> dict[str, Path]:
    """Write the names of users and items and all lists, one target at a time: every run's lists are in memory."""
    import pandas as pd

    files = [RunFiles(client, run.run_id) for run in runs]
    paths, sizes = {}, {}
    with writing(folder):
        for side in ("users", "items"):
            paths[side] = folder / f"{side}.parquet"
            with files[0].reading(f"{side}.parquet") as names:
                shutil.copyfile(names, paths[side])
            sizes[side] = len(pd.read_parquet(paths[side], columns=["index"]))
        for target, (path, column) in ARTIFACTS.items():
            size = sizes["items" if target == "items" else "users"]
            merged = consensus([read_target(of_run, target, size) for of_run in files])
            artifact = path.removesuffix(".parquet").replace("/", "_")
            paths[artifact] = folder / f"{artifact}.parquet"
            merged.frame(column).to_parquet(paths[artifact], index=False)
    return paths
