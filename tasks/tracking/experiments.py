"""MLflow experiments, by name."""

from typing import TYPE_CHECKING

from tasks.core.errors import TrackingError
from tasks.tracking.local_store import artifact_folder, folder_beside, is_lost, sqlite_path
from tasks.tracking.store import first_line, is_refused, store_errors, without_secrets
from tasks.tracking.ui.workspace import is_workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.tracking.local_reader.types import StoredExperiment, StoreReader

_NOTE = """ALS models compared by their neighbour lists.

- A run named after its models is a comparison: its description is the answer, its artifact `report.html` shows all.
- The runs nested in it are the fits, one for each model and seed. Accuracy is measured on the `held-out` fits.
- To filter: `tags.latentlab.role = "model"`, `params.model = "k50"`, `tags.latentlab.verdict LIKE "different%"`."""


def open_experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """Return the id of the experiment called `name`, created if there is none.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    uri : str
        Of the store.
    name : str
        Its name.

    Returns
    -------
    str

    Raises
    ------
    TrackingError
        If the experiment was deleted, the store cannot be written, or it does not take the name.
    """
    from mlflow.exceptions import MlflowException

    database = sqlite_path(uri)
    with store_errors(uri):
        experiment = _by_name(client, name)
        if experiment is None:
            location = artifact_folder(database, name).as_uri() if database else None
            tags = {
                "mlflow.note.content": _NOTE,
                "mlflow.experimentKind": "custom_model_development",  # the UI opens on training runs
            }
            try:
                return str(client.create_experiment(name, artifact_location=location, tags=tags))
            except MlflowException as error:
                if is_refused(error):
                    raise _refusal(uri, name, first_line(error)) from error
                experiment = _by_name(client, name)
                if experiment is None:  # no other process was first
                    raise
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {name!r} was deleted; restore it "
                f"(mlflow experiments restore --experiment-id {experiment.experiment_id}), or set tracking.experiment "
                "to another name"
            )
        location = str(experiment.artifact_location)
        if database and is_lost(database, location):
            raise TrackingError(
                f"the files of the MLflow experiment {name!r} are expected in {location}, which "
                f"does not exist: the store was moved; move them to {folder_beside(database, location)}, beside the "
                "store, where they are found, or set tracking.experiment to another name"
            )
    return str(experiment.experiment_id)


def check_name(client: "MlflowClient", uri: str, name: str) -> None:
    """Refuse a name that the store does not take for an experiment, before anything is prepared.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    uri : str
        Of the store.
    name : str
        Name of the experiment.

    Raises
    ------
    TrackingError
        If the store refuses to look for it, or is a Databricks workspace and the name is no absolute path.
    """
    if is_workspace(uri) and not name.startswith("/"):
        raise _refusal(uri, name, "it is not an absolute path")
    with store_errors(uri):
        try:
            client.get_experiment_by_name(name)
        except Exception as error:
            if not is_refused(error):
                raise
            raise _refusal(uri, name, first_line(error)) from error


def _refusal(uri: str, name: str, reason: str) -> TrackingError:
    return TrackingError(
        f"the MLflow store {without_secrets(uri)} does not take the experiment name {name!r}: {reason}; set "
        "tracking.experiment to a name that it takes, on Databricks an absolute path such as "
        "/Users/someone@example.org/ml-100k"
    )


def all_experiments(client: "StoreReader") -> "list[StoredExperiment]":
    """Return every experiment of a store that is not deleted. MLflow returns at most 1,000 at a time."""
    experiments: list[StoredExperiment] = []
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        experiments += page
        if not (token := page.token):
            return experiments


def experiment_ids_of(client: "StoreReader") -> list[str]:
    """Return the ids of `all_experiments`."""
    return [str(experiment.experiment_id) for experiment in all_experiments(client)]


def find_experiment(client: "StoreReader", name: str) -> str | None:
    """Return the id of the experiment called `name`.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    name : str
        Its name.

    Returns
    -------
    str or None
        None if there is none, or if it was deleted.
    """
    experiment = _by_name(client, name)
    return str(experiment.experiment_id) if experiment and experiment.lifecycle_stage == "active" else None


def _by_name(client: "StoreReader", name: str) -> "StoredExperiment | None":
    """Return the experiment of a name. A store that refuses the name has none of it."""
    try:
        return client.get_experiment_by_name(name)
    except Exception as error:
        if not is_refused(error):
            raise
        return None
