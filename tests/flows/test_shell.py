"""The command as a shell meets it: its version, completion, and calls from any folder."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.command_line import CommandLine

COMPLETE = """
export HOME="$PWD" PATH="$1:$PATH"
latentlab --install-completion bash
source .bashrc
COMP_WORDS=({words}) COMP_CWORD={last}
_latentlab_completion latentlab
echo "completed: ${{COMPREPLY[@]}}"
"""


def test_version_is_that_of_the_package(offline: CommandLine) -> None:
    done = offline.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"latentlab {version('latentlab')}\n", "")


@pytest.mark.parametrize(
    ("words", "completed"), [("latentlab rep", "report"), ("latentlab run --reg", "--register")], ids=str
)
def test_bash_completes_commands_and_options(offline: CommandLine, words: str, completed: str) -> None:
    script = COMPLETE.format(words=words, last=len(words.split()) - 1)
    command = ["bash", "-c", script, "bash", str(Path(sys.executable).parent)]
    done = subprocess.run(
        command, cwd=offline.folder, env=offline.env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.splitlines()[-1] == f"completed: {completed}", done.stderr


def test_the_default_experiment_is_found_from_any_folder(offline: CommandLine) -> None:
    # a fault in an override: the config itself was found and read
    error = offline.failure(2, "run", "--set", "models.k50.factors=0")
    assert "--set models.k50.factors=0: models.k50.factors: found 0" in error
    assert not (offline.folder / "configs").exists()
