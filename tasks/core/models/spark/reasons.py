"""What errors of Spark say, in a line."""

import re

_REASON_CHARACTERS = 400
_CODES = re.compile(r"^(?:org\.apache\.spark\.)?\w+(?:Exception|Error): |\[[A-Z_.]+\] | SQLSTATE: \w+")
"""What stands around the words of Spark's errors."""


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


def is_connection_lost(error: BaseException) -> bool:
    """Return whether an error says that Spark's own process no longer answers."""
    from py4j.protocol import Py4JError, Py4JJavaError

    return isinstance(error, ConnectionError) or (isinstance(error, Py4JError) and not isinstance(error, Py4JJavaError))
