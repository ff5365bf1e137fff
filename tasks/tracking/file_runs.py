"""MLflow runs of models that are read from files."""

from typing import TYPE_CHECKING

from tasks.core.data.prepared import PreparedData
from tasks.core.external.runs import FileRun
from tasks.core.formatting import run_label
from tasks.core.planning.runs import EVALUATION
from tasks.tracking.runs import ParentRun, start_run

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
    tags = {
        "latentlab.identity": run.identity,
        "latentlab.role": run.role,
        "latentlab.model": run.model,
        "latentlab.replicate": str(run.replicate),
        "latentlab.data_sha256": data.sha256,
        "mlflow.parentRunId": parent.run_id,
        **parent.tags,
    }
    if data.held_out and run.role == EVALUATION:
        tags["latentlab.split_sha256"] = data.held_out.sha256
    label = run_label(run.model, run.replicate) + (" held-out" if run.role == EVALUATION else "")
    return start_run(
        client,
        parent.experiment_id,
        label,
        tags=tags,
        params={
            "model": run.model,
            "replicate": run.replicate,
            "files": run.files,
            "files_sha256": run.sha256,
            "of": of,
        },
        description=f"Read from {run.files}: {run.content}.",
    )
