"""Comparisons that exist: their results and configs."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from tasks.core.comparison.compare_lists import ALGORITHM
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.errors import TrackingError
from tasks.core.planning.runs import RunRef
from tasks.reporting.result import RESULT, Result
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.search import complete_parents

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

ALGORITHM_TAG = "latentlab.algorithm"
"""Tag of a parent run: `compare_lists.ALGORITHM` when it was made."""


def result_of(client: "MlflowClient", parent: "Run") -> Result:
    """Return the result of a finished comparison.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent : Run
        Parent run of the comparison.

    Returns
    -------
    Result

    Raises
    ------
    TrackingError
        If another version of latentlab wrote it in another form.
    """
    from pydantic import ValidationError

    with RunFiles(client, parent.info.run_id).reading(RESULT) as file:
        text = file.read_text(encoding="utf-8")
    try:
        return Result.from_json(text)
    except ValidationError:
        writer = parent.data.tags.get("latentlab.version", "?")
        raise TrackingError(
            f"run {parent.info.run_id}: its {RESULT} has the form of another version (latentlab {writer}); run its "
            "config again, which trains nothing that is complete"
        ) from None


def known_result(client: "MlflowClient", experiment_id: str, identity: str, runs: Sequence[RunRef]) -> Result | None:
    """Return the result of a complete comparison of the very same runs, if it was made as it would be made now.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    identity : str
        Of the comparison.
    runs : sequence of RunRef
        The runs that are compared, in any order of models and roles.

    Returns
    -------
    Result or None
    """
    for parent in complete_parents(client, experiment_id, identity):
        tags = parent.data.tags
        if (tags.get("latentlab.version"), tags.get(ALGORITHM_TAG)) != (version("latentlab"), str(ALGORITHM)):
            continue
        try:
            result = result_of(client, parent)
        except TrackingError as error:
            log.warning("%s; the models are compared again", error)
            continue
        if sorted(result.runs, key=_order) == sorted(runs, key=_order):
            return result
    return None


def _order(run: RunRef) -> tuple[str, str, int]:
    return run.role, run.model, run.replicate


def config_of(client: "MlflowClient", parent: "Run") -> ExperimentConfig:
    """Return the resolved config of a finished comparison.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    parent : Run
        Parent run of the comparison.

    Returns
    -------
    ExperimentConfig
    """
    with RunFiles(client, parent.info.run_id).reading("config.yaml") as file:
        return load_config(file)
