"""Several splits: repeats, folds of interactions and of users, and what one split has in common with them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.tracking.runs import run_ref
from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store
from tests.command_line import CommandLine, command_line
from tests.flows.dated_ratings import SWEEP, write_dated_ratings

TWO_MODELS = {
    **SWEEP,
    "name": "repeated",
    "models": {f"k{factors}": {"factors": factors, "iterations": 2} for factors in (2, 3)},
    "replicates": 1,
    "evaluation": {"replicates": 2, "cutoffs": [3]},
}


@pytest.fixture
def commands(tmp_path: Path, empty_store: Path, api_url: str) -> CommandLine:
    """Dated ratings with a config, and an empty store."""
    write_dated_ratings(tmp_path, TWO_MODELS)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return command_line(tmp_path, api_url)


def accuracy_of(result: dict[str, Any], model: str) -> dict[str, Any]:
    (row,) = [row for row in result["accuracy"] if (row["model"], row["metric"]) == (model, "ndcg_at_3")]
    return row


def test_every_model_is_fitted_on_every_repeat_and_the_first_is_that_of_one_split(commands: CommandLine) -> None:
    once = commands.answer("run", "config.yaml")
    checked = commands.answer("check", "config.yaml", "--set", "evaluation.repeats=3")
    repeated = commands.answer("run", "config.yaml", "--set", "evaluation.repeats=3")
    assert checked["fits"] == len(repeated["runs"]) == 2 * (1 + 2 * 3)
    assert (repeated["trained"], repeated["reused"]) == (2 * 2 * 2, 2 * (1 + 2))
    row, before = accuracy_of(repeated, "k2"), accuracy_of(once, "k2")
    assert (row["replicates"], row["splits"], before["splits"]) == (2, 3, 1)
    assert row["sd_splits"] > 0
    assert before["sd_splits"] is None
    assert {test["splits"] for test in repeated["accuracy_tests"] + repeated["beside_popularity"]} == {3}
    assert "ndcg_at_3 on 3 splits: " in commands.call("show", "latest").stdout
    references = {row["model"]: row for row in repeated["reference_accuracy"] if row["metric"] == "ndcg_at_3"}
    assert references["popularity"]["splits"] == 3
    assert references["popularity"]["sd_splits"] > 0

    client = open_store(commands.store)
    runs = {run_ref(run).run_id: run for run in our_runs(client)}
    last = next(run for run in repeated["runs"] if run["repeat"] == 2)
    tags, params = runs[last["run_id"]].data.tags, runs[last["run_id"]].data.params
    assert (tags["latentlab.repeat"], params["repeat"]) == ("2", "2")
    assert runs[last["run_id"]].info.run_name == "k2 #0 held-out, split 2"
    splits = {run.data.tags["latentlab.split_sha256"] for run in runs.values() if "latentlab.repeat" in run.data.tags}
    assert len(splits) == 3
    assert "evaluation of k2/0, split 2" in commands.call("runs").stdout
    again = commands.answer("run", "config.yaml", "--set", "evaluation.repeats=3")
    assert (again["trained"], again["accuracy"]) == (0, repeated["accuracy"])


@pytest.mark.parametrize("by", ["interactions", "users"])
def test_every_fold_is_held_out(commands: CommandLine, by: str) -> None:
    split = {"strategy": "folds", "by": by, "folds": 3}
    result = commands.answer("run", "config.yaml", f"--set=evaluation.split={json.dumps(split)}")
    assert accuracy_of(result, "k3")["splits"] == 3
    client = open_store(commands.store)
    runs = [client.get_run(run["run_id"]).data.metrics for run in result["runs"] if run["role"] == "evaluation"]
    assert len(runs) == 2 * 2 * 3
    held_out = sum(run["test_interactions"] for run in runs) / (2 * 2)
    if by == "interactions":
        assert held_out == result["summary"]["interactions"]
    else:
        users = sum(run["held_out_users"] for run in runs) / (2 * 2)
        assert users == result["summary"]["users"] - runs[0]["users_too_small"]
        assert result["accuracy_tests"][0]["users"] == users


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"evaluation.split": {"strategy": "folds", "folds": 1000}}, 3, "interactions; expected at most as many"),
        ({"evaluation.split": {"strategy": "folds", "by": "users", "folds": 999}}, 3, "users with two interactions"),
        ({"evaluation.split": {"strategy": "folds", "folds": 1}}, 2, "evaluation.split.folds: found 1"),
        ({"evaluation.split": {"strategy": "time"}, "evaluation.repeats": 2}, 2, "the same in every repeat"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_splits_that_cannot_be_made_are_reported_before_anything_is_trained(
    commands: CommandLine, changes: dict[str, Any], code: int, words: str
) -> None:
    sets = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]
    done = commands.call("run", "config.yaml", "--json", *sets)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert our_runs(open_store(commands.store)) == []


def test_comparing_experiments_says_why_accuracy_is_not_compared(commands: CommandLine) -> None:
    other = ("--set=name=other", "--set=models={k4: {factors: 4, iterations: 2}}", "--set=comparison.baseline=k4")
    commands.answer("run", "config.yaml", "--set=evaluation.repeats=2")
    commands.answer("run", "config.yaml", *other, "--set=evaluation.repeats=2")
    same = commands.answer("compare", "repeated", "other")
    assert (same["accuracy_tests"][0]["splits"], same["remarks"]) == (2, [])

    commands.answer("run", "config.yaml", *other, "--set=name=once", "--set=models.k4.factors=5")
    differs = commands.answer("compare", "repeated", "once")
    assert differs["accuracy"] == []
    assert differs["remarks"] == [
        "Accuracy is not compared: the configs differ in evaluation.repeats, and with them in what was measured."
    ]
    assert "the configs differ in evaluation.repeats" in " ".join(commands.call("show", "latest").stdout.split())
    # the last comparison of `repeated` is the one without accuracy
    without = commands.answer("compare", "repeated", "other")
    assert without["remarks"][0].startswith("Accuracy is not compared: k2, k3")
