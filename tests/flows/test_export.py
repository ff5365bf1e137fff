"""`export`: lists, factors and accuracy by user as files, which `compare` reads back."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.files import file_sha256
from tests.command_line import CommandLine, answer_of, command_line
from tests.flows.finished_experiment import FinishedExperiment


@pytest.fixture
def commands(finished: FinishedExperiment, closed: str) -> CommandLine:
    """Commands on the finished experiment, without Prefect."""
    return command_line(finished.folder, f"{closed}/api").with_env(LATENTLAB_HOME=str(finished.folder / ".latentlab"))


@pytest.fixture
def folder(commands: CommandLine, tmp_path: Path) -> Path:
    """The finished experiment, exported into a folder."""
    commands.answer("export", "blocks", "--to", str(tmp_path / "out"))
    return tmp_path / "out"


def overlaps(result: dict[str, Any], target: str) -> dict[tuple[int, str, str], float]:
    return {
        (row["depth"], row["a"], row["b"]): row["overlap"] for row in result["comparison"] if row["target"] == target
    }


def test_the_commands_in_the_folder_give_the_overlaps_of_the_comparison(
    folder: Path, empty_store: Path, api_url: str, finished: FinishedExperiment
) -> None:
    shutil.copy(empty_store, folder / "mlflow.db")
    readme = (folder / "README.md").read_text()
    lines = [shlex.split(line)[1:] for line in re.findall("^latentlab compare .*$", readme, re.MULTILINE)]
    assert len(lines) == 4
    in_folder = command_line(folder, api_url)
    expected = {"comparison": [vars(row) for row in finished.outcome.result.comparison]}
    for arguments in lines:
        depths = ["--depths", "3,10"]
        result = in_folder.answer(*arguments, *depths)
        targets = [arguments[arguments.index("--of") + 1]] if "--of" in arguments else ["users", "items"]
        for target in targets:
            assert len(overlaps(result, target)) == 6
            # with two factors many cosines are equal up to rounding, which depends on the order of the rows
            tolerance = None if "--of" in arguments else 0.03
            assert overlaps(result, target) == pytest.approx(overlaps(expected, target), abs=tolerance), arguments


def test_the_manifest_and_the_page_of_a_folder_name_every_file_and_column(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {entry["path"]: entry["sha256"] for entry in manifest["files"]} == {
        name: file_sha256(path) for name, path in files.items() if name != "manifest.json"
    }
    readme = (folder / "README.md").read_text()
    named = [line.split("|") for line in readme.splitlines() if line.startswith("| `")]
    patterns = [re.sub("MODEL|REPLICATE", "*", name) for row in named for name in re.findall("`(.+?)`", row[1])]
    assert {path for pattern in patterns for path in folder.glob(pattern)} == {*files.values()} - {folder / "README.md"}
    for row in named:
        for pattern in re.findall(r"`(.+?\.parquet)`", row[1]):
            for path in folder.glob(re.sub("MODEL|REPLICATE", "*", pattern)):
                assert set(pd.read_parquet(path).columns) <= set(re.findall("`(.+?)`", row[3])), path


def test_accuracy_by_user_has_the_means_of_the_comparison(folder: Path, finished: FinishedExperiment) -> None:
    frame = pd.read_parquet(folder / "accuracy_by_user.parquet")
    assert frame[["model", "replicate", "split"]].drop_duplicates().to_numpy().tolist() == [["k2", 0, 0], ["k8", 0, 0]]
    means = frame.groupby("model")["ndcg_at_5"].mean()
    expected = {row.model: row.mean for row in finished.outcome.result.accuracy if row.metric == "ndcg_at_5"}
    assert means.to_dict() == pytest.approx(expected)
    users = pd.read_parquet(folder / "users.parquet").set_index("index")["user_id"]
    assert frame["id"].tolist() == users[frame["index"]].tolist()


@pytest.mark.parametrize("name", ["lists.csv", "lists.parquet"])
def test_one_file_has_all_lists_in_long_form(commands: CommandLine, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    answer = commands.answer("export", "blocks", "--to", str(path))
    assert (answer["path"], answer["files"], answer["left_out"]) == (str(path), [name], [])
    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    assert list(frame.columns) == [
        *("model", "replicate", "target", "index", "id", "rank", "listed_index", "listed_id", "score")
    ]
    assert set(frame.groupby(["model", "replicate", "target"], observed=True).groups) == {
        (model, replicate, target)
        for model in ("k2", "k8")
        for replicate in (0, 1)
        for target in ("users", "items", "recommendations")
    }
    similar = commands.answer("similar", "blocks/k8/1", "--user", "3", "-n", "5")
    own = frame.query("model == 'k8' and replicate == 1 and target == 'users' and index == 3 and rank <= 5")
    for column, field in (("listed_index", "index"), ("listed_id", "raw_id"), ("rank", "rank")):
        assert own[column].tolist() == [entry[field] for entry in similar["models"]["k8 #1"]]
    assert own["score"].tolist() == pytest.approx([entry["score"] for entry in similar["models"]["k8 #1"]])


def test_a_single_fit_is_exported_without_accuracy(commands: CommandLine, tmp_path: Path) -> None:
    done = commands.call("export", "blocks/k2/1", "--to", str(tmp_path / "fit"))
    assert "A single fit has no accuracy by user" in done.stdout
    assert f"{tmp_path / 'fit'} written, 8 files" in done.stdout
    assert not (tmp_path / "fit" / "accuracy_by_user.parquet").exists()
    with np.load(tmp_path / "fit" / "factors" / "k2" / "1.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == {
            **{"user_factors": (40, 2), "item_factors": (30, 2), "user_ids": (40,), "item_ids": (30,)}
        }


def test_ids_that_are_text_titles_and_samples_are_kept(online: CommandLine) -> None:
    """Of a sample of users, with ids of two kinds, in one column of a file and in columns of their own."""
    rows = [f"u{user:02},{item},5\n" for user in range(8) for item in range(user, user + 4)]
    (online.folder / "ratings.csv").write_text("user,item,rating\n" + "".join(rows))
    sampled = online.call("run", "config.yaml", "--set", "neighbours={sample: 3}", "--set", "name=sampled")
    assert sampled.returncode == 0, sampled.stderr
    for name in ("lists.csv", "lists.parquet", "folder"):
        online.answer("export", "sampled", "--to", name)
    text = pd.read_csv(online.folder / "lists.csv", dtype=str)
    table = pd.read_parquet(online.folder / "lists.parquet")
    assert text["listed_id"].tolist() == table["listed_id"].tolist()
    assert set(text.query("target == 'recommendations'")["id"]) <= {f"u{user:02}" for user in range(8)}
    sample = online.answer("show", "sampled")["sample"]
    assert sample == {"users": 3, "items": 3}
    for target, drawn in sample.items():
        assert table.query(f"target == '{target}'")["index"].nunique() == drawn
    items = pd.read_parquet(online.folder / "folder" / "lists" / "items" / "k2" / "0.parquet")
    assert items["target_item_id"].dtype == items["item_id"].dtype == np.int64
    with np.load(online.folder / "folder" / "factors" / "k2" / "0.npz") as arrays:
        assert arrays["user_ids"].tolist() == [f"u{user:02}" for user in range(8)]


def test_what_a_comparison_of_lists_does_not_have_is_said(folder: Path, empty_store: Path, api_url: str) -> None:
    shutil.copy(empty_store, folder / "mlflow.db")
    in_folder = command_line(folder, api_url)
    patterns = [f"{model}=lists/users/{model}/*.parquet" for model in ("k2", "k8")]
    in_folder.answer("compare", "--lists", patterns[0], "--lists", patterns[1], "--of", "users", "--name", "again")
    left_out = in_folder.answer("export", "again", "--to", "second")["left_out"]
    assert "k2 #0 has no factors: it was read from a file of lists." in left_out
    assert "Not all of the fits have lists of recommendations." in left_out
    assert "The comparison measured no accuracy." in left_out
    first, second = (pd.read_parquet(at / "lists" / "users" / "k8" / "1.parquet") for at in (folder, folder / "second"))
    keys = ["user_id", "rank"]
    pd.testing.assert_frame_equal(
        first.sort_values(keys, ignore_index=True), second.sort_values(keys, ignore_index=True)
    )


@pytest.mark.parametrize("name", ["there.csv", "there"])
def test_a_target_that_exists_is_refused_and_stays(commands: CommandLine, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("mine")
    assert "exists, and is not overwritten" in commands.failure(2, "export", "blocks", "--to", str(path))
    assert [each.read_text() for each in tmp_path.iterdir()] == ["mine"]


def test_a_target_that_cannot_be_made_is_refused(commands: CommandLine, tmp_path: Path) -> None:
    assert "expected the name of a new file that ends in .csv or .parquet" in commands.failure(
        2, "export", "blocks", "--to", str(tmp_path / "lists.xlsx")
    )
    message = commands.failure(3, "export", "blocks", "--to", str(tmp_path / "missing" / "lists"))
    assert f"{tmp_path / 'missing'} is no folder that can be written to" in message


def test_nothing_is_left_of_an_export_that_fails(
    copy_of_finished: object, workdir: Path, closed: str, finished: FinishedExperiment
) -> None:
    """The last file that is read is damaged."""
    (evaluation,) = (run for run in finished.outcome.result.runs if (run.role, run.model) == ("evaluation", "k8"))
    (damaged,) = (workdir / "mlartifacts").rglob(f"{evaluation.run_id}/artifacts/accuracy.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    commands = command_line(workdir, f"{closed}/api")
    before = sorted(workdir.iterdir())
    assert "accuracy.parquet" in commands.failure(5, "export", "blocks", "--to", "out")
    assert sorted(workdir.iterdir()) == before


def test_a_sqlite_store_is_exported_without_mlflow_and_prefect(commands: CommandLine, tmp_path: Path) -> None:
    arguments = ["export", "blocks/k2/0", "--to", str(tmp_path / "out"), "--json"]
    done = commands.with_env(PYTHONPROFILEIMPORTTIME="1").run(*arguments)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert answer_of(done)["left_out"] != []
    assert "tasks.tracking.reading.export" in imported
    assert imported & {"mlflow", "prefect", "sqlalchemy"} == set()
