"""The model of a fit: its lists and item factors, logged with its run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.files import listing
from tasks.core.types import Floats
from tasks.tracking.logged_models.files import output_models, save, send

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "model"
"""Of the logged model in its run: `runs:/RUN_ID/model`."""


def write_item_factors(path: Path, items: Floats, settings: AlsConfig, median_confidence: float) -> None:
    """Write what the model folds new users in with, as npz without pickles.

    Parameters
    ----------
    path : Path
        The file.
    items : (I, k) float32
        Item factors of the fit.
    settings : AlsConfig
        Its alpha and regularization are used.
    median_confidence : float
        Of the interactions, before alpha: the confidence of each item that a new user has.
    """
    with path.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            item_factors=items,
            confidence=np.array(settings.alpha * median_confidence),
            regularization=np.array(settings.regularization),
            by_count=np.array(settings.is_of_spark),  # whether it is multiplied by the number of the user's items
        )


def log_model(client: "MlflowClient", run_id: str, folder: Path, lists: Mapping[str, Path]) -> list[dict[str, object]]:
    """Log the model of a fit.

    A run has one model: one that an interrupted upload has left is completed.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    folder : Path
        Where the model is written first; replaced.
    lists : mapping of str to Path
        Artifact of `tasks.tracking.logged_models.pyfunc_model` -> file.

    Returns
    -------
    list of dict
        Manifest entries of the model's files, under `models/MODEL_ID/`.

    Raises
    ------
    TrackingError
        If it cannot be written to the store, or did not arrive completely.
    DataError
        If the folder cannot be written.
    """
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(run_id)
    model_ids = output_models(run)
    if model_ids:
        model_id = model_ids[0]
    else:
        model = client.create_logged_model(
            run.info.experiment_id,
            NAME,
            source_run_id=run_id,
            tags={"latentlab.model": run.data.tags["latentlab.model"]},
            params=run.data.params,
            model_type="ALS lists",
        )
        model_id = str(model.model_id)
        client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    save(folder, run_id, model_id, lists)
    entries = listing(folder)
    send(client, run_id, model_id, folder, entries)
    client.finalize_logged_model(model_id, "READY")
    return [{**entry, "path": f"models/{model_id}/{entry['path']}"} for entry in entries]
