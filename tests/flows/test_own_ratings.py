"""Ratings of one's own: play counts, ids as text, what is dropped, and a published test file that does not fit."""

from pathlib import Path

import pandas as pd
import yaml

from tasks.tracking.artifacts import RunFiles
from tasks.tracking.store import open_store
from tests.command_line import CommandLine

PLAYS = "u1\tA\t55\nu2\tB\t1\nu1\tB\t3\nu2\tA\t9\n"
CONFIG = """\
name: plays
dataset: {name: file, path: p.tsv, header: false, columns: {user: 0, item: 1, rating: 2}}
preprocess: {min_rating: 4}
models:
  k2: {factors: 2, iterations: 2}
replicates: 1
comparison: {depths: [1]}
evaluation: null
"""


def write_plays(commands: CommandLine) -> None:
    (commands.folder / "p.tsv").write_text(PLAYS)
    (commands.folder / "c.yaml").write_text(CONFIG)


def test_describe_says_how_many_ratings_which_setting_dropped(offline: CommandLine) -> None:
    write_plays(offline)
    assert "4 ratings read; 2 dropped by preprocess.min_rating 4\n" in offline.call("data", "describe", "c.yaml").stdout
    described = offline.answer("data", "describe", "c.yaml")
    assert (described["times"], described["confidence"]) == (None, {"low": 9, "median": 32, "high": 55})
    assert described["ratings"] == {"read": 4, "duplicates": 0, "min_rating": 2, "negative": 0, "k_core": 0}


def test_describe_says_the_span_of_times_and_what_outweighs_the_rest(offline: CommandLine) -> None:
    plays = "".join(f"u{u}\tA\t{1 if u else 5000}\t2009-05-04T23:0{u}:00Z\n" for u in range(9))
    (offline.folder / "p.tsv").write_text(plays)
    (offline.folder / "c.yaml").write_text(CONFIG.replace("rating: 2}", "rating: 2, timestamp: 3}").replace("4}", "1}"))
    text = " ".join(offline.call("data", "describe", "c.yaml").stdout.split())
    assert "timestamps from 2009-05-04 to 2009-05-04 (seconds since 1970)" in text
    assert "confidences from 1 to 5000, median 1: the largest weighs as much as 5,000 of the median" in text
    times = offline.answer("data", "describe", "c.yaml")["times"]
    assert times == {"first": 1241478000, "last": 1241478480, "unit": "seconds"}
    in_order = ("--set", "dataset.columns.timestamp=null", "--set", "dataset.order=time")
    assert offline.answer("data", "describe", "c.yaml", *in_order)["times"] is None


def test_play_counts_without_a_minimum_are_refused_with_how_to_give_it(offline: CommandLine) -> None:
    write_plays(offline)
    (offline.folder / "c.yaml").write_text(CONFIG.replace("{min_rating: 4}", "{}"))
    message = offline.failure(2, "data", "describe", "c.yaml")
    assert "c.yaml:3: preprocess.min_rating: is missing" in message
    assert "`preprocess.min_rating: null` keeps all ratings; 4 keeps 4 and 5 of a five-point scale" in message


def test_dislikes_are_not_liked_under_binary_confidence(offline: CommandLine) -> None:
    (offline.folder / "ratings.csv").write_text("user,item,rating\nu,a,-1\nu,b,1\nv,a,0\nw,c,2\n")
    binary = ("--set", "preprocess.confidence=binary")
    message = offline.failure(3, "data", "describe", "config.yaml", *binary)
    assert message.startswith("a rating of -1: 2 of 4 ratings are 0 or less")
    described = offline.answer("data", "describe", "config.yaml", *binary, "--set", "preprocess.negative=drop")
    assert (described["interactions"], described["ratings"]["negative"]) == (2, 2)


def test_a_test_file_of_other_ids_is_refused_and_equal_numbers_meet(offline: CommandLine) -> None:
    (offline.folder / "ratings.csv").write_text("user,item,rating\n0,9,5\n0,11,5\n1,0,5\n1,9,5\n")
    split = ("--set", "evaluation={split: {strategy: files, test: test.csv}, cutoffs: [5]}")
    (offline.folder / "test.csv").write_text("user,item,rating\nu0,0,5\nu1,11,5\n")
    message = offline.failure(3, "check", "config.yaml", *split)
    assert message.startswith(
        "evaluation.split.test: test.csv: none of its 2 users is in the train part; they are such"
    )
    (offline.folder / "test.csv").write_text("user,item,rating\n0.0,0.0,5\n1.0,11.0,5\n")
    test_file = offline.answer("check", "config.yaml", *split)["test_file"]
    assert (test_file["users"], test_file["items"], test_file["by_numbers"]) == (0, 0, True)


