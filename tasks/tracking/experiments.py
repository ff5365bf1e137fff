"""MLflow experiments, by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import TrackingError
from tasks.tracking.store import store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

_EXPERIMENT = """ALS models compared by their neighbour lists.

- A run named after its models is a comparison: its description is the answer, its artifact `report.html` shows all.
- The runs nested in it are the fits, one a model and seed, `held-out` those that accuracy is measured on.
- To filter: `tags.latentlab.role = "model"`, `params.model = "k50"`, `tags.latentlab.verdict LIKE "different%"`."""


def open_experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of the experiment called `name`, created if there is none.

    Raises
    ------
    TrackingError
        It was deleted, or the store cannot be written.
    """
    from mlflow.exceptions import MlflowException

    with store_errors(uri):
        found = client.get_experiment_by_name(name)
        if found is None:
            location = None
            if uri.startswith("sqlite:///"):
                location = (Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / name).as_uri()
            try:
                note = {
                    "mlflow.note.content": _EXPERIMENT,
                    "mlflow.experimentKind": "custom_model_development",  # the UI opens on training runs
                }
                return str(client.create_experiment(name, artifact_location=location, tags=note))
            except MlflowException:  # another process was first
                found = client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {name!r} was deleted; restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id if found else '?'}), "
                "or give the config another name"
            )
    return str(found.experiment_id)


def find_experiment(client: "MlflowClient", name: str) -> str | None:
    """The id of an experiment that exists, or None."""
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id) if found and found.lifecycle_stage == "active" else None
