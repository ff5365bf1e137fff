"""Comparisons that exist: their results and configs."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.errors import TrackingError
from tasks.core.planning.runs import RunRef
from tasks.reporting.result import RESULT, Result
from tasks.tracking import artifacts
from tasks.tracking.search import complete_parents

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)


def result_of(client: "MlflowClient", parent: "Run") -> Result:
    """What a finished parent run found.

    Raises
    ------
    TrackingError
        Another version of latentlab wrote it in another form.
    """
    from pydantic import ValidationError

    text = artifacts.read_artifact(client, parent.info.run_id, RESULT).read_text(encoding="utf-8")
    try:
        return Result.from_json(text)
    except ValidationError:
        made_by = parent.data.tags.get("latentlab.version", "?")
        raise TrackingError(
            f"run {parent.info.run_id}: its {RESULT} is of another form (latentlab {made_by}); run its config again, "
            "which trains nothing that is complete"
        ) from None


def known_result(client: "MlflowClient", experiment_id: str, identity: str, runs: Sequence[RunRef]) -> Result | None:
    """What a complete comparison found of the very same runs, if this version of latentlab wrote it."""
    for parent in complete_parents(client, experiment_id, identity):
        if parent.data.tags.get("latentlab.version") != version("latentlab"):
            continue
        try:
            result = result_of(client, parent)
        except TrackingError as error:
            log.warning("%s; it is compared anew", error)
            continue
        if result.runs == list(runs):
            return result
    return None


def config_of(client: "MlflowClient", parent: "Run") -> ExperimentConfig:
    """The resolved config of a finished parent run."""
    return load_config(artifacts.read_artifact(client, parent.info.run_id, "config.yaml"))
