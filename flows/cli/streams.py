"""Standard streams: a closed pipe, a full disk, a closed stream, letters that an encoding lacks, escape sequences."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError, LatentlabError
from tasks.core.formatting import escaped

_LONGEST_LINE = 1000
"""Of a message, in characters."""


class ClosedPipe(LatentlabError):
    """Nobody reads stdout any more, as after `| head -1`. The command ends without a message."""

    exit_code = 141  # as a process that SIGPIPE ends


class _Output(io.TextIOWrapper):
    """stdout. What it raises is neither taken for a failure of a file or a server, nor handled by Rich or Typer."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise _output_error(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _output_error(error) from error


class _Messages(io.TextIOWrapper):
    """stderr. A message that cannot be written is lost; the exit code stays."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _output_error(error: OSError) -> LatentlabError:
    if isinstance(error, BrokenPipeError):
        return ClosedPipe()
    return DataError(f"stdout cannot be written: {error.strerror or error}; free space, or write it elsewhere")


def prepare_streams() -> None:
    """Replace the streams of this process by those that report what cannot be written.

    Raises
    ------
    DataError
        If stdout is closed.
    """
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:  # otherwise the next file, perhaps a database, would take its number
            stream = Path(os.devnull).open(mode)  # noqa: SIM115 - for the life of the process
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if sys.stdout is None:
        raise DataError("stdout is closed; write it to a file or a pipe, or to /dev/null")
    sys.stderr = _replaced(_Messages, sys.stderr, "backslashreplace")
    sys.stdout = _replaced(_Output, sys.stdout, "replace")


def _replaced(kind: type[io.TextIOWrapper], stream: Any, errors: str) -> io.TextIOWrapper:
    return kind(stream.buffer, stream.encoding, errors, line_buffering=stream.line_buffering)


def say(text: str) -> None:
    """Print a text on stdout, with escape sequences in place of control characters.

    Parameters
    ----------
    text : str
        Of one or more lines. Tables are printed by the consoles of `flows.cli.printing.tables`, JSON by `print_json`.
    """
    print(escaped(text))


def say_on_stderr(message: str) -> None:
    """Print a message on stderr, with escape sequences in place of control characters.

    Parameters
    ----------
    message : str
        Of a long line the middle is left out: a message begins with what was found, and ends with what to do.
    """
    lines = message.split("\n")
    half = _LONGEST_LINE // 2
    short = [line if len(line) <= _LONGEST_LINE else f"{line[:half]} … {line[-half:]}" for line in lines]
    print(escaped("\n".join(short)), file=sys.stderr, flush=True)
