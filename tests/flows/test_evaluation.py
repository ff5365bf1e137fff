"""Held-out splits: a published one, cutoffs longer than a list, and splits that cannot be made."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store
from tests.command_line import CommandLine, command_line
from tests.flows.dated_ratings import SWEEP, write_dated_ratings


@pytest.fixture
def commands(tmp_path: Path, empty_store: Path, api_url: str) -> CommandLine:
    """Dated ratings with a config, and an empty store."""
    write_dated_ratings(tmp_path, SWEEP)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return command_line(tmp_path, api_url)


def test_the_parts_of_a_published_split_are_counted_and_evaluated(commands: CommandLine) -> None:
    """One user of the test part has no train part, and one line has no items."""
    train = "".join(f"{u} {' '.join(map(str, range(u % 3, 12, 2)))}\n" for u in range(20))
    (commands.folder / "train.txt").write_text(train)
    (commands.folder / "test.txt").write_text("0 13 1\n1 2\n2\n99 4\n")
    config = {
        **SWEEP,
        "name": "published",
        "dataset": {"name": "file", "path": "train.txt", "layout": "lists"},
        "preprocess": {"confidence": {"transform": "linear", "alpha": 40}},
        "models": {"k2": {"factors": 2, "iterations": 3}},
        "evaluation": {
            "split": {"strategy": "files", "test": "test.txt", "layout": "lists"},
            "replicates": 1,
            "cutoffs": [20],
        },
    }
    (commands.folder / "config.yaml").write_text(yaml.safe_dump(config))
    result = commands.answer("run", "config.yaml")
    assert result["held_out"] == {
        "train_interactions": sum(len(range(u % 3, 12, 2)) for u in range(20)),
        "test_interactions": 4,
        "evaluated_users": 3,
        "users_without_train": 1,
        "items_without_train": 1,
    }
    means = {row["metric"]: row["mean"] for row in result["accuracy"]}
    # a fifth of the train part of each user is held out again for the choice
    assert [row["metric"] for row in result["reference_settings"]] == ["ndcg_at_20"] * 2
    # each user is recommended every item of the train part that is not theirs: user 0 gets item 1 and not item 13,
    # which nobody has, user 1 gets item 2, and user 99 without interactions gets nothing
    assert means["recall_at_20"] == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_users_of_a_published_visible_part_are_folded_in(commands: CommandLine) -> None:
    """Each is recommended every item that is not visible, so that the test items are among the first 20."""
    likes = {user: range(user % 3, 12, 2) for user in range(20)}
    held_out = range(15, 20)
    parts = {"train": (range(15), slice(None)), "tr": (held_out, slice(2, None)), "te": (held_out, slice(2))}
    for name, (users, items) in parts.items():
        lines = (f"{user} {' '.join(map(str, likes[user][items]))}\n" for user in users)
        (commands.folder / f"{name}.txt").write_text("".join(lines))
    split = {"strategy": "files", "visible": "tr.txt", "test": "te.txt", "layout": "lists"}
    config = {
        **SWEEP,
        "name": "folded-in",
        "dataset": {"name": "file", "path": "train.txt", "layout": "lists"},
        "models": {"k2": {"factors": 2, "iterations": 3}},
        "evaluation": {"split": split, "replicates": 1, "cutoffs": [20]},
    }
    (commands.folder / "config.yaml").write_text(yaml.safe_dump(config))
    visible = sum(len(likes[user]) - 2 for user in held_out)
    checked = commands.call("check", "config.yaml").stdout
    assert f"not in the train or the visible part; visible file: {visible} ratings read" in checked
    result = commands.answer("run", "config.yaml")
    assert {"held_out_users": 5, "visible_interactions": visible, "test_interactions": 10}.items() <= result[
        "held_out"
    ].items()
    means = {row["metric"]: row["mean"] for row in result["accuracy"]}
    assert means["recall_at_20"] == 1
    assert means["ndcg_at_20"] > 0.3
    shown = " ".join(commands.call("show", "latest").stdout.split())
    assert f"Held out: 5 users as a whole, of whom {visible} interactions are visible and folded in" in shown


def test_what_is_left_out_of_a_test_file_is_counted_and_said(commands: CommandLine) -> None:
    """By the check, the run, its metrics and its report."""
    (commands.folder / "train.dat").write_text("".join(f"2 {u % 5} {5 + u % 3}\n" for u in range(20)))
    (commands.folder / "test.dat").write_text("3 0 9 3\n2 4 4\n")
    own = {"name": "file", "path": "train.dat", "layout": "counted_lists"}
    split = {"strategy": "files", "test": "test.dat", "layout": "counted_lists", "overlap": "drop"}
    config = {
        **SWEEP,
        "name": "left-out",
        "dataset": own,
        "models": {"k2": {"factors": 2, "iterations": 3}},
        "evaluation": {"split": split, "replicates": 1, "cutoffs": [5]},
    }
    (commands.folder / "config.yaml").write_text(yaml.safe_dump(config))
    left_out = "1 interaction of the train part and 1 repeated line left out by evaluation.split.overlap drop"
    assert (
        f"test file       5 ratings read; {left_out}; 0 users and 1 item"
        in commands.call("check", "config.yaml").stdout
    )
    result = commands.answer("run", "config.yaml")
    assert {"test_interactions": 3, "test_in_train": 1, "test_repeated": 1}.items() <= result["held_out"].items()
    assert f"Test file: {left_out}." in commands.call("show", "latest").stdout.replace("\n", " ")
    client = open_store(commands.store)
    parent = client.get_run(result["parent_id"])
    assert (parent.data.metrics["split/test_in_train"], parent.data.metrics["split/test_repeated"]) == (1, 1)
    report = Path(client.download_artifacts(parent.info.run_id, "report.html")).read_text()
    assert f"Test file: {left_out}." in report


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"evaluation.split": {"strategy": "leave_last"}, "dataset.columns": {"user": 0, "item": 1}}, 3, "timestamps"),
        ({"evaluation.split": {"strategy": "time"}, "dataset.columns": {"user": 0, "item": 1}}, 3, "timestamps"),
        ({"preprocess.k_core": 1000}, 3, "k_core 1000 leaves nothing"),
        ({"evaluation.split": {"strategy": "files", "test": "none.csv"}}, 3, "evaluation.split.test: "),
        ({"evaluation.split": {"strategy": "files", "test": "ratings.csv"}}, 3, "are in the train part too"),
        ({"evaluation.split": {"strategy": "files", "test": "empty.csv"}}, 3, "empty.csv: empty"),
        (
            {"evaluation.split": {"strategy": "files", "test": "low.csv"}},
            3,
            "test: no rating is at least min_rating 4",
        ),
        ({"evaluation.split": {"strategy": "random", "test_fraction": 1e-9}}, 3, "one part is empty"),
        (
            {"evaluation.split": {"strategy": "strong", "users": 1e-9}},
            3,
            "users: found 1e-09, which is 0",
        ),
        ({"evaluation.split": {"strategy": "strong", "users": 0}}, 2, "evaluation.split.users: found 0"),
        ({"evaluation.split": {"strategy": "strong", "visible": 1.0}}, 2, "evaluation.split.visible: found 1.0"),
        ({"evaluation.split": {"strategy": "strong", "test_fraction": 0.2}}, 2, "test_fraction: unknown key"),
        ({"evaluation.split": {"strategy": "leavelast"}}, 2, "did you mean 'leave_last'"),
        ({"evaluation.cutoffs": [0]}, 2, "evaluation.cutoffs.0: found 0"),
        ({"models.popularity": {"factors": 2, "iterations": 2}}, 2, "is the name of a reference"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_evaluation_that_is_impossible_is_reported_before_anything_is_trained(
    commands: CommandLine, changes: dict[str, Any], code: int, words: str
) -> None:
    (commands.folder / "empty.csv").write_text("")
    (commands.folder / "low.csv").write_text("user,item,rating\n1,2,1\n")
    sets = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]
    done = commands.call("run", "config.yaml", "--json", *sets)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert our_runs(open_store(commands.store)) == []


def test_a_cutoff_above_the_number_of_items_ends_with_the_list(commands: CommandLine) -> None:
    write_dated_ratings(commands.folder, {**SWEEP, "models": {"k2": {"factors": 2, "iterations": 3}}})
    result = commands.answer("run", "config.yaml", "--set", "evaluation.cutoffs=[5, 500]")
    means = {row["metric"]: row["mean"] for row in result["accuracy"]}
    assert means["recall_at_500"] == 1
    assert means["precision_at_500"] == pytest.approx(1 / 500)


STRONG = {"strategy": "strong", "users": 0.25, "visible": 0.5}


def test_users_who_are_held_out_as_a_whole_are_folded_in_and_evaluated(commands: CommandLine) -> None:
    """They are not in the train part: without folding in, they would have no hits."""
    config = {**SWEEP, "models": {"k2": {"factors": 2, "iterations": 5}, "k4": {"factors": 4, "iterations": 5}}}
    write_dated_ratings(commands.folder, config)
    result = commands.answer("run", "config.yaml", "--set", f"evaluation.split={json.dumps(STRONG)}")
    held_out, users = result["held_out"], result["summary"]["users"]
    assert held_out["held_out_users"] == held_out["evaluated_users"] == round(users / 4)
    assert held_out["users_without_train"] == held_out["users_too_small"] == 0
    sizes = [held_out[f"{part}_interactions"] for part in ("train", "visible", "test")]
    assert sum(sizes) == result["summary"]["interactions"]
    assert {row["model"] for row in result["accuracy"]} == {"k2", "k4"}
    hit_rates = [row["mean"] for row in result["accuracy"] if row["metric"].startswith("hit_rate")]
    assert min(hit_rates) > 0
    assert "users as a whole" in commands.call("show", "latest").stdout
    again = commands.answer("run", "config.yaml", "--set", f"evaluation.split={json.dumps(STRONG)}")
    assert (again["trained"], again["held_out"]) == (0, held_out)
