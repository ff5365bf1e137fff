"""From an exception to what a person and a shell see: one message on stderr, and the documented exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from flows.cli.streams import ClosedPipe, say_on_stderr
from flows.expected_errors import as_expected, package
from tasks.core.errors import without_logins
from tasks.core.formatting import escaped


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
        if package(type(error).__module__) in {"typer", "click"}:
            if isinstance(message := getattr(error, "message", None), str):  # it may quote an argument
                error.message = escaped(message)  # type: ignore[attr-defined]
            raise
        if debug:
            raise
        expected = as_expected(error)
        message = expected or f"a bug: {type(error).__name__}: {error}; latentlab --debug shows where"
        say_on_stderr(f"latentlab: {without_logins(str(message))}")
        raise SystemExit(expected.exit_code if expected else 1) from None
