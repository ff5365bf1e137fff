"""Commands that read runs of a sqlite store: without MLflow, and with the same answers as through MLflow's client."""

import shutil
from pathlib import Path

import pytest

from tests.command_line import CommandLine, answer_of, command_line
from tests.flows.finished_experiment import FinishedExperiment

LOOK_UPS = [
    ["runs"],
    ["show", "latest"],
    ["show", "blocks/k2/1"],
    ["similar", "blocks", "--user", "3"],
    ["similar", "blocks/k8/0", "--item", "4", "--by", "scores", "-n", "7"],
    ["similar", "blocks", "--user", "3", "--consensus"],
    ["recommend", "blocks", "--user", "0"],
    ["recommend", "blocks", "--items", "4,5"],
    ["report"],
]


@pytest.fixture
def commands(finished: FinishedExperiment, closed: str) -> CommandLine:
    return command_line(finished.folder, f"{closed}/api").with_env(LATENTLAB_HOME=str(finished.folder / ".latentlab"))


@pytest.mark.parametrize("arguments", LOOK_UPS, ids=" ".join)
def test_look_ups_answer_the_same_with_and_without_mlflow(commands: CommandLine, arguments: list[str]) -> None:
    """A store whose address has options is opened by MLflow's client."""
    through_mlflow = commands.with_env(MLFLOW_TRACKING_URI=f"{commands.store}?timeout=20")
    expected = through_mlflow.answer(*arguments)
    if arguments == ["runs"]:
        assert expected.pop("store") == f"{commands.store}?timeout=20"
        expected["store"] = commands.store
    assert commands.answer(*arguments) == expected


@pytest.mark.parametrize("arguments", LOOK_UPS, ids=" ".join)
def test_look_ups_import_neither_mlflow_nor_prefect_nor_pandas(commands: CommandLine, arguments: list[str]) -> None:
    """With a count of what Python imports: each of the three takes longer than the command."""
    done = commands.with_env(PYTHONPROFILEIMPORTTIME="1").run(*arguments, "--json")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 0, done.stderr
    assert {"flows.cli.browse", "sqlite3"} <= imported
    assert imported & {"mlflow", "prefect", "pandas", "sqlalchemy", "matplotlib"} == set()


@pytest.mark.parametrize(
    "arguments", [["show", "nothing"], ["similar", "blocks/k2/9", "--user", "3"], ["show", "0" * 32]], ids=" ".join
)
def test_failures_have_the_same_message_and_exit_code(commands: CommandLine, arguments: list[str]) -> None:
    through_mlflow = commands.with_env(MLFLOW_TRACKING_URI=f"{commands.store}?timeout=20")
    assert commands.failure(5, *arguments) == through_mlflow.failure(5, *arguments)


def test_a_moved_project_is_followed_at_the_first_look_up(
    finished: FinishedExperiment, commands: CommandLine, tmp_path: Path
) -> None:
    """It is a copy, of which the store names files in the former folder."""
    shutil.copytree(finished.folder / "mlartifacts", tmp_path / "mlartifacts")
    shutil.copy(finished.folder / "mlflow.db", tmp_path)
    moved = command_line(tmp_path, commands.env["PREFECT_API_URL"])
    first = moved.run("report", "--json")
    assert Path(answer_of(first)["report"]).is_relative_to(tmp_path)
    assert f"the store now names them in {tmp_path / 'mlartifacts' / 'blocks'}" in first.stderr
    second = moved.run("report", "--json")
    assert answer_of(second) == answer_of(first)
    assert second.stderr == ""
