"""What fits that leave out interactions lose, and how much of their disagreement comes from that."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.columns import Columns, read_columns
from tasks.core.comparison.agreement import SIDES, RunLists
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.resample import Lost, lost
from tasks.core.formatting import run_label
from tasks.core.inference.data_noise import DataNoise, data_noise
from tasks.core.planning.runs import MODEL, RunRef, fit_identity
from tasks.core.ranking.entities import Entities
from tasks.reporting.result import Result
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import ListReader, lists_by_model
from tasks.tracking.search import complete_fits

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from scipy.sparse import csr_array

LOST = "lost.parquet"
"""Artifact of a comparison: the users and items without an interaction in one of its runs."""


def seeds_of(client: "MlflowClient", runs: Sequence[RunRef]) -> list[int]:
    """Return the seeds of runs, from their parameters.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    runs : sequence of RunRef
        The runs.

    Returns
    -------
    list of int
        In the same order.
    """
    return [int(client.get_run(run.run_id).data.params["seed"]) for run in runs]


def lost_in_runs(
    client: "MlflowClient", config: ExperimentConfig, runs: Sequence[RunRef], matrix: "csr_array"
) -> Lost | None:
    """Return the users and items that have no interaction in one of the runs that are compared.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    config : ExperimentConfig
        The experiment.
    runs : sequence of RunRef
        The runs. Those of the evaluation are fitted to all interactions of their part, and lose none.
    matrix : (U, I) CSR
        All interactions.

    Returns
    -------
    Lost or None
        None if the runs are fitted to all interactions.

    Raises
    ------
    DataError
        If a queried user or item is lost. See `Lost.check`.
    """
    if config.resample is None:
        return None
    fits = [run for run in runs if run.role == MODEL]
    found = lost(matrix, config.resample, seeds_of(client, fits))
    found.check(config.queries, config.resample, [run_label(run.model, run.replicate) for run in fits])
    return found


def seeds_only_fits(
    client: "MlflowClient", config: ExperimentConfig, runs: Sequence[RunRef], data_sha256: str
) -> dict[str, list[RunRef]]:
    """Return the complete fits of the same models and seeds to all interactions, wherever in the store they are.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    config : ExperimentConfig
        The experiment.
    runs : sequence of RunRef
        The runs that are compared.
    data_sha256 : str
        Digest of the interactions.

    Returns
    -------
    dict of str to list of RunRef
        By model, two or more of each. Empty if the compared runs are fitted to all interactions themselves.
    """
    if config.resample is None:
        return {}
    resampled = [run for run in runs if run.role == MODEL]
    models = {
        fit_identity(data_sha256, config.trained[run.model], seed): run.model
        for run, seed in zip(resampled, seeds_of(client, resampled), strict=True)
    }
    fits: dict[str, list[RunRef]] = {}
    for identity, fit in complete_fits(client, models, data_sha256).items():
        fits.setdefault(models[identity], []).append(replace(fit, model=models[identity]))
    return {model: fits[model] for model in config.models if len(fits.get(model, ())) > 1}


def noise_of_data(
    client: "MlflowClient",
    config: ExperimentConfig,
    runs: Sequence[RunRef],
    data_sha256: str,
    *,
    lists: Mapping[str, Sequence[RunLists]],
    entities: Mapping[str, Entities],
    reader: ListReader,
) -> list[DataNoise]:
    """Return how much of the disagreement within each model is the data's, from fits that the store has.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    config : ExperimentConfig
        The experiment.
    runs : sequence of RunRef
        The runs that are compared.
    data_sha256 : str
        Digest of the interactions.
    lists : mapping of str to sequence of RunLists
        Model -> the lists of its runs.
    entities : mapping of str to Entities
        The `users` and the `items` that have lists.
    reader : ListReader
        Reads the lists of other fits for the same users and items.

    Returns
    -------
    list of DataNoise
        Of each model and target, for the models with two or more `seeds_only_fits`.
    """
    noise = []
    lengths = {"users": config.queries.n, "items": config.queries.n, "recommendations": config.queries.recommend_n}
    for model, fits in seeds_only_fits(client, config, runs, data_sha256).items():
        files = {fit.run_id: RunFiles(client, fit.run_id) for fit in fits}
        of_fits = lists_by_model([model], fits, files, reader, config.neighbours.similarity)[model]
        for target, n in lengths.items():
            drawn = entities[SIDES[target]].of_sample
            seed_only, seed_and_data = (
                [drawn(getattr(run, target).ids) for run in of_runs] for of_runs in (of_fits, lists[model])
            )
            noise.append(data_noise(model, target, n=n, seed_only=seed_only, seed_and_data=seed_and_data))
    return noise


def has_all_seeds_only_fits(client: "MlflowClient", config: ExperimentConfig, result: Result) -> bool:
    """Return whether a stored result was made with all of the `seeds_only_fits` that there are now.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    config : ExperimentConfig
        The experiment.
    result : Result
        Its stored result.

    Returns
    -------
    bool
    """
    now = seeds_only_fits(client, config, result.runs, result.data_sha256)
    return {model: len(fits) for model, fits in now.items()} == {row.model: row.runs for row in result.data_noise}


def lost_frame(found: Lost, runs: Sequence[RunRef]) -> "pd.DataFrame":
    """Return the contents of `LOST`.

    Parameters
    ----------
    found : Lost
        What `lost_in_runs` has returned.
    runs : sequence of RunRef
        The runs that it was given.

    Returns
    -------
    DataFrame
        `side` (`users` or `items`), `index`, and the label of the first `run` without an interaction.
    """
    import pandas as pd

    labels = np.array([run_label(run.model, run.replicate) for run in runs if run.role == MODEL], dtype=object)
    frames = []
    for side in ("users", "items"):
        index = np.flatnonzero(found.of(side)).astype(np.int32)
        frames.append(pd.DataFrame({"side": side, "index": index, "run": labels[getattr(found, side)[index]]}))
    return pd.concat(frames, ignore_index=True)


def read_lost(files: RunFiles) -> Columns | None:
    """Return the contents of `LOST` of a comparison; None if its runs are fitted to all interactions."""
    if LOST not in files.entries:
        return None
    with files.reading(LOST) as file:
        return read_columns(file)
