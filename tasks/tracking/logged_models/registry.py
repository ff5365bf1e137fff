"""Models of fits, and of consensuses, as versions of registered models."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.core.errors import ConfigError, TrackingError
from tasks.core.planning.runs import first_fits
from tasks.reporting.result import Result
from tasks.tracking.comparison import VERDICT
from tasks.tracking.local_store import file_path
from tasks.tracking.logged_models.files import output_models
from tasks.tracking.logged_models.promotion import CHALLENGER, CHAMPION, is_name, is_version_of, versions_of
from tasks.tracking.store import reporting_missing
from tasks.tracking.ui.description import describe_version
from tasks.tracking.ui.workspace import is_unity_catalog

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion


def check(name: str | None, replicates: int, *, consensus: bool, uri: str) -> None:
    """Refuse what cannot be registered, before anything is trained.

    Parameters
    ----------
    name : str or None
        None if nothing is to be registered.
    replicates : int
        Of each model.
    consensus : bool
        Whether the consensus of the replicates is to be registered.
    uri : str
        Of the registry.

    Raises
    ------
    ConfigError
        If MLflow does not take the name for a registered model, or there is no consensus to register.
    """
    if name is not None and not is_name(name):
        raise ConfigError(f"--register: found {name!r}; expected a name without / and :, such as movies")
    if name is not None and is_unity_catalog(uri) and [bool(part.strip()) for part in name.split(".")] != [True] * 3:
        raise ConfigError(
            f"--register: found {name!r}; the registry {uri} takes names of three levels: expected "
            "catalog.schema.name, such as main.recommenders.movies"
        )
    if consensus and name is None:
        raise ConfigError("--consensus: found no --register; expected --register NAME beside it")
    if consensus and replicates < 2:
        raise ConfigError(
            f"--consensus: found {replicates} replicate of each model; expected at least 2, whose lists are merged; "
            "raise replicates, or leave --consensus out to register the single runs"
        )


def register(client: "MlflowClient", result: Result, name: str, *, uri: str) -> dict[str, str]:
    """Register each model's first replicate as NAME-MODEL, unless it is registered already.

    The first version of a name becomes its `champion`, each later one its `challenger`.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    result : Result
        Result of the comparison, which the description and the tags of the versions quote.
    name : str
        Its name.
    uri : str
        Of the registry.

    Returns
    -------
    dict of str to str
        Registered model -> version.

    Raises
    ------
    TrackingError
        If a fit has no model: an early version trained it.
    """
    versions: dict[str, str] = {}
    for model, ref in first_fits(result.runs).items():
        model_ids = output_models(client.get_run(ref.run_id))
        if not model_ids:
            raise TrackingError(f"run {ref.run_id} has no model to register; train it again with --fresh")
        deleted = f"run {ref.run_id}: its model {model_ids[0]} was deleted in MLflow; train it again with --fresh"
        with reporting_missing(deleted):
            logged = client.get_logged_model(model_ids[0])
        versions |= _register(client, f"{name}-{model}", logged, result, uri)
    return versions


def register_consensus(
    client: "MlflowClient", models: Mapping[str, str], name: str, result: Result, *, uri: str
) -> dict[str, str]:
    """Register the consensus of each model's replicates as NAME-MODEL, unless it is registered already.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    models : mapping of str to str
        Model -> id of the logged model, as `tasks.tracking.logged_models.consensus_model.log_consensus` returns it.
    name : str
        Its name.
    result : Result
        As for `register`.
    uri : str
        Of the registry.

    Returns
    -------
    dict of str to str
        Registered model -> version.
    """
    versions: dict[str, str] = {}
    for model, model_id in models.items():
        versions |= _register(client, f"{name}-{model}", client.get_logged_model(model_id), result, uri)
    return versions


def _create_version(client: "MlflowClient", registered: str, logged: "LoggedModel", uri: str) -> "ModelVersion":
    """Make a logged model the next version of a registered model."""
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    # where the files are: MLflow would look for models:/ID in the store that the process has set globally
    source = logged.artifact_location
    if not is_unity_catalog(uri):
        return client.create_model_version(registered, source, logged.source_run_id, model_id=logged.model_id)
    # MLflow copies the files of an address to Unity Catalog and removes what it copied, and not those of a path
    source = str(file_path(source) or source)
    own = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        with _use_tracking_uri(client.tracking_uri):  # where MLflow looks for the logged model
            return client.create_model_version(registered, source, logged.source_run_id, model_id=logged.model_id)
    finally:
        if own is not None:  # MLflow removes it
            os.environ["MLFLOW_TRACKING_URI"] = own


def _register(
    client: "MlflowClient", registered: str, logged: "LoggedModel", result: Result, uri: str
) -> dict[str, str]:
    """Make a logged model a version of a registered model, unless it is one; describe it, and return both names."""
    from mlflow.exceptions import MlflowException

    model = logged.tags["latentlab.model"]
    try:
        client.create_registered_model(registered, description=f"{model}, an ALS model compared by latentlab.")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
            raise
    versions = versions_of(client, registered)
    version = next((version for version in versions if is_version_of(logged, version)), None)
    if version is None:
        version = _create_version(client, registered, logged, uri)
        alias = CHALLENGER if versions else CHAMPION
        client.set_registered_model_alias(registered, alias, version.version)
    version = client.get_model_version(registered, version.version)  # Unity Catalog lists versions without their tags
    description = describe_version(result, model)
    if version.description != description:  # what the last comparison found
        client.update_model_version(registered, version.version, description)
    tags = {
        "latentlab.model": model,
        "latentlab.data_sha256": result.data_sha256,
        "latentlab.config_sha256": result.config_sha256,
        "latentlab.comparison": result.parent_id,
        VERDICT: (result.answers[0].verdict or "") if result.answers else "",
    }
    if is_unity_catalog(uri):  # it refuses tags with one of . , - = / : in their names
        tags = {key.replace(".", "_"): value for key, value in tags.items()}
    for key, value in tags.items():
        if value and version.tags.get(key) != value:
            client.set_model_version_tag(registered, version.version, key, value)
    return {registered: str(version.version)}
