"""Tables in narrow terminals: columns move to tables of their own, and no number is cut."""

import re
from collections import Counter

import pytest

from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment

COMMANDS = [
    ("show", "latest"),
    ("show", "blocks/k2/0"),
    ("runs",),
    ("similar", "latest", "--user", "3"),
    ("similar", "latest", "--user", "3", "--consensus"),
    ("recommend", "latest", "--user", "0"),
]


def numbers(text: str) -> Counter[str]:
    """Return how often each number with decimals is printed."""
    return Counter(re.findall(r"(?<![\w.])\d*\.\d+(?![\w.])", text))


@pytest.fixture
def commands(finished: FinishedExperiment, api_url: str) -> CommandLine:
    return command_line(finished.folder, api_url)


@pytest.mark.parametrize("columns", [40, 60, 70, 80])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_number_is_cut(commands: CommandLine, columns: int, arguments: tuple[str, ...]) -> None:
    wide, narrow = (commands.with_env(COLUMNS=str(width)).call(*arguments) for width in (250, columns))
    assert narrow.returncode == wide.returncode == 0, narrow.stderr
    assert numbers(wide.stdout) - numbers(narrow.stdout) == Counter()
    assert max(map(len, narrow.stdout.splitlines())) <= columns
