"""Splits in the forms in which well-known ones are published: generated data are written so, and read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData, prepare
from tasks.core.data.splits.store import with_splits

Pairs = list[tuple[int, int]]


def generated() -> tuple[Pairs, Pairs]:
    """Return the train and the test interactions of 30 users and 20 items, in the order of users.

    Every user and every item has train interactions. Users 3, 13 and 23 have no test interactions.
    """
    stream = np.random.default_rng(0)
    train: Pairs = []
    test: Pairs = []
    for user in range(30):
        first, *items = [user % 20, *(item for item in stream.permutation(20).tolist() if item != user % 20)]
        n_test = 0 if user % 10 == 3 else int(stream.integers(1, 4))
        train += [(user, item) for item in [first, *items[: int(stream.integers(1, 6))]]]
        test += [(user, item) for item in items[6 : 6 + n_test]]
    return train, test


def items_of(pairs: Pairs, user: int) -> list[int]:
    return [item for of_user, item in pairs if of_user == user]


def write_lightgcn(path: Path, pairs: Pairs) -> None:
    """`train.txt` and `test.txt` of LightGCN and NGCF. A user without test items has a line that ends with a blank."""
    path.write_text("".join(f"{user} {' '.join(map(str, items_of(pairs, user)))}\n" for user in range(30)))


def write_citeulike(path: Path, pairs: Pairs) -> None:
    """`cf-train-1-users.dat` and `cf-test-1-users.dat` of collaborative topic regression (Wang and Blei 2011)."""
    lines = [" ".join(map(str, [len(items), *items])) for items in (items_of(pairs, user) for user in range(30))]
    path.write_text("".join(f"{line}\n" for line in lines))


def write_ncf(path: Path, pairs: Pairs) -> None:
    """`ml-1m.train.rating` and `ml-1m.test.rating` of neural collaborative filtering (He et al. 2017)."""
    path.write_text("".join(f"{user}\t{item}\t{1 + item % 5}\t{978300000 + user}\n" for user, item in pairs))


def write_recbole(path: Path, pairs: Pairs) -> None:
    """`NAME.train.inter` and `NAME.test.inter`: RecBole's atomic files of a benchmark."""
    frame = pd.DataFrame(pairs, columns=["user_id:token", "item_id:token"])
    frame.assign(**{"rating:float": 4.0, "timestamp:float": 978300000.5}).to_csv(path, sep="\t", index=False)


LISTS: dict[str, Any] = {"layout": "lists"}
COUNTED: dict[str, Any] = {"layout": "counted_lists"}
TABS: dict[str, Any] = {"separator": "\t", "header": False, "columns": {"user": 0, "item": 1, "rating": 2}}
INTER: dict[str, Any] = {
    "separator": "\t",
    "columns": {"user": "user_id:token", "item": "item_id:token", "rating": "rating:float"},
}
FORMS = [
    pytest.param(write_lightgcn, LISTS, id="LightGCN"),
    pytest.param(write_citeulike, COUNTED, id="CiteULike"),
    pytest.param(write_ncf, TABS, id="NCF"),
    pytest.param(write_recbole, INTER, id="RecBole"),
]


def prepared(dataset: dict[str, Any], split: dict[str, Any]) -> PreparedData:
    """Return the data of a config with a section `dataset` and a split; all ratings are kept."""
    config = ExperimentConfig.model_validate(
        {
            "name": "published",
            "dataset": {"name": "file", **dataset},
            "preprocess": {"min_rating": None},
            "models": {"k2": {"factors": 2, "iterations": 1}},
            "evaluation": {"split": split},
        }
    )
    assert config.evaluation is not None
    located = locate(config.dataset)
    return with_splits(
        prepare(config.dataset, config.preprocess, located),
        config.evaluation,
        dataset=config.dataset,
        settings=config.preprocess,
        ratings=located,
        seeds=[0],
    )


def pairs_of(data: PreparedData, part: str) -> Pairs:
    """Return the interactions of a part by their raw ids, in ascending order."""
    interactions, matrix = data.load(), getattr(data.splits[0].load(), part)
    users, items = matrix.tocoo().coords
    return sorted(zip(interactions.user_ids[users].tolist(), interactions.item_ids[items].tolist(), strict=True))


