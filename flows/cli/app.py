"""The `latentlab` command. Each command imports what it needs: `--help` and `check` start at once."""

import atexit
import io
import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer

from flows import environment
from flows.cli import browse, check, data, export, maintain, run, search
from flows.cli.failures import ReportingGroup, reported
from flows.cli.streams import prepare_streams, say
from tasks.core.errors import LatentlabError, OrchestrationError
from tasks.core.formatting import escaped
from tasks.recovery.interrupts import repeat_dropped_signals

app = typer.Typer(
    cls=ReportingGroup,
    help="Is one ALS model significantly different from another? Experiments over neighbour lists.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (run, check, search, browse, export, data, maintain):
    app.add_typer(module.commands)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"latentlab {version('latentlab')}")
        raise typer.Exit


@app.callback()
def settings(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and Prefect's own log.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    """Is one ALS model significantly different from another? Experiments over neighbour lists."""
    environment.prepare(debug=debug)


def main() -> None:
    """Run the command; the console script's entry point.

    The process ends after Python's own exit handlers and before the destructors of C++ libraries: those of pyarrow
    abort a finished command now and then when its threads have only just started (seen with Python 3.13).
    """
    code = 1

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError, LatentlabError):
                stream.flush()
        os._exit(code)

    atexit.register(leave)  # the first to be registered is the last to be run
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job inherits it as ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else what a command has started would outlive it
    repeat_dropped_signals()
    try:
        with reported(debug="--debug" in sys.argv):
            prepare_streams()
            app(prog_name="latentlab")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if code == OrchestrationError.exit_code:  # it was reported: Prefect's threads would repeat it for 30 seconds
            logging.disable()
            sys.stderr = io.StringIO()
        raise
    except Exception:  # with --debug; Python would print it as it is, and a message may quote a file
        sys.stderr.write(escaped(traceback.format_exc()))
        raise SystemExit(1) from None
