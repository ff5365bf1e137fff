"""From an exception to what a person and a shell see: one message on stderr, and the documented exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from tasks.core.errors import (
    OUT_OF_MEMORY,
    LatentlabError,
    OrchestrationError,
    TrackingError,
    TrainingError,
    without_logins,
)


class ReportingGroup(TyperGroup):
    """The group of commands, whose expected failures become a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _reported(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def _reported(*, debug: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("latentlab: interrupted", err=True)
        raise typer.Exit(130) from None
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if debug or library in {"typer", "click"}:
            raise
        expected = _as_expected(error, library)
        message = expected or f"a bug: {type(error).__name__}: {error}; latentlab --debug shows where"
        typer.echo(f"latentlab: {without_logins(str(message))}", err=True)
        raise typer.Exit(expected.exit_code if expected else 1) from None


def _as_expected(error: Exception, library: str) -> LatentlabError | None:
    """Return the error, or what a library's error means here; None for a bug."""
    if isinstance(error, LatentlabError):
        return error
    if isinstance(error, MemoryError):
        return TrainingError(OUT_OF_MEMORY)
    if library in {"prefect", "httpx", "httpcore"} or "Failed to reach API" in str(error):
        return OrchestrationError(
            f"Prefect's API cannot be used: {error}; check PREFECT_API_URL, or unset it for the embedded server"
        )
    if library in {"mlflow", "sqlalchemy"}:
        from tasks.tracking.store import first_line

        return TrackingError(
            f"MLflow's store failed: {first_line(error)}; run the same command again: what is trained is kept"
        )
    return None
