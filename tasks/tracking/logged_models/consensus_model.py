"""The model of a consensus: lists merged from those of all replicates, logged with their comparison."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.files import listing, write_text
from tasks.core.planning.runs import RunRef
from tasks.tracking.artifacts import MANIFEST
from tasks.tracking.logged_models.files import output_models, save, send

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

COMPLETE = "latentlab.complete"
"""Tag of a model with a manifest of its own: the sha256 of the manifest."""
_IDENTITY = "latentlab.identity"


def log_consensus(
    client: "MlflowClient",
    parent_id: str,
    identity: str,
    runs: Sequence[RunRef],
    write: Callable[[Path], Mapping[str, Path]],
) -> str:
    """Log the consensus of a model's runs with their comparison, unless it is logged already.

    The comparison is complete already, and its manifest stays as it is: the model has a manifest of its own. The sha256
    of that becomes a tag of the model once all files have arrived. Then the model is READY, and one of the outputs of
    the parent run. A model that an interrupted call has left is completed.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent_id : str
        Parent run of the comparison.
    identity : str
        Digest of what the consensus is made of. It is looked up in the experiment of the parent run.
    runs : sequence of RunRef
        The runs of the model.
    write : callable
        Writes the lists into the folder that it is given, and returns artifact of
        `tasks.tracking.logged_models.pyfunc_model` -> Parquet file. Called if the model is to be logged.

    Returns
    -------
    str
        Id of the logged model.

    Raises
    ------
    TrackingError
        If it cannot be written to the store, or did not arrive completely.
    DataError
        If the files cannot be written on this machine.
    """
    from mlflow.entities import LoggedModelOutput

    parent = client.get_run(parent_id)
    model = _find(client, parent.info.experiment_id, identity) or client.create_logged_model(
        parent.info.experiment_id,
        f"consensus-{runs[0].model}",
        source_run_id=parent_id,
        tags={"latentlab.model": runs[0].model, _IDENTITY: identity},
        params=_params(client, runs),
        model_type="consensus of ALS lists",
    )
    model_id = str(model.model_id)
    if not is_complete_model(model):
        with tempfile.TemporaryDirectory(prefix="latentlab-") as name:
            folder = Path(name) / "model"
            save(folder, parent_id, model_id, write(Path(name) / "lists"), share=True)
            manifest = json.dumps({"files": listing(folder)}, indent=1)
            write_text(folder / MANIFEST, manifest)
            send(client, parent_id, model_id, folder, listing(folder))
        client.set_logged_model_tags(model_id, {COMPLETE: hashlib.sha256(manifest.encode()).hexdigest()})
        client.finalize_logged_model(model_id, "READY")
    if model_id not in output_models(parent):
        client.log_outputs(parent_id, [LoggedModelOutput(model_id, 0)])
    return model_id


def is_complete_model(model: "LoggedModel") -> bool:
    """Return whether a model has a manifest of its own, as a consensus has, and was logged to its end."""
    return model.status == "READY" and COMPLETE in model.tags


def _find(client: "MlflowClient", experiment_id: str, identity: str) -> "LoggedModel | None":
    """Return a model of an identity: the first that is complete, else the first that is not; None if there is none."""
    found = client.search_logged_models([experiment_id], filter_string=f"tags.`{_IDENTITY}` = '{identity}'")
    return min(found, key=lambda model: (not is_complete_model(model), model.creation_timestamp), default=None)


def _params(client: "MlflowClient", runs: Sequence[RunRef]) -> dict[str, str]:
    """Return the params that all runs share, and how many runs there are."""
    params = client.get_run(runs[0].run_id).data.params
    shared = {key: value for key, value in params.items() if key not in {"seed", "replicate"}}
    return {**shared, "replicates": str(len(runs))}
