"""The Spark session that trains: one that is started, or that of the process."""

import logging
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tasks.core.config.experiment import SparkConfig
from tasks.core.errors import ConfigError, OrchestrationError, TrainingError
from tasks.core.models.spark.installation import check_java, spark_version

if TYPE_CHECKING:
    from subprocess import Popen

    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10
"""For a master to accept a connection."""
_START_SECONDS = 180
"""For Spark to start, and again for its first executor. Spark itself asks a master for a minute."""
_CANCEL_SECONDS = 10
"""For cancelled jobs to end."""
_REASON_CHARACTERS = 400
_CODES = re.compile(r"^(?:org\.apache\.spark\.)?\w+(?:Exception|Error): |\[[A-Z_.]+\] | SQLSTATE: \w+")
"""What stands around the words of Spark's errors."""
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
            return _in_thread(grouped, on_wait, seconds, cancel)
        except _WorkFailed as failed:
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
                self.java.wait(5 if _is_connection_lost(error) else 0)
        if (self.java is not None and self.java.poll() is not None) or _is_connection_lost(error):
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


class _WorkFailed(Exception):
    """Wraps an error of the work, so that it differs from those of waiting for it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def _in_thread(work: Callable[[], T], on_wait: OnWait, seconds: float, cancel: Callable[[], None]) -> T:
    """Run work in a daemon thread, and cancel it where waiting for it is given up."""
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
        raise _WorkFailed(error)
    return future.result()


def reason_of(error: BaseException) -> str | None:
    """Return what an error of Spark says, shortened to a line; None for an error that is not Spark's."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    if isinstance(error, Py4JJavaError):
        text = str(error.java_exception)
    elif isinstance(error, PySparkException):
        text = str(error)
    else:
        return None
    if text.startswith("java.lang.IllegalStateException") and "stopped SparkContext" in text:
        return "the Spark session was stopped"
    lines = [line.strip() for line in text.splitlines()]
    first = _CODES.sub("", lines[0])
    if "OutOfMemoryError" in text and "OutOfMemoryError" not in first:
        first += " (java.lang.OutOfMemoryError)"
    return first if len(first) <= _REASON_CHARACTERS else first[: _REASON_CHARACTERS - 1] + "…"


def _is_connection_lost(error: BaseException) -> bool:
    from py4j.protocol import Py4JError, Py4JJavaError

    return isinstance(error, ConnectionError) or (isinstance(error, Py4JError) and not isinstance(error, Py4JJavaError))


def start_session(config: SparkConfig, log_file: Path, on_wait: OnWait) -> Session:
    """Start a Spark session in a Java process of its own.

    Parameters
    ----------
    config : SparkConfig
        Its master and options.
    log_file : Path
        Where the Java process writes what it says, in place of this process's streams; replaced.
    on_wait : callable
        See `OnWait`.

    Returns
    -------
    Session
        With an executor.

    Raises
    ------
    ConfigError
        If pyspark or Java is missing, or Spark refuses an option.
    OrchestrationError
        If the master or its executors do not answer.
    """
    spark_version()
    check_java()
    _check_reachable(config.master)
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    options = {"spark.app.name": "latentlab", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if config.master.startswith("local"):  # the name of this machine need not have an address
        options |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    conf = SparkConf(loadDefaults=False)
    conf.setAll([*(options | config.config).items(), ("spark.master", config.master)])
    # it writes a traceback for each lost connection, some of them to the root logger
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_is_not_of_py4j)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.unlink(missing_ok=True)
    started: list[Any] = []

    def start() -> "SparkSession":
        with log_file.open("wb") as output:
            gateway = launch_gateway(conf, {"stdout": output, "stderr": output})  # type: ignore[no-untyped-call]
        started.append(gateway.proc)
        return SparkSession(SparkContext(conf=conf, gateway=gateway))

    def kill() -> None:
        for process in started:
            process.kill()

    unusable = f"Spark with the master {config.master} cannot be used"
    try:
        spark = _in_thread(start, on_wait, _START_SECONDS, kill)
        session = Session(spark, started[0], log_file)
        session.run(lambda: spark.range(1).count(), on_wait, group="latentlab: start", seconds=_START_SECONDS)
    except TimeoutError:
        what = "no executor came" if started else "it did not start"
        raise OrchestrationError(
            f"{unusable}: {what} within {_START_SECONDS} s; check the master and its workers, and the memory and cores "
            f"that execution.spark.config asks of them; Spark's log is {log_file}"
        ) from None
    except _WorkFailed as failed:
        kill()
        reason = "its own process ended" if _is_connection_lost(failed.error) else reason_of(failed.error)
        reason = _said_last(log_file) or reason or str(failed.error).partition("\n")[0]
        raise OrchestrationError(
            f"{unusable}: {reason}; check execution.spark; Spark's log is {log_file}"
        ) from failed.error
    except TrainingError as error:
        kill()
        raise OrchestrationError(f"{unusable}: {error}; check execution.spark") from error
    log.info("Spark %s with the master %s", spark.version, config.master)
    return session


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    return Path(record.pathname).parent.name != "py4j"


def _said_last(log_file: Path) -> str:
    """Return the last error that Spark wrote, where it ended before it could answer; empty without one."""
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith(("Error", "Exception in thread")) or " ERROR " in line]
    return errors[-1].strip() if errors else ""


def _check_reachable(master: str) -> None:
    """Refuse a standalone master none of whose addresses accepts a connection: Spark would ask it for a minute."""
    if not master.startswith("spark://"):
        return
    refused = []
    for address in master.removeprefix("spark://").split(","):
        parts = urlsplit(f"spark://{address}")
        try:
            if parts.hostname is None or parts.port is None:
                raise ValueError("expected spark://HOST:PORT")
            socket.create_connection((parts.hostname, parts.port), _CONNECT_SECONDS).close()
        except ValueError as error:
            raise ConfigError(f"execution.spark.master: found {master!r}: {error}") from None
        except OSError as error:
            refused.append(f"{address}: {error}")
        else:
            return
    raise OrchestrationError(
        f"the Spark master at {master} does not answer ({'; '.join(refused)}); start it, or check "
        "execution.spark.master"
    )


def session_of_process() -> Session:
    """Return the Spark session that this process has, as in a notebook on Databricks.

    Raises
    ------
    ConfigError
        If it has none, or one that cannot train.
    """
    spark_version()
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from pyspark.sql.utils import is_remote

    if is_remote():
        raise ConfigError(
            "the Spark session of this process is one of Spark Connect, which has no access to jobs and checkpoints; "
            "expected a classic session, as on a Databricks cluster with dedicated access, or execution.spark.master"
        )
    try:
        return Session(SparkSession.active())
    except (PySparkException, AssertionError, AttributeError):  # the last two: none was ever started
        raise ConfigError(
            "`engine: spark` needs a Spark session, and this process has none; say where to start one, such as "
            "execution.spark.master=local[2]"
        ) from None
