"""Which fit runs where, and how many at a time."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import copy_context
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from tasks.core.config.experiment import ExecutionConfig, ExperimentConfig
from tasks.core.errors import ConfigError, DataError, OrchestrationError
from tasks.core.models.cost import gflop
from tasks.core.models.threads import cores
from tasks.core.planning.capacity import fits_at_a_time
from tasks.core.planning.runs import PlannedRun, RunRef
from tasks.evaluate import evaluate
from tasks.preprocess import Prepared
from tasks.recovery import interrupts
from tasks.recovery.lock import lock
from tasks.recovery.reconcile import discard
from tasks.recovery.worker_process import grant, isolated
from tasks.reporting import progress
from tasks.tracking import store
from tasks.tracking.search import resolve_duplicates
from tasks.train import Home, train
from tasks.upload import upload

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture
    from prefect_dask.task_runners import DaskTaskRunner

log = logging.getLogger(__name__)

_CLUSTER_SECONDS = 30


def fits(
    config: ExperimentConfig,
    data: Prepared,
    runs: Sequence[PlannedRun],
    where: Home,
    replaced: Mapping[str, str],
) -> Iterator[RunRef]:
    """Train, evaluate and upload every run; yields each once it is complete.

    Parameters
    ----------
    replaced : identity -> the complete run whose place the new one takes

    Raises
    ------
    ConfigError
        The Dask runner is not installed.
    OrchestrationError
        The Dask cluster cannot be reached, or has no workers.
    """
    execution = config.execution
    if execution.runner == "dask":
        yield from _on_dask(config, data, runs, where, replaced)
        return
    size = data.summary.users, data.summary.items, data.summary.interactions
    workers = fits_at_a_time(execution.workers, runs, size)

    def completed(run: PlannedRun) -> RunRef | None:
        """What another process has made of it meanwhile."""
        return resolve_duplicates(store.open_store(where.uri), where.experiment_id, run.identity).get(run.identity)

    def fit(run: PlannedRun, places: Places) -> RunRef | None:
        with lock(f"fit-{run.identity}", run.label) as waited:
            if waited and run.identity not in replaced and (found := completed(run)):
                return found
            try:
                with places.one() as one:
                    if not one:
                        return None
                    trained = train(config, data, run, where, workers)
                staged = evaluate(config, data, run, trained, where)
                interrupts.check()
                return upload(run, staged, where, replaced.get(run.identity))
            except DataError:
                # this process was thought gone, and another has taken the fit up, completed it and tidied behind it
                if found := completed(run):
                    discard(run.identity)
                    return found
                raise

    with isolated(workers if execution.isolate and runs else 0):
        if workers > 1:
            longest_first = sorted(runs, key=lambda run: -gflop(size[:2], size[2], run.settings))
            yield from in_threads(fit, longest_first, workers)
        else:
            places = Places(1)
            yield from filter(None, (fit(run, places) for run in runs))


class Places:
    """Where fits train, so many at a time: while one is evaluated and uploaded, the next has its place."""

    def __init__(self, number: int) -> None:
        self._free, self._closed = BoundedSemaphore(number), False

    @contextmanager
    def one(self) -> Iterator[bool]:
        """A place to train in; False where none is to begin any more, since a fit has failed."""
        with self._free:
            interrupts.check()
            try:
                yield not self._closed
            except BaseException:
                self._closed = True
                raise


def in_threads(
    fit: Callable[[PlannedRun, Places], RunRef | None], runs: Sequence[PlannedRun], workers: int
) -> Iterator[RunRef]:
    """A thread a fit, from its training to its last upload, so that no fit waits half-done for a thread."""
    places = Places(workers)
    with interrupts.stoppable() as stop, ThreadPoolExecutor(2 * workers, thread_name_prefix="fit") as pool:
        started = [pool.submit(copy_context().run, fit, run, places) for run in runs]
        try:
            for left, done in zip(reversed(range(len(runs))), as_completed(started), strict=True):
                if 0 < left < workers:
                    grant(cores() // left)  # the last ones take over the cores of those that have ended
                if ref := done.result():  # else it was not begun, and what failed is still to come
                    yield ref
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, Exception):
                log.warning("%s; the fits under way are finished first", type(error).__name__)
            else:
                stop.set()
            raise


def _on_dask(
    config: ExperimentConfig,
    data: Prepared,
    runs: Sequence[PlannedRun],
    where: Home,
    replaced: Mapping[str, str],
) -> Iterator[RunRef]:
    """All of them at once: the cluster decides what runs where, and its workers share a home and a store with us."""
    with _cluster(config.execution) as runner:
        started: list[tuple[PlannedRun, list[PrefectFuture[Any]]]] = []
        fits_at_a_time = _fits_a_machine(runner)
        for run in runs:
            common = {"run": run, "where": where}
            fitting = {"config": config, "data": data, **common}
            trained = runner.submit(train, parameters={**fitting, "fits_at_a_time": fits_at_a_time})
            evaluated = runner.submit(evaluate, parameters={**fitting, "staged": trained})
            replaces = replaced.get(run.identity)
            uploaded = runner.submit(upload, parameters={**common, "staged": evaluated, "replaces": replaces})
            started.append((run, [trained, evaluated, uploaded]))
        for run, steps in started:
            # each its own failure, not that the next had nothing to go on
            ref: RunRef = [step.result() for step in steps][-1]
            for part in (f"train {run.label}", f"lists of {run.label}"):
                progress.step(part, 1, 1, "fits")
            yield ref


@contextmanager
def _cluster(execution: ExecutionConfig) -> Iterator["DaskTaskRunner"]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise ConfigError(
            "execution.runner: dask needs packages that are not here; "
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
            ) from None
        yield runner


def _fits_a_machine(runner: "DaskTaskRunner") -> int:
    """How many fits the cluster runs at a time on the machine where it runs most."""
    workers: dict[str, Any] = runner.client.scheduler_info(n_workers=-1)["workers"]
    slots: dict[str, int] = {}
    for worker in workers.values():
        slots[worker["host"]] = slots.get(worker["host"], 0) + int(worker["nthreads"])
    return max(slots.values())
