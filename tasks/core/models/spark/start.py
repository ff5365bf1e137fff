"""The Spark session that trains: one that is started, or that of the process."""

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tasks.core.config.experiment import SparkConfig
from tasks.core.errors import ConfigError, OrchestrationError, TrainingError
from tasks.core.models.spark.installation import check_java, spark_version
from tasks.core.models.spark.reasons import is_connection_lost, reason_of
from tasks.core.models.spark.session import OnWait, Session, WorkFailed, run_in_thread

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
"""For a master to accept a connection."""
_START_SECONDS = 180
"""For Spark to start, and again for its first executor. Spark itself asks a master for a minute."""


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
        spark = run_in_thread(start, on_wait, _START_SECONDS, kill)
        session = Session(spark, started[0], log_file)
        session.run(lambda: spark.range(1).count(), on_wait, group="latentlab: start", seconds=_START_SECONDS)
    except TimeoutError:
        what = "no executor came" if started else "it did not start"
        raise OrchestrationError(
            f"{unusable}: {what} within {_START_SECONDS} s; check the master and its workers, and the memory and cores "
            f"that execution.spark.config asks of them; Spark's log is {log_file}"
        ) from None
    except WorkFailed as failed:
        kill()
        reason = "its own process ended" if is_connection_lost(failed.error) else reason_of(failed.error)
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
