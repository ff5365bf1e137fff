"""What Spark needs on this machine: pyspark and Java. Neither is started or imported here."""

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tasks.core.errors import ConfigError

LEAST_JAVA = 17
"""Of Spark 4."""
_SECONDS = 30


def spark_version() -> str:
    """Return the version of Spark that is installed.

    Raises
    ------
    ConfigError
        If it is not installed, or not a version that this project works with.
    """
    try:
        found = version("pyspark")
    except PackageNotFoundError:
        found = _version_on_path()
    if not found.startswith("4."):
        raise ConfigError(
            f"`engine: spark` works with pyspark 4, and {found} is installed; install it with: "
            "pip install --editable '.[spark]'"
        )
    return found


def _version_on_path() -> str:
    """Return the version of a pyspark that was not installed as a package, as where Spark comes with its own."""
    try:
        from pyspark import __version__
    except ImportError:
        raise ConfigError(
            "`engine: spark` needs pyspark, which is not installed; install it with: pip install --editable '.[spark]'"
        ) from None
    return str(__version__)


def check_java() -> None:
    """Refuse to start Spark without the Java that it needs.

    Raises
    ------
    ConfigError
        If there is none, or it is too old.
    """
    expected = f"`engine: spark` needs Java {LEAST_JAVA} or later"
    remedy = f"install Java {LEAST_JAVA}, such as Debian's openjdk-{LEAST_JAVA}-jre-headless, or set JAVA_HOME to one"
    java_home = os.environ.get("JAVA_HOME")
    # as Spark's own scripts choose it
    java = str(Path(java_home, "bin", "java")) if java_home else shutil.which("java")
    if java is None:
        raise ConfigError(f"{expected}, and found no `java` on PATH; {remedy}")
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        where = "JAVA_HOME" if java_home else "PATH"
        raise ConfigError(f"{expected}, and {java} of {where} cannot be run: {error}; {remedy}") from error
    # 'openjdk version "17.0.15"', and "1.8.0" for Java 8; other lines may come first
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    if match is None:
        said = (done.stderr + done.stdout).strip().partition("\n")[0]
        raise ConfigError(f"{expected}, and `{java} -version` says {said!r}; {remedy}")
    if int(match[1]) < LEAST_JAVA:
        raise ConfigError(f"{expected}, and {java} is Java {match[1]}; {remedy}")