@pytest.mark.parametrize(("write", "form"), FORMS)
def test_a_published_split_is_read_as_it_was_written(tmp_path: Path, write: Any, form: dict[str, Any]) -> None:
    train, test = generated()
    write(tmp_path / "train", train)
    write(tmp_path / "test", test)
    data = prepared(
        {"path": str(tmp_path / "train"), **form}, {"strategy": "files", "test": str(tmp_path / "test"), **form}
    )
    assert (pairs_of(data, "train"), pairs_of(data, "test")) == (sorted(train), sorted(test))
    assert data.splits[0].load().counts()["evaluated_users"] == 27
    assert data.splits[0].published is not None
    assert (data.splits[0].published.users, data.splits[0].published.items) == (0, 0)


@pytest.mark.parametrize(("write", "form"), FORMS)
def test_overlap_of_a_published_split_is_left_out_in_every_form(
    tmp_path: Path, write: Any, form: dict[str, Any]
) -> None:
    """Ten of the train interactions are in the test file too, and each test interaction of user 5 is there twice."""
    train, test = generated()
    repeated = [pair for pair in test if pair[0] == 5]
    write(tmp_path / "train", train)
    write(tmp_path / "test", [*test, *train[:10], *repeated])
    data = prepared(
        {"path": str(tmp_path / "train"), **form},
        {"strategy": "files", "test": str(tmp_path / "test"), "overlap": "drop", **form},
    )
    assert (pairs_of(data, "train"), pairs_of(data, "test")) == (sorted(train), sorted(test))
    assert data.splits[0].published is not None
    assert data.splits[0].published.counts() == {"test_in_train": 10, "test_repeated": len(repeated)}


def test_the_files_of_mult_vae_hold_users_out_as_a_whole(tmp_path: Path) -> None:
    """`train.csv`, `test_tr.csv` and `test_te.csv` of Liang et al. (2018): users of the last two are in no other."""
    train, test = generated()
    parts = {
        "train": [pair for pair in train if pair[0] < 20],
        "test_tr": [pair for pair in train if pair[0] >= 20],
        "test_te": [pair for pair in test if pair[0] >= 20],
    }
    for name, pairs in parts.items():
        pd.DataFrame(pairs, columns=["uid", "sid"]).to_csv(tmp_path / f"{name}.csv", index=False)
    form = {"columns": {"user": "uid", "item": "sid", "rating": None}}
    split = {"strategy": "files", "visible": str(tmp_path / "test_tr.csv"), "test": str(tmp_path / "test_te.csv")}
    for _ in range(2):  # made, and found again
        data = prepared({"path": str(tmp_path / "train.csv"), **form}, {**split, **form})
        loaded = data.splits[0].load()
        assert pairs_of(data, "train") == sorted(parts["train"])
        assert loaded.visible is not None
        assert (loaded.visible.nnz, loaded.test.nnz) == (len(parts["test_tr"]), len(parts["test_te"]))
        assert not np.diff(loaded.train.indptr)[20:].any()
        assert set(loaded.visible.data) == {1}
        published = data.splits[0].published
        assert published is not None
        assert published.text(PreprocessConfig()).endswith(
            "; 0 users and 0 items of it are not in the train or the visible part; visible file: "
            f"{len(parts['test_tr'])} ratings read; none dropped"
        )
    (tmp_path / "test_tr.csv").write_text("uid,sid\n29,1\n")
    other = prepared({"path": str(tmp_path / "train.csv"), **form}, {**split, "overlap": "drop", **form})
    assert other.splits[0].sha256 != data.splits[0].sha256


@pytest.mark.parametrize(("write", "form"), FORMS[:2])
def test_the_order_of_published_lists_gives_each_users_last_item(
    tmp_path: Path, write: Any, form: dict[str, Any]
) -> None:
    train, _ = generated()
    write(tmp_path / "train", train)
    data = prepared({"path": str(tmp_path / "train"), "order": "time", **form}, {"strategy": "leave_last"})
    assert pairs_of(data, "test") == [(user, items_of(train, user)[-1]) for user in range(30)]