def test_counted_plays_and_queries_by_id_are_run_and_looked_up(online: CommandLine) -> None:
    """u1 plays A three times. The stored config has indexes; the same config by id finds the comparison again."""
    log = "".join(f"user-{u},song-{i}\n" for u in range(6) for i in range(6) if (u + i) % 3) + "user-1,song-0\n" * 2
    (online.folder / "log.csv").write_text(f"user,item\n{log}")
    config = {
        "name": "log",
        "dataset": {"name": "file", "path": "log.csv", "columns": {"rating": None}},
        "preprocess": {"min_rating": None, "duplicates": "count"},
        "models": {"k2": {"factors": 2, "iterations": 3}},
        "replicates": 1,
        "queries": {"users": [{"id": "user-1"}], "items": [{"id": "song-0"}], "n": 2},
        "comparison": {"depths": [1]},
        "evaluation": None,
        "execution": {"system_metrics": False},
    }
    (online.folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = online.call("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "26 ratings read; 2 merged by preprocess.duplicates count" in done.stderr
    again = online.answer("run", "config.yaml")
    assert (again["trained"], again["ratings"]["duplicates"]) == (0, 2)
    assert [(query["name"], query["raw_id"]) for query in again["queries"]] == [
        ("user_1", "user-1"),
        ("item_4", "song-0"),
    ]
    assert again["config_sha256"] == online.answer("check", "config.yaml")["config_sha256"]
    client = open_store(online.store)
    stored = yaml.safe_load(RunFiles(client, again["parent_id"]).read("config.yaml").read_text())
    assert (stored["queries"]["users"], stored["queries"]["items"]) == ([1], [4])
    description = client.get_run(again["parent_id"]).data.tags["mlflow.note.content"]
    assert "26 ratings read; 2 merged by preprocess.duplicates count." in description
    assert online.answer("similar", "latest", "--user", "R-1")["index"] == 1
    assert online.answer("recommend", "latest", "--user", "user-5")["raw_id"] == "user-5"
    refused = online.call("run", "config.yaml", "--set", "queries.users=[{id: user-9}]")
    assert refused.returncode == 2
    assert "queries.users: found the id 'user-9', which is that of no user after filtering" in refused.stderr


def write_folder(folder: Path) -> None:
    """Write the plays as a folder of Parquet files, partitioned by year, with times."""
    for year, rows in {
        2023: [("u1", "A", 55, 1), ("u2", "B", 1, 2)],
        2024: [("u1", "B", 3, 3), ("u2", "A", 9, 4)],
    }.items():
        (folder / f"year={year}").mkdir(parents=True)
        frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
        frame.to_parquet(folder / f"year={year}" / "part-00000.snappy.parquet")
    (folder / "_SUCCESS").touch()


def test_a_folder_of_parquet_files_is_described(offline: CommandLine) -> None:
    write_folder(offline.folder / "plays")
    config = CONFIG.replace(
        "p.tsv, header: false, columns: {user: 0, item: 1, rating: 2}", "plays, columns: {timestamp: timestamp}"
    )
    (offline.folder / "c.yaml").write_text(config)
    described = offline.answer("data", "describe", "c.yaml")
    assert described["ratings"] == {"read": 4, "duplicates": 0, "min_rating": 2, "negative": 0, "k_core": 0}
    assert described["times"] == {"first": 1, "last": 4, "unit": None}
    by_year = offline.answer("data", "describe", "c.yaml", "--set", "dataset.columns.timestamp=year")
    assert by_year["times"] == {"first": 2023, "last": 2024, "unit": None}
    assert by_year["data_sha256"] == described["data_sha256"]


def test_a_folder_whose_files_have_two_schemas_ends_with_one_message(offline: CommandLine) -> None:
    write_folder(offline.folder / "plays")
    frame = pd.DataFrame({"user": ["u1"], "song": ["A"], "rating": [5]})
    frame.to_parquet(offline.folder / "plays" / "year=2024" / "part-00001.parquet")
    (offline.folder / "c.yaml").write_text(
        CONFIG.replace("p.tsv, header: false, columns: {user: 0, item: 1, rating: 2}", "plays")
    )
    message = offline.failure(3, "data", "describe", "c.yaml")
    assert "year=2024/part-00001.parquet: has no column 'item' for item, which year=2023/part-00000" in message


def test_data_init_looks_at_a_folder(offline: CommandLine) -> None:
    write_folder(offline.folder / "plays")
    found = offline.answer("data", "init", "plays")
    assert found["columns"] == {"user": "user", "item": "item", "rating": "rating", "timestamp": "timestamp"}
    assert found["other_columns"] == ["year"]
    offline.call("data", "init", "plays", "--write", "c.yaml")
    assert offline.answer("data", "describe", "c.yaml")["interactions"] > 0
