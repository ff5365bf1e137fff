"""Comparisons that exist: their results and configs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from tasks.core.comparison.compare_lists import ALGORITHM
from tasks.core.comparison.endpoints import endpoints
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.errors import LatentlabError, TrackingError
from tasks.core.inference.repeated_looks import EarlierLook
from tasks.core.planning.precision import LEAST_REPLICATES
from tasks.core.planning.runs import MODEL, RunRef
from tasks.reporting.result import RESULT, Result
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.comparison import used_fits
from tasks.tracking.experiments import find_experiment
from tasks.tracking.search import complete_parents

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.tracking.local_reader.types import StoredRun, StoreReader

log = logging.getLogger(__name__)

ALGORITHM_TAG = "latentlab.algorithm"
"""Tag of a parent run: `compare_lists.ALGORITHM` when it was made."""


@dataclass(frozen=True)
class Pilot:
    """An earlier comparison of the models of a config, from which the precision of the next one is predicted.

    Attributes
    ----------
    run_id : str
        Parent run of the comparison.
    replicates : int
        Runs of each model; of the model with fewest runs if they differ.
    matrices : list of Matrix
        Overlaps of every two runs on each endpoint.
    """

    run_id: str
    replicates: int
    matrices: list[Matrix]


def result_of(client: "StoreReader", parent: "StoredRun") -> Result:
    """Return the result of a finished comparison.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
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


def earlier_looks(
    client: "MlflowClient", experiment_id: str, runs: Sequence[RunRef], data_sha256: str
) -> list[EarlierLook]:
    """Return the comparisons of the same models that were completed before with fewer of the same runs.

    Runs are the same if their identities are: then settings, seed and data are equal. Hence a fit that was made again
    with `--fresh` counts as the same run, and a model may have another name, as those of `latentlab compare` do. An
    earlier comparison counts if it tested two or more of the present models, and one of them with fewer runs.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    runs : sequence of RunRef
        The runs that are compared now.
    data_sha256 : str
        Digest of the interactions.

    Returns
    -------
    list of EarlierLook
        One for each number of runs, in ascending order: the first that was made. A superseded one counts: it was seen.
    """
    present = _identities_by_model(runs)
    looks: dict[int, EarlierLook] = {}
    parents = complete_parents(client, experiment_id, superseded=True)
    for parent in sorted(parents, key=lambda parent: parent.info.end_time):
        if parent.data.tags.get("latentlab.data_sha256") != data_sha256:
            continue
        run_id = str(parent.info.run_id)
        try:
            replicates = _fewer_runs(_identities_by_model(used_fits(client, run_id)), present)
            if replicates and replicates not in looks:
                looks[replicates] = EarlierLook(run_id, replicates, result_of(client, parent).smallest_p)
        except TrackingError as error:
            log.warning("%s; whether it compared the same models before is not known", error)
    return [looks[replicates] for replicates in sorted(looks)]


def _identities_by_model(runs: Sequence[RunRef]) -> list[set[str]]:
    """Return the identities of each model's fits for the lists; models of a single fit are left out: none is tested."""
    identities: dict[str, set[str]] = {}
    for run in runs:
        if run.role == MODEL:
            identities.setdefault(run.model, set()).add(run.identity)
    return [of_model for of_model in identities.values() if len(of_model) > 1]


def _fewer_runs(earlier: Sequence[set[str]], present: Sequence[set[str]]) -> int:
    """Return the smallest number of runs with which an earlier comparison tested the present models; 0 if it did not.

    Or if it had every run that these models have now.
    """
    pairs = [(before, now) for before in earlier for now in present if before <= now]
    if len(pairs) < 2 or all(before == now for before, now in pairs):
        return 0
    return min(len(before) for before, _ in pairs)


def config_of(client: "StoreReader", parent: "StoredRun") -> ExperimentConfig:
    """Return the resolved config of a finished comparison.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    parent : Run
        Parent run of the comparison.

    Returns
    -------
    ExperimentConfig
    """
    with RunFiles(client, parent.info.run_id).reading("config.yaml") as file:
        return load_config(file)


def find_pilot(client: "MlflowClient", config: ExperimentConfig, data_sha256: str | None = None) -> Pilot | None:
    """Return the last used comparison that has all models and endpoints of a config, and three runs of each model.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    config : ExperimentConfig
        The experiment.
    data_sha256 : str, optional
        Digest of its interactions. If it is not known, data are the same that have the same name in the catalogue and
        the same preprocessing: the catalogue pins their digests.

    Returns
    -------
    Pilot or None
    """
    experiment_id = find_experiment(client, config.mlflow_experiment)
    judged = endpoints(config.queries, config.comparison)
    family = {(endpoint.target, endpoint.n) for endpoint in judged if endpoint.family}
    for parent in complete_parents(client, experiment_id) if experiment_id else ():
        if data_sha256 not in (None, parent.data.tags.get("latentlab.data_sha256")):
            continue
        try:
            stored = config_of(client, parent)
            if not _same_lists(stored, config) or not (data_sha256 or _same_data(stored, config)):
                continue
            matrices = result_of(client, parent).matrices
        except LatentlabError as error:
            log.warning("%s; it is not used as a pilot", error)
            continue
        if not family <= {(matrix.target, matrix.n) for matrix in matrices}:
            continue
        replicates = min(matrices[0].models.count(model) for model in config.models)
        if replicates >= LEAST_REPLICATES:
            return Pilot(str(parent.info.run_id), replicates, matrices)
    return None


def _same_lists(stored: ExperimentConfig, config: ExperimentConfig) -> bool:
    if config.from_files:
        return False
    settings = {name: model.identity() for name, model in stored.trained.items()}
    if (stored.neighbours.similarity, stored.resample) != (config.neighbours.similarity, config.resample):
        return False
    return all(settings.get(name) == model.identity() for name, model in config.trained.items())


def _same_data(stored: ExperimentConfig, config: ExperimentConfig) -> bool:
    return (stored.dataset.name, stored.preprocess) == (config.dataset.name, config.preprocess)
