"""Spark sessions of tests, which end with the tests that use them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.config.experiment import SparkConfig
from tasks.core.models.spark.session import Session
from tasks.core.models.spark.start import start_session
from tests.conftest import require, require_package


@contextmanager
def started(folder: Path, master: str, **options: str) -> Iterator[Session]:
    """Start a session of this process; options with underscores in place of dots, without `spark.`."""
    require_package("pyspark")
    require(shutil.which("java"), "java")
    config = SparkConfig(
        master=master, config={f"spark.{key.replace('_', '.')}": each for key, each in options.items()}
    )
    try:
        session = start_session(config, folder / "spark.log", lambda: None)
        try:
            yield session
        finally:
            assert session.java is not None
            session.java.kill()
            session.java.wait()
    finally:
        _forget()


def _forget() -> None:
    """Let pyspark start a Java process again: it expects one in the life of a process of Python."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None
