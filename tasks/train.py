"""Step 3: one model, one seed -> factors in the staging area and an open MLflow run."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect import task

from tasks import progress, tracking
from tasks.core import als, interactions
from tasks.core.config import ExperimentConfig
from tasks.core.interactions import Interactions
from tasks.core.plan import EVALUATION, PlannedRun, split_seed
from tasks.core.store import StoredFile, replacing
from tasks.core.trajectory import Trajectory
from tasks.preprocess import Prepared, load

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from scipy.sparse import csr_array

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Home:
    """Where in MLflow the runs of a flow go."""

    uri: str
    experiment_id: str
    parent_id: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Trained:
    """A fit whose factors are staged and whose MLflow run is still open."""

    run_id: str
    factors: StoredFile


@task(name="train", task_run_name="train {run.label}")
def train(config: ExperimentConfig, data: Prepared, run: PlannedRun, where: Home) -> Trained:
    """Fit one model and log what happens along its iterations. Not retried: a fit that fails fails again.

    Metrics by iteration: `factor_change` and `elapsed_seconds` (of training alone), and at the snapshots
    `objective`, `imbalance`, `overlap_final.…` and `overlap_previous.…`. Final: `fit_seconds`, `iterations_run`.
    """
    loaded = load(data.file)
    client = tracking.open_store(where.uri)
    tags = {"mlflow.parentRunId": where.parent_id, "latentlab.data_sha256": data.sha256, **where.tags}
    run_id = tracking.start_fit(client, where.experiment_id, run, tags)
    log_data(client, run_id, config, data)
    metrics = tracking.StepMetrics(client, run_id)
    elapsed = 0.0
    followed = Trajectory(*loaded.matrix.shape, queries=config.queries.users, n=config.queries.n)

    def on_iteration(at: als.Iteration) -> None:
        nonlocal elapsed
        elapsed += at.seconds
        metrics.add(
            at.iteration,
            factor_change=at.factor_change,
            elapsed_seconds=elapsed,
            objective=at.objective,
            imbalance=at.imbalance,
        )
        if at.factors is not None:
            followed.add(at.iteration, at.factors)
        progress.step(f"train {run.label}", at.iteration, run.settings.iterations)

    factors = als.fit(
        fit_matrix(config, loaded, run),
        run.settings,
        seed=run.seed,
        snapshots=config.snapshots,
        on_iteration=on_iteration,
    )
    for step, values in followed.metrics():
        metrics.add(step, **values)
    metrics.flush()
    log.info("%s: %d iterations in %.1f s", run.label, run.settings.iterations, elapsed)
    tracking.log_metrics(client, run_id, {"fit_seconds": elapsed, "iterations_run": run.settings.iterations})
    path = tracking.staging(run_id) / "factors.npz"
    with replacing(path) as temporary:
        factors.save(temporary)
    return Trained(run_id, tracking.stage(path))


def log_data(client: "MlflowClient", run_id: str, config: ExperimentConfig, data: Prepared) -> None:
    """Note the interactions as the run's data set."""
    size = data.summary
    tracking.log_dataset(
        client,
        run_id,
        name=config.dataset.name,
        digest=data.sha256,
        source=config.dataset.path or config.dataset.name,
        profile={"users": size.users, "items": size.items, "interactions": size.interactions},
    )


def fit_matrix(config: ExperimentConfig, loaded: Interactions, run: PlannedRun) -> "csr_array":
    """What a run is trained on: all interactions, or the train part of the split."""
    if run.role == EVALUATION:
        return split(config, loaded).train
    return loaded.matrix


def split(config: ExperimentConfig, loaded: Interactions) -> interactions.Split:
    """The experiment's one held-out split."""
    assert config.evaluation is not None, "only evaluation runs have a split"
    return interactions.split_random(loaded.matrix, config.evaluation.split, seed=split_seed(config))
