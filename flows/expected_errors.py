"""What an error of a library means here: the expected failure of latentlab that it stands for."""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.errors import OUT_OF_MEMORY, LatentlabError, OrchestrationError, TrackingError, TrainingError
from tasks.core.files import home_error

_ORCHESTRATION = {"prefect", "httpx", "httpcore"}
_TRACKING = {"mlflow", "sqlalchemy"}


@contextmanager
def as_our_errors() -> Iterator[None]:
    """Raise the LatentlabError that an error of a library stands for. Bugs are raised as they are.

    Raises
    ------
    LatentlabError
        If the block fails in an expected way.
    """
    try:
        yield
    except LatentlabError:
        raise
    except Exception as error:
        if expected := as_expected(error):
            raise expected from error
        raise


def as_expected(error: Exception) -> LatentlabError | None:
    """Return the error, or what a library's error means here; None for a bug."""
    if isinstance(error, LatentlabError):
        return error
    if isinstance(error, MemoryError):
        return TrainingError(OUT_OF_MEMORY)
    if in_home := home_error(error):
        return in_home
    library = package(type(error).__module__)
    if library in _ORCHESTRATION or "Failed to reach API" in str(error):
        return OrchestrationError(
            f"Prefect's API cannot be used: {error}; check PREFECT_API_URL, or unset it for the embedded server"
        )
    if library in _TRACKING:
        from tasks.tracking.store import first_line

        return TrackingError(
            f"MLflow's store failed: {first_line(error)}; run the same command again: what is trained is kept"
        )
    # an exception of Python, or of a library that Prefect or MLflow uses
    called = _called_library(error)
    if called in _ORCHESTRATION:
        advice = "check the variables PREFECT_* and SSL_CERT_*, and the profile in PREFECT_HOME"
        return OrchestrationError(f"Prefect failed: {_description(error, 'PREFECT_')}; {advice}")
    if called in _TRACKING:
        return TrackingError(f"MLflow failed: {_description(error, 'MLFLOW_')}; check the variables MLFLOW_*")
    return None


def package(module: str) -> str:
    """Return the package of a module, by their names."""
    return module.partition(".")[0]


def _called_library(error: Exception) -> str:
    """Return the library within which an error was raised: the package that our code called last."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [package(frame.f_globals.get("__name__", "")) for frame in frames]
    called = ""
    for name in packages:
        if name in {"flows", "tasks"}:
            called = ""
        elif not called and name != "importlib":
            called = name
    return called


def _description(error: Exception, prefix: str) -> str:
    """Return what an error says, on one line, after the environment variables that have the value it rejects."""
    text = rejected = f"{type(error).__name__}: {error}"
    if "pydantic" in sys.modules:
        from pydantic import ValidationError

        if isinstance(error, ValidationError):
            faults = [fault for fault in error.errors() if fault["type"] != "default_factory_not_called"]
            text = "; ".join(f"{fault['loc'][-1]}: found {fault['input']!r}; {fault['msg']}" for fault in faults)
            rejected = " ".join(str(fault["input"]) for fault in faults)
    variables = [
        f"{name}={value}: "
        for name, value in sorted(os.environ.items())
        if name.startswith(prefix) and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", rejected, re.IGNORECASE)
    ]
    return "".join(variables) + " ".join(text.split())
