"""A fit as a model that MLflow loads, serves and registers.

What the model answers is in `tasks.tracking.logged_models.pyfunc_model`.
"""

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tasks.core.errors import ConfigError, TrackingError
from tasks.core.files import listing, writing
from tasks.core.planning.runs import MODEL, RunRef
from tasks.tracking import artifacts
from tasks.tracking.store import reporting_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "model"
"""Of the logged model in its run: `runs:/RUN_ID/model`."""
_REQUIRED = ("mlflow", "numpy", "pandas", "pyarrow")
_saving = Lock()
"""MLflow loads a model's code by way of a global, and the first to save lists all installed packages."""


def log_model(
    client: "MlflowClient", run_id: str, folder: Path, lists: Mapping[str, Path], example: tuple[str, str]
) -> list[dict[str, object]]:
    """Log the model of a fit: code, lists, signature, input example, pinned requirements.

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
        Artifact of `tasks.tracking.logged_models.pyfunc_model` -> Parquet file.
    example : (str, str)
        A raw user id and a raw item id.

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
    outputs = run.outputs.model_outputs if run.outputs else []
    if outputs:
        model_id = str(outputs[0].model_id)
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
    with _saving, writing(folder):
        _save(folder, run_id, model_id, lists, example)
    with artifacts.writing_artifacts(run_id):
        client.log_model_artifacts(model_id, str(folder))
    entries = listing(folder)
    arrived = artifacts.list_files(lambda path: client.list_logged_model_artifacts(model_id, path))
    artifacts.check_arrived(f"model {model_id} of run {run_id}", entries, arrived)
    client.finalize_logged_model(model_id, "READY")
    return [{**entry, "path": f"models/{model_id}/{entry['path']}"} for entry in entries]


def check_name(name: str) -> None:
    """Refuse a name that MLflow does not take for a registered model, before anything is trained.

    Raises
    ------
    ConfigError
        If it is empty, or has a slash or a colon.
    """
    if not name.strip() or set(name) & set("/:"):
        raise ConfigError(f"--register: found {name!r}; expected a name without / and :, such as movies")


def register(client: "MlflowClient", runs: Sequence[RunRef], name: str) -> dict[str, str]:
    """Register each model's first replicate as NAME-MODEL, unless it is registered already.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    runs : sequence of RunRef
        The runs of a comparison.
    name : str
        Its name.

    Returns
    -------
    dict of str to str
        Registered model -> version.

    Raises
    ------
    TrackingError
        If a fit has no model: an early version trained it.
    """
    from mlflow.exceptions import MlflowException

    first: dict[str, RunRef] = {}
    for run in runs:
        if run.role == MODEL and (run.model not in first or run.replicate < first[run.model].replicate):
            first[run.model] = run
    versions = {}
    for model, ref in first.items():
        registered = f"{name}-{model}"
        try:
            client.create_registered_model(registered, description=f"{model}, an ALS model compared by latentlab.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        outputs = client.get_run(ref.run_id).outputs
        if outputs is None or not outputs.model_outputs:
            raise TrackingError(f"run {ref.run_id} has no model to register; train it again with --fresh")
        # where the files are: MLflow would look for models:/ID in the store that the process has set globally
        model_id = outputs.model_outputs[0].model_id
        deleted = f"run {ref.run_id}: its model {model_id} was deleted in MLflow; train it again with --fresh"
        with reporting_missing(deleted):
            source = client.get_logged_model(model_id).artifact_location
        version_of = {
            str(model_version.source): str(model_version.version)
            for model_version in client.search_model_versions(f"name = '{registered}'")
        }
        if source not in version_of:
            version_of[source] = str(
                client.create_model_version(registered, source, ref.run_id, model_id=model_id).version
            )
        versions[registered] = version_of[source]
    return versions


def _save(folder: Path, run_id: str, model_id: str, lists: Mapping[str, Path], example: tuple[str, str]) -> None:
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    user, item = example
    inputs = Schema(
        [ColSpec(DataType.string, "task"), ColSpec(DataType.string, "id"), ColSpec(DataType.long, "n", required=False)]
    )
    types = {"row": DataType.long, "rank": DataType.long, "id": DataType.string, "title": DataType.string}
    outputs = Schema([*(ColSpec(kind, name) for name, kind in types.items()), ColSpec(DataType.double, "score")])
    shutil.rmtree(folder, ignore_errors=True)
    pyfunc.save_model(
        str(folder),
        mlflow_model=Model(run_id=run_id, model_id=model_id),
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={name: path.absolute().as_uri() for name, path in lists.items()},  # MLflow takes them for addresses
        signature=ModelSignature(inputs, outputs),
        input_example=pd.DataFrame(
            [("recommend", user, 10), ("similar_users", user, 5), ("similar_items", item, 5)],
            columns=["task", "id", "n"],
        ),
        # inferring them takes seconds
        pip_requirements=[f"{name}=={version(name)}" for name in _REQUIRED],
    )
