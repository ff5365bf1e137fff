"""`run --expect`: exit code 7 where the result is another than the expected one."""

import json
from pathlib import Path

import pytest

from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment


@pytest.fixture(scope="module")
def commands(finished: FinishedExperiment, api_url: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A folder with a finished experiment of two models and two seeds, which the commands find complete."""
    folder: Path = tmp_path_factory.mktemp("expectations")
    finished.copy_to(folder)
    (folder / "config.yaml").write_text(finished.config.to_yaml())
    return command_line(folder, api_url).with_env(LATENTLAB_HOME=str(folder / ".latentlab"))


def test_the_expected_result_ends_with_code_0(commands: CommandLine) -> None:
    options = ["--expect", "too-few-seeds", "--expect-accuracy", "k2:ndcg_at_5>=0", "--expect-accuracy", "k8:auc>=0"]
    done = commands.call("run", "config.yaml", *options)
    assert done.returncode == 0, done.stderr
    assert "0 fits trained" in done.stdout


def test_another_result_ends_with_code_7_after_the_tables(commands: CommandLine) -> None:
    done = commands.call("run", "config.yaml", "--expect", "not:too-few-seeds")
    assert done.returncode == 7
    assert "k2 and k8" in done.stdout
    message = (
        "latentlab: expected any verdict but too-few-seeds, found too-few-seeds: Two seeds per model cannot settle"
    )
    assert message in done.stderr


def test_another_result_is_printed_as_json_all_the_same(commands: CommandLine) -> None:
    done = commands.call("run", "config.yaml", "--json", "--expect-accuracy", "k2:ndcg_at_5>=1.5")
    assert done.returncode == 7
    printed = json.loads(done.stdout)
    (mean,) = [row["mean"] for row in printed["accuracy"] if (row["model"], row["metric"]) == ("k2", "ndcg_at_5")]
    assert f"expected ndcg_at_5 of k2 to be at least 1.5, found {mean:.4g}" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--expect", "same"], "--expect: found 'same'; expected one of different-meaningfully, "),
        (
            ["--expect", "unstable", "--expect", "not:unstable"],
            "--expect: found unstable and not:unstable; expected the option once",
        ),
        (["--expect", "practically-same"], "bad-input gives no verdict with one model; expected a second model"),
        (["--expect-accuracy", "k2:auc>=0.5"], "bad-input measures no accuracy, because its evaluation is null"),
    ],
)
def test_what_an_experiment_cannot_give_is_refused_before_anything_starts(
    offline: CommandLine, options: list[str], message: str
) -> None:
    assert message in offline.failure(2, "run", "config.yaml", *options)
    assert not (offline.folder / "mlflow.db").exists()
