"""Work of a Spark session, which can be watched and cancelled."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.core.errors import TrainingError
from tasks.core.models.spark.reasons import is_connection_lost, reason_of

if TYPE_CHECKING:
    from subprocess import Popen

    from pyspark.sql import SparkSession

_POLL_SECONDS = 0.2
_CANCEL_SECONDS = 10
"""For cancelled jobs to end."""
T = TypeVar("T")
OnWait = Callable[[], None]
"""Called several times a second while Spark works. It may raise an exception, which ends the work."""


@dataclass(frozen=True)
class Session:
    """A Spark session, and the Java process that was started for it.

    Attributes
    ----------
    spark : SparkSession
    java : Popen or None
        None if the session is not ours.
    log : Path or None
        Where this process writes what it says.
    """

    spark: "SparkSession"
    java: "Popen[bytes] | None" = None
    log: Path | None = None

    @cached_property
    def context(self) -> Any:
        """The SparkContext."""
        return self.spark.sparkContext

    def run(self, work: Callable[[], T], on_wait: OnWait, *, group: str, seconds: float = float("inf")) -> T:
        """Run work whose jobs can be watched and cancelled.

        Parameters
        ----------
        work : callable
            Starts Spark's jobs. It runs in a thread of its own.
        on_wait : callable
            See `OnWait`.
        group : str
            Name of the group that the jobs belong to.
        seconds : float
            Time after which the jobs are cancelled.

        Returns
        -------
        T
            What `work` returns.

        Raises
        ------
        TimeoutError
            If it takes longer.
        TrainingError
            If a job fails or is cancelled, or Spark ends. An error of `on_wait` is raised as it is.
        """

        def grouped() -> T:
            self.context.setJobGroup(group, group)
            return work()

        def cancel() -> None:
            self.context.cancelJobGroup(group)

        try:
            return run_in_thread(grouped, on_wait, seconds, cancel)
        except WorkFailed as failed:
            raise self._explained(failed.error) from failed.error

    def ended_jobs(self, group: str, known: set[int]) -> set[int]:
        """Return jobs of a group that have succeeded. Spark forgets all but the last thousand jobs.

        Parameters
        ----------
        group : str
            See `run`.
        known : set of int
            Jobs that are known to have, and left out.

        Returns
        -------
        set of int
        """
        try:
            tracker = self.context.statusTracker()
            found = {job: tracker.getJobInfo(job) for job in {*tracker.getJobIdsForGroup(group)} - known}
        except Exception:  # Spark has gone; what it was to do fails too, and says why
            return set()
        return {job for job, info in found.items() if info is not None and info.status == "SUCCEEDED"}

    def _explained(self, error: BaseException) -> BaseException:
        """Return the error to raise for one of Spark's; others are returned as they are."""
        where = f"; Spark's log is {self.log}" if self.log else ""
        if self.java is not None:
            with suppress(Exception):  # the process of a lost connection ends within moments, if it does
                self.java.wait(5 if is_connection_lost(error) else 0)
        if (self.java is not None and self.java.poll() is not None) or is_connection_lost(error):
            memory = "; its memory has probably run out: raise spark.driver.memory in execution.spark.config"
            return TrainingError(f"Spark's own process ended{memory if self._is_out_of_memory() else ''}{where}")
        reason = reason_of(error)
        if reason is None:
            return error
        if "OutOfMemoryError" in reason:
            remedy = "; raise spark.executor.memory (or, with a local master, spark.driver.memory), or blocks"
        elif "cancelled" in reason:
            remedy = "; run the same command again: it starts this fit anew"
        elif "ExecutorLostFailure" in reason or "executor" in reason.lower():
            remedy = "; look for what ended the executors, often their memory: raise spark.executor.memory, or blocks"
        else:
            remedy = ""
        return TrainingError(f"Spark failed: {reason}{remedy}{where}")

    def _is_out_of_memory(self) -> bool:
        return self.log is not None and b"OutOfMemoryError" in self.log.read_bytes()


class WorkFailed(Exception):
    """Wraps an error of the work, so that it differs from those of waiting for it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def run_in_thread(work: Callable[[], T], on_wait: OnWait, seconds: float, cancel: Callable[[], None]) -> T:
    """Run work in a daemon thread, and cancel it where waiting for it is given up.

    Parameters
    ----------
    work, on_wait, seconds
        As for `Session.run`.
    cancel : callable
        Called until the work has ended, for `_CANCEL_SECONDS` at most.

    Returns
    -------
    T
        What `work` returns.

    Raises
    ------
    TimeoutError
        If it takes longer.
    WorkFailed
        If `work` raises an error. An error of `on_wait` is raised as it is.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="spark", daemon=True).start()
    until = time.monotonic() + seconds
    try:
        while not wait([future], _POLL_SECONDS).done:
            on_wait()
            if time.monotonic() > until:
                raise TimeoutError
    except BaseException:
        # a job that begins just after the others are cancelled is not among them
        given_up = time.monotonic() + _CANCEL_SECONDS
        while not future.done() and time.monotonic() < given_up:
            with suppress(Exception):  # Spark may be gone
                cancel()
            wait([future], _POLL_SECONDS)
        raise
    error = future.exception()
    if error is not None:
        raise WorkFailed(error)
    return future.result()
