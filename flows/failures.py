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


class Guarded(TyperGroup):
    """The group of commands, whose expected failures become a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        with _failures(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def _failures(*, debug: bool) -> Iterator[None]:
    """Turn failures into one message on stderr and the documented exit code."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("latentlab: interrupted", err=True)
        raise typer.Exit(130) from None
    except Exception as error:
        origin = type(error).__module__.partition(".")[0]
        if debug or origin in {"typer", "click"}:
            raise
        known = _as_expected(error, origin)
        message = known or f"a bug: {type(error).__name__}: {error}; latentlab --debug shows where"
        typer.echo(f"latentlab: {without_logins(str(message))}", err=True)
        raise typer.Exit(known.exit_code if known else 1) from None


def _as_expected(error: Exception, origin: str) -> LatentlabError | None:
    """The error, or what a library's own means here."""
    if isinstance(error, LatentlabError):
        return error
    if isinstance(error, MemoryError):
        return TrainingError(OUT_OF_MEMORY)
    if origin in {"prefect", "httpx", "httpcore"} or "Failed to reach API" in str(error):
        return OrchestrationError(
            f"Prefect's API cannot be used: {error}; check PREFECT_API_URL, or unset it for the embedded server"
        )
    if origin in {"mlflow", "sqlalchemy"}:
        from tasks.tracking.store import first_line

        return TrackingError(
            f"MLflow's store failed: {first_line(error)}; run the same command again: what is trained is kept"
        )
    return None
