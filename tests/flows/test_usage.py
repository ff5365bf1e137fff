"""Arguments and options: exit code 2 with the way to the help, and help for every command."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from flows.cli.app import app
from flows.cli.failures import reported
from tests.command_line import CommandLine


def commands() -> list[list[str]]:
    """Return the words of every command and of every group of commands."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    names = [[], *([name] for name in root.commands)]
    groups = {name: group for name, group in root.commands.items() if isinstance(group, TyperGroup)}
    return names + [[group, name] for group in groups for name in groups[group].commands]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "No such command 'runn'"),
        (["run", "--freshh"], "No such option"),
        (["run", "--consensus"], "--consensus needs --register NAME"),
        (["check"], "Missing argument"),
        (["run", "config.yaml", "more"], "unexpected extra argument"),
        (["similar", "latest"], "give either --user or --item"),
        (["similar", "latest", "--user", "1", "--item", "1"], "give either --user or --item"),
        (["similar", "latest", "--user", "1", "-n", "five"], "valid integer"),
        (["recommend", "latest"], "give either --user or --items"),
        (["data", "fetch"], "Missing argument"),
    ],
)
def test_a_fault_in_the_usage_is_reported_with_the_way_to_the_help(
    offline: CommandLine, arguments: list[str], message: str
) -> None:
    done = offline.call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "--help" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_process_of_a_fault_in_the_usage_prints_the_same(offline: CommandLine) -> None:
    done, called = offline.run("run", "--freshh"), offline.call("run", "--freshh")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == called.stderr


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command) or "latentlab")
def test_every_command_has_help(offline: CommandLine, command: list[str]) -> None:
    done = offline.call(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(["Usage: latentlab", *command]) in done.stdout


def test_the_process_of_help_prints_the_same(offline: CommandLine) -> None:
    done = offline.run("run", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == offline.call("run", "--help").stdout


def test_help_imports_no_large_library(offline: CommandLine) -> None:
    large = ("prefect", "mlflow", "pandas", "scipy", "numpy")
    code = f"import sys, flows.cli.app; print([name for name in {large} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=offline.env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_of_the_home_that_cannot_be_used_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended, reported(debug=False):
        (tmp_path / "work").read_text()
    assert ended.value.code == 3
    assert f"latentlab: {tmp_path}/work: cannot be read or written: No such file" in capsys.readouterr().err
