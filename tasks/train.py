"""Step 3: one model, one seed -> factors in the staging area and an open MLflow run."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect import task

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.catalogue import entry
from tasks.core.models.threads import cores
from tasks.core.planning.runs import EVALUATION, PlannedRun
from tasks.core.training.run_fit import FitRequest
from tasks.core.training.step import Step
from tasks.preprocess import Prepared
from tasks.recovery import worker_process, working_directory
from tasks.recovery.heartbeat import alive
from tasks.recovery.working_directory import Staged
from tasks.reporting import progress
from tasks.tracking import metrics, runs, store
from tasks.tracking.metrics import StepMetrics

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Home:
    """Where in MLflow the runs of a flow go."""

    uri: str
    experiment_id: str
    parent_id: str
    tags: dict[str, str]


@task(name="train", task_run_name="train {run.label}")
def train(config: ExperimentConfig, data: Prepared, run: PlannedRun, where: Home, at_a_time: int = 1) -> Staged:
    """Fit one model and log what happens along its iterations. Not retried: a fit that fails fails again.

    Metrics by iteration: `factor_change` and `elapsed_seconds` (of training alone), and at the snapshots
    `objective`, `imbalance`, `overlap_final.…` and `overlap_previous.…`. Final: `fit_seconds`, `iterations_run`.

    A fit that was cut off goes on from its last checkpoint; one that was trained and could not be brought to MLflow is
    taken up as it is.

    Parameters
    ----------
    at_a_time : fits that share this machine's cores
    """
    client = store.open_store(where.uri)
    tags = {"mlflow.parentRunId": where.parent_id, "latentlab.data_sha256": data.sha256, **where.tags}
    if data.held_out and run.role == EVALUATION:
        tags["latentlab.split_sha256"] = data.held_out.sha256
    run_id = runs.start_fit(client, where.experiment_id, run, tags)
    with alive(client, run_id):
        log_data(client, run_id, config, data)
        earlier = working_directory.find(run.identity)
        if earlier is not None:
            log.info("%s: trained by an earlier run; it is uploaded now", run.label)
            staged = working_directory.adopt(earlier, run_id)
            metrics.send_metrics(client, run_id, staged.metrics)
            progress.step(f"train {run.label}", run.settings.iterations, run.settings.iterations, "iterations")
            return staged
        step_metrics = StepMetrics(client, run_id)

        def tell(steps: list[Step]) -> None:
            if len(steps) > 1:
                log.info("%s: goes on after iteration %d, where an earlier run was cut off", run.label, len(steps))
            for step in steps:
                step_metrics.add(
                    step.iteration,
                    step.at,
                    factor_change=step.factor_change,
                    elapsed_seconds=step.elapsed,
                    objective=step.objective,
                    imbalance=step.imbalance,
                    steady_overlap=step.overlap,
                )
            progress.step(f"train {run.label}", steps[-1].iteration, run.settings.iterations, "iterations")

        order = FitRequest(
            run.identity,
            data.held_out.train if data.held_out and run.role == EVALUATION else data.file,
            run.settings,
            run.seed,
            config.snapshots,
            config.queries.users,
            config.queries.n,
            max(cores() // at_a_time, 1),
            config.execution.checkpoint_seconds,
        )
        with metrics.system_metrics(where.uri, run_id, wanted=config.execution.system_metrics):
            fitted = worker_process.perform(order, working_directory.factors_path(run.identity, run_id), tell)
        for iteration, values in fitted.overlaps:
            step_metrics.add(iteration, **values)
        progress.step(f"train {run.label}", run.settings.iterations, run.settings.iterations, "iterations")
        step_metrics.add(0, fit_seconds=fitted.seconds, iterations_run=fitted.iterations)
        ended = "" if fitted.iterations == run.settings.iterations else ", steady by then"
        log.info("%s: %d iterations in %.1f s%s", run.label, fitted.iterations, fitted.seconds, ended)
        staged = Staged(run.identity, run_id, step_metrics.noted, fitted.factors.sha256)
        working_directory.keep(staged)
        step_metrics.finish()
        return staged


def log_data(client: "MlflowClient", run_id: str, config: ExperimentConfig, data: Prepared) -> None:
    """Note the interactions as the run's data set."""
    size = data.summary
    source = config.dataset.path or config.dataset.name
    if config.dataset.path is None and (archive := entry(config.dataset.name).archive):
        source = store.without_secrets(archive.urls[0])
    runs.log_dataset(
        client,
        run_id,
        name=config.dataset.name,
        digest=data.sha256,
        source=source,
        profile={"users": size.users, "items": size.items, "interactions": size.interactions},
    )
