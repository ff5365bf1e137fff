"""Recommendations for somebody who is not among the users, by the items that this user has."""

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.cli.look_up.new_user import recommend_for_items
from tasks.core.errors import ConfigError
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.reading.named_run import find_run
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment

OWNED = [4, 7, 10]


@pytest.fixture(scope="module")
def commands(finished: FinishedExperiment, api_url: str) -> CommandLine:
    """Commands in the folder of the finished experiment, which they only read."""
    return command_line(finished.folder, api_url)


def expected(client: MlflowClient, run_id: str, owned: list[int], confidence: float) -> tuple[list[int], np.ndarray]:
    """Return the items in the order of their scores, and the scores: one solve in float64."""
    with np.load(RunFiles(client, run_id).read("factors.npz")) as arrays:
        items = arrays["item_factors"].astype(np.float64)
    c, p = np.ones(len(items)), np.zeros(len(items))
    c[owned], p[owned] = confidence, 1
    user = np.linalg.solve(items.T @ (c[:, None] * items) + 0.01 * np.eye(items.shape[1]), items.T @ (c * p))
    scores = items @ user
    order = [int(item) for item in np.argsort(-scores, kind="stable") if item not in owned]
    return order, scores[order]


def test_a_new_user_is_folded_in_with_the_confidence_of_the_data(finished: FinishedExperiment) -> None:
    """Every rating of the blocks is 5, and regularization is 0.01."""
    client = finished.client
    run = find_run(client, "blocks/k2/0")
    lists = recommend_for_items(client, run, ["4", "7", "10"], n=6, raw=False)
    assert lists.confidence == 5
    assert [item.index for item in lists.items] == OWNED
    (entries,) = lists.models.values()
    order, scores = expected(client, run.info.run_id, OWNED, 5)
    assert [entry.index for entry in entries] == order[:6]
    assert [entry.score for entry in entries] == pytest.approx(scores[:6], abs=1e-5)


def test_a_comparison_merges_the_lists_of_all_seeds(finished: FinishedExperiment, commands: CommandLine) -> None:
    answer = commands.answer("recommend", "latest", "--items", "4,7,10", "-n", "3")
    assert set(answer) == {"items", "confidence", "n", "models", "target"}
    assert answer["target"] == "recommendations"
    assert list(answer["models"]) == ["k2", "k8"]
    listed: dict[int, int] = {}
    for replicate in (0, 1):
        run_id = find_run(finished.client, f"blocks/k8/{replicate}").info.run_id
        for index in expected(finished.client, run_id, OWNED, 5)[0][:3]:
            listed[index] = listed.get(index, 0) + 1
    assert {entry["index"]: entry["share"] * 2 for entry in answer["models"]["k8"]} == listed


def test_the_user_s_own_items_are_not_recommended(commands: CommandLine) -> None:
    answer = commands.answer("recommend", "blocks/k2/0", "--items", ",".join(map(str, range(27))), "-n", "10")
    (entries,) = answer["models"].values()
    assert sorted(entry["index"] for entry in entries) == [27, 28, 29]


def test_items_are_named_by_index_or_by_the_data_set_s_own_ids(
    finished: FinishedExperiment, commands: CommandLine
) -> None:
    ids = pd.read_parquet(RunFiles(finished.client, finished.outcome.result.runs[0].run_id).read("items.parquet"))
    by_id = ",".join(str(ids["raw_id"][index]) for index in OWNED)
    assert by_id != "4,7,10"
    by_index = commands.answer("recommend", "latest", "--items", " 4, 7,10,")
    assert commands.answer("recommend", "latest", "--raw", "--items", by_id) == by_index
    assert [item["raw_id"] for item in by_index["items"]] == [ids["raw_id"][index] for index in OWNED]


def test_the_consensus_of_the_seeds_has_ranks_of_its_own(commands: CommandLine) -> None:
    answer = commands.answer("recommend", "latest", "--items", "4,7,10", "-n", "3", "--consensus")
    assert [entry["rank"] for entry in answer["models"]["k8"]] == [1, 2, 3]


def test_the_table_says_what_the_user_has_and_with_which_confidence(commands: CommandLine) -> None:
    done = commands.call("recommend", "latest", "--items", "4,7", "-n", "3")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "Recommendations for a user who has id" in text
    assert "(each with confidence 5, the median of the data): first 3, and the share of seeds listing each" in text


def test_the_confidence_is_the_median_of_what_the_fit_was_trained_on(online: CommandLine) -> None:
    values = [1, 2, 3, 4, 4, 5, 4, 4, 1, 2, 4, 5, 3, 2, 1, 4]
    pairs = [(user, item) for user in range(4) for item in range(user, user + 4)]
    lines = [f"{user},{item},{value}\n" for (user, item), value in zip(pairs, values, strict=True)]
    (online.folder / "ratings.csv").write_text("user,item,rating\n" + "".join(lines))
    online.answer("run", "config.yaml")
    assert online.answer("recommend", "latest", "--items", "0")["confidence"] == np.median(values) == 3.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--items", "4,99"], "there is no item '99'; the items are 0 to 29"),
        (["--raw", "--items", "nothing"], "there is no item id 'nothing' among the data set's 30 items"),
        (["--items", "4,7,4"], "--items: found item 4 (id "),
        (["--items", ""], "--items: found none; expected at least one, such as --items 12,50,181"),
        (["--items", " , "], "--items: found none"),
        (["--items", "4", "-n", "101"], "found -n 101; expected 1 to 100"),
        (["--items", "4", "--user", "1"], "give either --user or --items"),
        ([], "give either --user or --items"),
    ],
)
def test_what_cannot_be_answered_is_refused(commands: CommandLine, arguments: list[str], words: str) -> None:
    done = commands.call("recommend", "latest", *arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_a_run_of_an_earlier_version_has_to_be_trained_again(copy_of_finished: MlflowClient, workdir: Path) -> None:
    """It did not log the confidences."""
    with contextlib.closing(sqlite3.connect(workdir / "mlflow.db")) as store, store:
        store.execute("DELETE FROM latest_metrics WHERE key = 'median_confidence'")
    with pytest.raises(ConfigError, match=r"is of an earlier version.*train it again with --fresh"):
        recommend_for_items(copy_of_finished, find_run(copy_of_finished, "blocks/k2/0"), ["4"], n=5, raw=False)


def test_a_run_that_was_read_from_a_file_is_refused(finished: FinishedExperiment, online: CommandLine) -> None:
    """Its factors are known, and not the penalty that they were trained with."""
    for replicate in (0, 1):
        run_id = find_run(finished.client, f"blocks/k2/{replicate}").info.run_id
        with np.load(RunFiles(finished.client, run_id).read("factors.npz")) as arrays:
            np.savez(online.folder / f"other-{replicate}.npz", **arrays)
    arguments = ["--factors", "a=other-0.npz", "--factors", "b=other-1.npz", "--of", "items", "--name", "others"]
    done = online.call("compare", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "was read from a file, and its alpha and regularization are not known" in online.failure(
        2, "recommend", "latest", "--items", "1"
    )
