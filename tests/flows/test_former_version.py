"""A store and a home written by version 0.1.0, before the packages were rearranged: everything in them is found again.

`tests/data/former_version.tar.xz` holds the store as SQL, artifacts, home, config, ratings, and what the command
printed. Its artifacts were below /former; the paths in the store are rewritten to where the test unpacks them.
"""

import json
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from tasks.tracking.artifacts import RunFiles
from tasks.tracking.store import open_store
from tests.command_line import command_line
from tests.paths import ROOT

Command = Callable[..., Any]


@pytest.fixture
def latentlab(workdir: Path, api_url: str) -> Command:
    """Runs a command on the unpacked store, and returns the JSON that it prints."""
    with tarfile.open(ROOT / "tests" / "data" / "former_version.tar.xz") as archive:
        archive.extractall(workdir, filter="data")
    sql = (workdir / "store.sql").read_text(encoding="utf-8")
    with sqlite3.connect(workdir / "mlflow.db") as store:
        store.executescript(sql.replace("file:///former/", f"{workdir.as_uri()}/"))
    # the minimum was 4 where a config did not give it; now it has to be given for a file of one's own
    with (workdir / "config.yaml").open("a", encoding="utf-8") as config:
        config.write("preprocess: {min_rating: 4}\n")

    return command_line(workdir, api_url).answer


def test_the_models_are_compared_anew_and_nothing_is_trained_again(latentlab: Command, workdir: Path) -> None:
    """The statistics have changed since; the fits, and what the lists have in common, have not."""
    printed = json.loads((workdir / "printed.json").read_text(encoding="utf-8"))
    found = latentlab("run", "config.yaml", "--register", "lab")
    assert (found["trained"], found["reused"]) == (0, 6)
    for settings in found["models"].values():
        assert settings.pop("engine") == "implicit"  # the only one that there was
    for key in ("config_sha256", "data_sha256", "summary", "models", "matrices", "comparison"):
        assert found[key] == printed[key]
    assert found["runs"] == [{**run, "repeat": 0} for run in printed["runs"]]
    assert found["queries"] == [{**query, "similarity": "factors"} for query in printed["queries"]]
    for key in ("within_a", "within_b", "between", "delta", "p", "p_holm"):
        assert [answer[key] for answer in found["answers"]] == [answer[key] for answer in printed["answers"]]
    # the former version tested users and seeds separately
    for tests in ("accuracy_tests", "beside_popularity"):
        means = [[test[key] for key in ("metric", "a", "b", "mean_a", "mean_b")] for test in found[tests]]
        assert means == [[test[key] for key in ("metric", "a", "b", "mean_a", "mean_b")] for test in printed[tests]]
    assert found["parent_id"] != printed["parent_id"]
    again = latentlab("run", "config.yaml")
    assert (again["parent_id"], again["trained"]) == (found["parent_id"], 0)
    former = latentlab("show", printed["parent_id"])
    assert former["answers"][0]["sentence"] == printed["answers"][0]["sentence"]


def test_lists_that_its_fits_lack_are_computed_and_kept_with_the_comparison(latentlab: Command, workdir: Path) -> None:
    """Those fits have neighbours by factors only."""
    found = latentlab("run", "config.yaml", "--set", "neighbours.similarity=scores")
    assert found["trained"] == 0
    kept = RunFiles(open_store(f"sqlite:///{workdir / 'mlflow.db'}"), found["parent_id"])
    fits = [run for run in found["runs"] if run["role"] == "model"]
    paths = [f"neighbours/{fit['model']}-{fit['replicate']}/users_by_scores.parquet" for fit in fits]
    assert set(paths) < set(kept.entries)
    listed = latentlab("similar", "latest", "--user", "3", "-n", "2")
    assert listed["similarity"] == "scores"
    for model, entries in listed["models"].items():
        for path in (path for path in paths if path.startswith(f"neighbours/{model}-")):
            frame = pd.read_parquet(kept.read(path))
            nearest = frame[(frame["index"] == 3) & (frame["rank"] <= 2)]["neighbour"]
            assert set(nearest) <= {entry["index"] for entry in entries}
    fit = latentlab("similar", f"former/{fits[0]['model']}/0", "--user", "3", "--by", "scores", "-n", "2")
    frame = pd.read_parquet(kept.read(paths[0]))
    nearest = frame[(frame["index"] == 3) & (frame["rank"] <= 2)]["neighbour"].tolist()
    assert [entry["index"] for entries in fit["models"].values() for entry in entries] == nearest
    assert latentlab("verify", "latest")["problems"] == []


def test_every_file_is_what_was_written(latentlab: Command) -> None:
    verified = latentlab("verify")
    assert verified["problems"] == []
    assert verified["runs"] == 8


def test_a_logged_model_answers_with_its_own_code_and_signature(latentlab: Command, workdir: Path) -> None:
    """It has `task`, `id` and `n`; what new models take besides is not asked of it."""
    folder = next((workdir / "mlartifacts" / "former" / "models").glob("*/artifacts"))
    user = json.loads((folder / "input_example.json").read_text(encoding="utf-8"))["data"][0][1]
    model = mlflow.pyfunc.load_model(str(folder))
    lists = model.predict(pd.DataFrame({"task": ["recommend"], "id": [user], "n": [4]}))
    assert lists["rank"].tolist() == [1, 2, 3, 4]
    with pytest.raises(MlflowException, match="missing inputs"):
        model.predict(pd.DataFrame({"task": ["recommend"], "items": [["1"]]}))


def test_a_user_is_not_folded_in_against_a_fit_that_does_not_know_its_confidences(
    latentlab: Command, workdir: Path, api_url: str
) -> None:
    message = command_line(workdir, api_url).failure(2, "recommend", "former", "--items", "1")
    assert "is of an earlier version" in message
    assert "train it again with --fresh" in message


def test_runs_are_read_by_every_command(latentlab: Command, workdir: Path) -> None:
    printed = json.loads((workdir / "printed.json").read_text(encoding="utf-8"))
    assert len(latentlab("runs")["runs"]) == 8
    shown = latentlab("show", "former")
    added = {key: None for key in set(shown["answers"][0]) - set(printed["answers"][0])}
    assert shown["answers"] == [answer | added for answer in printed["answers"]]
    for test, former in zip(shown["accuracy_tests"], printed["accuracy_tests"], strict=True):
        assert former.items() <= test.items()
        assert test["p_difference"] is None
    assert latentlab("show", "former/k2/1")["complete"] is True
    assert latentlab("similar", "former", "--user", "3")["models"].keys() == {"k2", "k4"}
    compared = latentlab("compare", "former/k2", "former/k4")
    assert [answer["delta"] for answer in compared["answers"]] == [answer["delta"] for answer in printed["answers"]]


def test_only_what_a_changed_key_needs_is_trained(latentlab: Command) -> None:
    changed = latentlab("run", "config.yaml", "--set", "models.k4.iterations=6")
    assert (changed["trained"], changed["reused"]) == (3, 3)
