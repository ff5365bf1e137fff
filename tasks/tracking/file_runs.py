"""MLflow runs of models that are read from files."""

from typing import TYPE_CHECKING

from tasks.core.data.prepared import PreparedData
from tasks.core.external.runs import FileRun
from tasks.tracking.runs import ParentRun, nested_tags, start_run

if TYPE_CHECKING:
    from mlflow import MlflowClient


def start_file_run(client: "MlflowClient", parent: ParentRun, run: FileRun, data: PreparedData, of: str) -> str:
    """Create the run of one run of files.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent : ParentRun
        Parent of the run.
    run : FileRun
        What is read.
    data : PreparedData
        What is compared, and the held-out split.
    of : str
        Which lists are compared.

    Returns
    -------
    str
        Its id.
    """
    return start_run(
        client,
        parent.experiment_id,
        run.label,
        tags=nested_tags(parent, run, data),
        params={
            "model": run.model,
            "replicate": run.replicate,
            "files": run.files,
            "files_sha256": run.sha256,
            "of": of,
        },
        description=f"Read from {run.files}: {run.content}.",
    )
