"""Step 3: one model, one seed -> factors in the fit's working directory, and an open MLflow run."""

import logging
from dataclasses import dataclass

from prefect import task

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.formatting import counted
from tasks.core.models.threads import cores
from tasks.core.planning.runs import PlannedRun
from tasks.core.training.run_fit import FitRequest
from tasks.core.training.step import Step
from tasks.recovery.heartbeat import heartbeat
from tasks.recovery.worker_process import run_isolated
from tasks.recovery.working_directory import TrainedFit, WorkingDirectory
from tasks.reporting import progress
from tasks.tracking.metrics import StepMetrics, send_metrics, system_metrics
from tasks.tracking.runs import ParentRun, log_dataset, start_fit
from tasks.tracking.store import open_store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenFit:
    """A fit that is trained, and its MLflow run, which is still open.

    Attributes
    ----------
    run_id : str
    fit : TrainedFit
    """

    run_id: str
    fit: TrainedFit


@task(name="train", task_run_name="train {run.label}")
def train(
    config: ExperimentConfig, data: PreparedData, run: PlannedRun, parent: ParentRun, fits_at_a_time: int = 1
) -> OpenFit:
    """Fit one model and log metrics along its iterations.

    The task has no retries: a fit that fails would fail again. A fit that was interrupted resumes from its last
    checkpoint. One that was trained and not uploaded is not trained again.

    Metrics by iteration: `elapsed_seconds` (of training alone), and at the snapshots `factor_change`, `objective`,
    `imbalance`, `overlap_final.…` and `overlap_previous.…`. Final metrics: `fit_seconds`, `iterations_run`.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.
    run : PlannedRun
        The fit.
    parent : ParentRun
        Parent of the run.
    fits_at_a_time : int
        Fits that share the cores of this machine.

    Returns
    -------
    OpenFit

    Raises
    ------
    TrainingError, DataError, Stopped
        See `tasks.recovery.worker_process.run_isolated`.
    """
    client = open_store(parent.uri)
    run_id = start_fit(client, parent, run, data)
    iterations = run.settings.iterations
    directory = WorkingDirectory(run.identity)
    with heartbeat(client, run_id):
        log_dataset(client, run_id, config.dataset, data)
        earlier = directory.trained_fit()
        if earlier is not None:
            log.info("%s: trained by an earlier run; it is uploaded now", run.label)
            send_metrics(client, run_id, earlier.metrics)
            progress.step(run.training_label, iterations, iterations, "iterations")
            return OpenFit(run_id, earlier)
        metrics = StepMetrics(client, run_id)

        def on_steps(steps: list[Step]) -> None:
            if not steps:
                progress.check_stop(f"{run.training_label} was stopped")
                return
            if len(steps) > 1:
                log.info("%s: resumed after iteration %d, from the checkpoint of an earlier run", run.label, len(steps))
            for step in steps:
                metrics.add(
                    step.iteration,
                    step.at,
                    factor_change=step.factor_change,
                    elapsed_seconds=step.elapsed,
                    objective=step.objective,
                    imbalance=step.imbalance,
                    steady_overlap=step.overlap,
                    stop_accuracy=step.accuracy,
                )
            progress.step(run.training_label, steps[-1].iteration, iterations, "iterations")

        request = FitRequest(
            identity=run.identity,
            data=data.splits[run.repeat].train if data.splits and run.is_evaluation else data.file,
            settings=run.settings,
            seed=run.seed,
            snapshots=config.snapshots,
            queries=config.queries.users,
            n=config.queries.n,
            threads=max(cores() // fits_at_a_time, 1),
            checkpoint_seconds=config.execution.checkpoint_seconds,
            checkpoints=directory.checkpoints,
            target=directory.factors,
            resample=run.resample,
            stop_part=run.stop_part,
            spark=config.execution.spark,
        )
        with system_metrics(parent.uri, run_id, enabled=config.execution.system_metrics):
            result = run_isolated(request, on_steps)
        for iteration, overlaps in result.overlaps:
            metrics.add(iteration, **overlaps)
        progress.step(run.training_label, iterations, iterations, "iterations")
        metrics.add(0, fit_seconds=result.seconds, iterations_run=result.iterations)
        stopped = "" if result.iterations == iterations else ", stopped as steady"
        if run.stop_part:
            metrics.add(0, kept_iteration=result.kept)
            stopped = f", with the factors after iteration {result.kept}"
        log.info("%s: %s in %.1f s%s", run.label, counted(result.iterations, "iteration"), result.seconds, stopped)
        fit = TrainedFit(run.identity, metrics.recorded, result.factors.sha256)
        fit.save()
        metrics.finish()
        return OpenFit(run_id, fit)
