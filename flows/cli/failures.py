"""From an exception to what a person and a shell see: one message on stderr, and the documented exit code."""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from flows.cli.streams import ClosedPipe, say_on_stderr
from tasks.core.errors import (
    OUT_OF_MEMORY,
    LatentlabError,
    OrchestrationError,
    TrackingError,
    TrainingError,
    without_logins,
)
from tasks.core.files import home_error
from tasks.core.formatting import escaped

_ORCHESTRATION = {"prefect", "httpx", "httpcore"}
_TRACKING = {"mlflow", "sqlalchemy"}


class ReportingGroup(TyperGroup):
    """The group of commands, whose expected failures become a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and write what it printed."""
        with reported(debug=bool(ctx.params.get("debug"))):
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """End the process with an exit code if the block fails, after a message on stderr.

    Parameters
    ----------
    debug : bool
        Raise the exception instead.
    """
    try:
        yield
    except KeyboardInterrupt:
        say_on_stderr("latentlab: interrupted")
        raise SystemExit(130) from None
    except ClosedPipe as error:
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if _package(type(error).__module__) in {"typer", "click"}:
            if isinstance(message := getattr(error, "message", None), str):  # it may quote an argument
                error.message = escaped(message)  # type: ignore[attr-defined]
            raise
        if debug:
            raise
        expected = _as_expected(error)
        message = expected or f"a bug: {type(error).__name__}: {error}; latentlab --debug shows where"
        say_on_stderr(f"latentlab: {without_logins(str(message))}")
        raise SystemExit(expected.exit_code if expected else 1) from None


def _as_expected(error: Exception) -> LatentlabError | None:
    """Return the error, or what a library's error means here; None for a bug."""
    if isinstance(error, LatentlabError):
        return error
    if isinstance(error, MemoryError):
        return TrainingError(OUT_OF_MEMORY)
    if in_home := home_error(error):
        return in_home
    library = _package(type(error).__module__)
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


def _package(module: str) -> str:
    return module.partition(".")[0]


def _called_library(error: Exception) -> str:
    """Return the library within which an error was raised: the package that our code called last."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [_package(frame.f_globals.get("__name__", "")) for frame in frames]
    called = ""
    for package in packages:
        if package in {"flows", "tasks"}:
            called = ""
        elif not called and package != "importlib":
            called = package
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
