"""What is printed where nobody reads it, where it cannot be written, and in an encoding that lacks letters of it."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.printing.log_lines import LogLines
from flows.cli.printing.tables import err
from tests.command_line import CommandLine, Done

full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")


def in_shell(commands: CommandLine, text: str, **variables: str) -> Done:
    """Run a line of shell, in which `latentlab` is the command; the exit code is that of the command."""
    line = f'set -o pipefail; latentlab() {{ {sys.executable!r} -m flows "$@"; }}; {text}'
    env = commands.with_env(**variables).env
    return subprocess.run(
        ["bash", "-c", line], cwd=commands.folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("command", ["check config.yaml", "show latest --json", "show latest", "--help"])
def test_a_pipe_that_is_closed_ends_the_command_quietly(small_finished: CommandLine, command: str) -> None:
    done = in_shell(small_finished, f"latentlab {command} | true")
    assert (done.returncode, done.stderr) == (141, "")


@full_device
@pytest.mark.parametrize("command", ["check config.yaml", "runs", "--help"])
def test_output_that_cannot_be_written_is_one_message(small_finished: CommandLine, command: str) -> None:
    done = in_shell(small_finished, f"latentlab {command} > /dev/full")
    assert done.returncode == 3
    assert done.stderr == (
        "latentlab: stdout cannot be written: No space left on device; free space, or write it elsewhere\n"
    )


def test_a_closed_stdout_is_reported_before_anything_is_done(small_finished: CommandLine) -> None:
    done = in_shell(small_finished, "latentlab runs >&-")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "latentlab: stdout is closed; write it to a file or a pipe, or to /dev/null\n"


@pytest.mark.parametrize("stderr", ["2>&-", pytest.param("2>/dev/full", marks=full_device)])
def test_a_stderr_that_cannot_be_written_does_not_change_the_exit_code(offline: CommandLine, stderr: str) -> None:
    done = in_shell(offline, f"latentlab check missing.yaml {stderr}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_letters_that_an_encoding_lacks_are_replaced(small_finished: CommandLine) -> None:
    done = in_shell(small_finished, "latentlab check config.yaml", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "confidence      alpha?(" in done.stdout


def test_a_log_message_in_a_pipe_is_one_line_without_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(err, "width", 80)
    for message in ("short", "long " * 40 + "end"):
        LogLines().emit(logging.makeLogRecord({"msg": message}))
    assert written.getvalue() == f"short\n{'long ' * 40}end\n"


def test_a_log_message_in_a_terminal_has_no_colours_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(err, "_force_terminal", True)
    LogLines().emit(logging.makeLogRecord({"msg": "103,404 ratings read"}))
    assert written.getvalue() == "103,404 ratings read\n"
