"""Interactions and their split in the store: when they are made anew, and how damage is found."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.locate import locate
from tasks.core.errors import DataError
from tasks.preprocess import SPLITS, HeldOut, Prepared, hold_out, load_split, prepare
from tasks.tracking.verify import verify


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    stream = np.random.default_rng(0)
    pairs = [(u, i) for u in range(20) for i in range(15) if stream.random() < 0.5]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).assign(rating=5)
    for name in ("t1", "t2"):
        frame[name] = stream.permutation(len(frame))
    frame.to_csv(tmp_path / "ratings.csv", index=False)
    return tmp_path / "ratings.csv"


def held(ratings: Path, columns: dict[str, str] | None = None, **evaluation: Any) -> HeldOut:
    config = ExperimentConfig.model_validate(
        {
            "name": "x",
            "dataset": {"name": "file", "path": str(ratings), "columns": columns},
            "models": {"k2": {"factors": 2, "iterations": 2}},
            "evaluation": evaluation,
        }
    )
    located = locate(config.dataset)
    data: Prepared = hold_out(config, prepare(config.dataset, config.preprocess, located), located)
    assert data.held_out is not None
    return data.held_out


LAST = {"split": {"strategy": "leave_last"}}


def test_a_split_is_made_once(ratings: Path, home: Path) -> None:
    first = held(ratings)
    before = {path: path.stat().st_mtime_ns for path in (home / SPLITS).glob("*.npz")}
    assert held(ratings) == first
    assert {path: path.stat().st_mtime_ns for path in (home / SPLITS).glob("*.npz")} == before
    assert len(before) == 2


def test_another_column_of_timestamps_is_another_split(ratings: Path) -> None:
    one, other = (held(ratings, {"timestamp": name}, **LAST) for name in ("t1", "t2"))
    assert one.sha256 != other.sha256
    assert (load_split(one).test != load_split(other).test).nnz > 0
    with pytest.raises(DataError, match="needs timestamps"):
        held(ratings, **LAST)


def test_the_validation_part_is_another_split(ratings: Path) -> None:
    test, validation = held(ratings), held(ratings, part="validation")
    assert test.sha256 != validation.sha256
    assert load_split(test).test.multiply(load_split(validation).test).nnz == 0


def test_what_is_damaged_is_named_by_verify_and_made_anew(ratings: Path, home: Path) -> None:
    made = held(ratings)
    Path(made.test.path).write_bytes(b"damaged")
    Path(made.train.path).unlink()
    (home / SPLITS / "stranger.txt").write_text("extra")
    problems = {(each.problem, Path(each.path).name) for each in verify(None, [], with_home=True).problems}  # type: ignore[arg-type]
    assert problems == {
        ("damaged", Path(made.test.path).name),
        ("missing", Path(made.train.path).name),
        ("extra", "stranger.txt"),
    }
    assert held(ratings) == made
    assert load_split(made).counts()["test_interactions"] > 0


def test_what_is_wrong_with_a_test_file_is_told_of_its_key(ratings: Path, tmp_path: Path) -> None:
    for content, words in (
        ("", "test.csv: empty"),
        ("a,b\n1,2\n", "no column 'user'"),
        (None, "test.csv is not a file"),
    ):
        (tmp_path / "test.csv").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / "test.csv").write_text(content)
        with pytest.raises(DataError, match=f"^evaluation.split.test: .*{words}"):
            held(ratings, split={"strategy": "files", "test": str(tmp_path / "test.csv")})
