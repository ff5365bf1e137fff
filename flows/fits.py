"""Which fit runs where, and how many at a time."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from threading import BoundedSemaphore, Event
from typing import TYPE_CHECKING, Any, TypeVar

from flows.flow_run import of_model
from flows.publish import progress_artifact
from tasks.core.config.experiment import ExecutionConfig, ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import ConfigError, OrchestrationError
from tasks.core.formatting import counted
from tasks.core.inference.sequential import Look
from tasks.core.planning.capacity import fits_at_a_time
from tasks.core.planning.estimate import relative_work
from tasks.core.planning.runs import PlannedRun, RunRef
from tasks.evaluate import evaluate
from tasks.recovery.heartbeat import heartbeat
from tasks.recovery.interrupts import deferred_signals
from tasks.recovery.lock import lock
from tasks.recovery.worker_process import worker_processes
from tasks.recovery.working_directory import CompletedFit, WorkingDirectory
from tasks.reporting import progress
from tasks.tracking.runs import ParentRun
from tasks.tracking.search import complete_runs
from tasks.tracking.store import open_store
from tasks.train import train
from tasks.upload import upload

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_CLUSTER_SECONDS = 30
T = TypeVar("T")


@dataclass(frozen=True)
class Runner:
    """Where fits run.

    Attributes
    ----------
    run_task : callable
        Runs a Prefect task with keyword arguments, here or elsewhere, and returns its result.
    fits_at_a_time : int
        Fits that train at a time on one machine.
    slots : BoundedSemaphore
        Held by each fit that trains.
    threads : int
        Fits that are under way at a time, in training or after it.
    """

    run_task: Callable[..., Any]
    fits_at_a_time: int
    slots: BoundedSemaphore
    threads: int


def run_fits(
    config: ExperimentConfig,
    data: PreparedData,
    runs: Sequence[PlannedRun],
    parent: ParentRun,
    complete: Mapping[str, RunRef],
    look: Look | None = None,
) -> list[CompletedFit]:
    """Train, evaluate and upload runs, which supersede complete ones of the same identity.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.
    runs : sequence of PlannedRun
        The fits.
    parent : ParentRun
        Parent of the run.
    complete : mapping of str to RunRef
        The complete runs by identity.
    look : Look, optional
        The planned look that the fits are for.

    Returns
    -------
    list of CompletedFit

    Raises
    ------
    ConfigError
        If the Dask runner is not installed.
    OrchestrationError
        If the Dask cluster cannot be reached, or has no workers.
    """
    if not runs:
        return []
    # how many fits later looks need is unknown: progress is counted up to this one
    title = f"{look.title}: {counted(len(runs), 'fit')}" if look else counted(len(runs), "fit")
    work = relative_work(config, data.summary, runs)
    progress.plan(title, work)
    replaced = {run.identity: complete[run.identity].run_id for run in runs if run.identity in complete}
    for identity in replaced:
        WorkingDirectory(identity).remove()  # what an earlier run left here belongs to the superseded run

    def fit(run: PlannedRun, failed: Event) -> CompletedFit | None:
        """Run one fit; None if another fit failed before this one began."""
        with of_model(run.model, run.role), lock(f"fit-{run.identity}", run.label) as waited:
            if waited and run.identity not in replaced:
                complete_now = complete_runs(open_store(parent.uri), parent.experiment_id, run.identity)
                if run.identity in complete_now:
                    return CompletedFit(complete_now[run.identity])
            common = {"run": run, "parent": parent}
            with runner.slots:
                progress.check_stop(f"{run.label} was stopped before it began")
                if failed.is_set():
                    return None
                try:
                    fitted = runner.run_task(
                        train, config=config, data=data, fits_at_a_time=runner.fits_at_a_time, **common
                    )
                except BaseException:
                    failed.set()  # before the slot is free, and another fit begins
                    raise
            # here and not in the steps: each of them may wait in the queue of a cluster
            with heartbeat(open_store(parent.uri), fitted.run_id):
                fitted = runner.run_task(evaluate, config=config, data=data, run=run, open_fit=fitted)
                progress.check_stop(f"{run.label} was stopped before its upload")
                ref = runner.run_task(upload, open_fit=fitted, replaces=replaced.get(run.identity), **common)
            return CompletedFit(ref, WorkingDirectory(run.identity))

    with _runner(config, data, runs) as runner, progress_artifact(config.name, title, len(runs)) as update:
        if runner.fits_at_a_time > 1:  # the longest first: none of them is left over at the end
            runs = sorted(runs, key=lambda run: -work[run.training_label] - work[run.lists_label])
        return in_threads(fit, runs, runner.threads, on_complete=update)


def in_threads(
    fit: Callable[[PlannedRun, Event], T | None],
    runs: Sequence[PlannedRun],
    threads: int,
    on_complete: Callable[[int], None] | None = None,
) -> list[T]:
    """Run fits in threads, so that one is evaluated and uploaded while another trains.

    After a failure no further fit begins, and those under way are finished. Ctrl-C and SIGTERM stop them at their next
    step.

    Parameters
    ----------
    fit : callable
        Runs one fit. The event that it is given is set once one has failed.
    runs : sequence of PlannedRun
        The fits.
    threads : int
        Fits under way at a time.
    on_complete : callable, optional
        Called with the number of complete fits after each of them.

    Returns
    -------
    list of T
        What `fit` returned, except None, in the order in which the fits ended.
    """
    failed = Event()
    results: list[T] = []

    def guarded(run: PlannedRun) -> T | None:
        try:
            return fit(run, failed)
        except BaseException:
            failed.set()
            raise

    with deferred_signals() as stop, progress.stoppable(stop), ThreadPoolExecutor(threads, "fit") as pool:
        try:
            pending = {pool.submit(copy_context().run, guarded, run) for run in runs}
            while pending:
                done, pending = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                progress.check_stop("the fits were stopped")
                for result in (future.result() for future in done):
                    if result is not None:
                        results.append(result)
                        if on_complete:
                            on_complete(len(results))
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, Exception):
                stop.set()
            if any(future.running() for future in pending) and not stop.is_set():
                log.warning("%s; the fits under way are finished first", type(error).__name__)
            raise
    return results


@contextmanager
def _runner(config: ExperimentConfig, data: PreparedData, runs: Sequence[PlannedRun]) -> Iterator[Runner]:
    execution = config.execution
    if execution.runner == "dask":
        with _cluster(execution) as dask:

            def run_on_cluster(task: Any, **parameters: Any) -> Any:
                future = dask.submit(task, parameters=parameters)
                while not future.wrapped_future.done():  # type: ignore[no-untyped-call]
                    time.sleep(_POLL_SECONDS)
                    progress.check_stop("the fits on the cluster were stopped")
                return future.result()

            # all are submitted at once: the cluster decides how many train at a time
            yield Runner(run_on_cluster, _fits_a_machine(dask), BoundedSemaphore(len(runs)), len(runs))
        return
    size = data.summary.size
    workers = fits_at_a_time(execution.workers, runs, size)
    # the Spark session of this process trains here; one that is started is in the process of the fits
    here = execution.spark is None and all(run.settings.is_of_spark for run in runs)
    with worker_processes(workers if execution.isolate and not here else 0):
        # twice as many threads: one fit is evaluated and uploaded while another trains
        yield Runner(lambda task, **parameters: task(**parameters), workers, BoundedSemaphore(workers), 2 * workers)


@contextmanager
def _cluster(execution: ExecutionConfig) -> Iterator["DaskTaskRunner"]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise ConfigError(
            "execution.runner: dask needs packages that are not installed; "
            "install them with: pip install --editable '.[dask]'"
        ) from None
    runner = DaskTaskRunner(address=execution.address, client_kwargs={"timeout": _CLUSTER_SECONDS})
    with runner:
        try:
            runner.client.wait_for_workers(1, timeout=_CLUSTER_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            raise OrchestrationError(
                f"the Dask cluster at {execution.address} cannot be used: {error or 'no worker came'}; start it with "
                "`dask scheduler` and `dask worker`, and check execution.address"
            ) from error
        yield runner


def _fits_a_machine(runner: "DaskTaskRunner") -> int:
    """Return how many fits the cluster runs at a time on the machine where it runs most."""
    workers: dict[str, Any] = runner.client.scheduler_info(n_workers=-1)["workers"]
    slots: dict[str, int] = {}
    for worker in workers.values():
        slots[worker["host"]] = slots.get(worker["host"], 0) + int(worker["nthreads"])
    return max(slots.values())
