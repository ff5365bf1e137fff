"""The files of a logged model: code, lists, item factors, signature, input example, pinned requirements.

What the model answers is in `tasks.tracking.logged_models.pyfunc_model`.
"""

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tasks.core.files import writing
from tasks.tracking import artifacts
from tasks.tracking.lists import ITEM_FACTORS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_REQUIRED = ("mlflow", "numpy", "pandas", "pyarrow")
_saving = Lock()
"""MLflow loads a model's code by way of a global, and the first to save lists all installed packages."""


def save(folder: Path, run_id: str, model_id: str, lists: Mapping[str, Path], *, share: bool = False) -> None:
    """Write the files of a model.

    Parameters
    ----------
    folder : Path
        Where they are written; replaced.
    run_id, model_id : str
        Ids of the logged model and of the run that it belongs to.
    lists : mapping of str to Path
        Artifact of `tasks.tracking.logged_models.pyfunc_model` -> file.
    share : bool
        Whether the lists, and what the model answers, have a column `share`.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    user, item = (_example(lists, side) for side in ("users", "items"))
    inputs = Schema(
        [
            ColSpec(DataType.string, "task"),
            ColSpec(DataType.string, "id", required=False),
            ColSpec(DataType.long, "n", required=False),
            ColSpec(Array(DataType.string), "items", required=False),
        ]
    )
    types = {"row": DataType.long, "rank": DataType.long, "id": DataType.string, "title": DataType.string}
    types |= dict.fromkeys(["score", "share"] if share else ["score"], DataType.double)
    outputs = Schema([ColSpec(kind, name, required=name != "title") for name, kind in types.items()])
    params = ParamSchema([ParamSpec("arrays", DataType.boolean, default=False)])
    with _saving, writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        pyfunc.save_model(
            str(folder),
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={name: path.absolute().as_uri() for name, path in lists.items()},  # MLflow expects addresses
            signature=ModelSignature(inputs, outputs, params),
            input_example=pd.DataFrame(
                [
                    ("recommend", user, 10, None),
                    ("similar_users", user, 5, None),
                    ("similar_items", item, 5, None),
                    *([("recommend", None, 10, [item])] if ITEM_FACTORS in lists else []),
                ],
                columns=["task", "id", "n", "items"],
            ),
            # inferring them takes seconds
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIRED],
        )


def _example(lists: Mapping[str, Path], side: str) -> str:
    """Return the raw id of the first user or item that has lists."""
    import pandas as pd

    first = 0
    if "sample" in lists:
        sample = pd.read_parquet(lists["sample"])
        first = int(sample["index"][sample["side"] == side].min())
    return str(pd.read_parquet(lists[side])["raw_id"].iloc[first])


def send(
    client: "MlflowClient", run_id: str, model_id: str, folder: Path, entries: Sequence[Mapping[str, object]]
) -> None:
    """Upload the files of a model, and check that they arrived.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id, model_id : str
        Ids of the logged model and of the run that it belongs to.
    folder : Path
        Holds the files and nothing else.
    entries : sequence of dict
        The files, as `tasks.core.files.listing` returns them.

    Raises
    ------
    TrackingError
        If they cannot be written to the store, or did not arrive completely.
    """
    with artifacts.writing_artifacts(run_id):
        client.log_model_artifacts(model_id, str(folder))
    arrived = artifacts.list_files(lambda path: client.list_logged_model_artifacts(model_id, path))
    artifacts.check_arrived(f"model {model_id} of run {run_id}", entries, arrived)


def output_models(run: "Run") -> list[str]:
    """Return the ids of the models that a run has logged."""
    return [str(output.model_id) for output in run.outputs.model_outputs] if run.outputs else []
