"""The order of a file in place of timestamps."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig, reading_settings
from tasks.core.config.evaluation import EvaluationConfig
from tasks.core.data.locate import locate
from tasks.core.data.prepared import prepare
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.store import with_splits
from tasks.core.errors import DataError
from tests.core.data.helpers import ReadOwn, columns_of

PAIRS: dict[str, Any] = {"header": False, "columns": {"user": 0, "item": 1, "rating": None}, "order": "time"}
NO_RATINGS = {"columns": {"rating": None}, "order": "time"}


def split_of(path: Path, split: dict[str, Any], preprocess: dict[str, Any] | None = None, **dataset: Any) -> Split:
    """Return the split of a file of one's own by its order."""
    config = DatasetConfig.model_validate({"name": "file", "path": str(path), "order": "time", **dataset})
    rules, located = PreprocessConfig.model_validate(preprocess or {}), locate(config)
    data = with_splits(
        prepare(config, rules, located),
        EvaluationConfig.model_validate({"split": split}),
        dataset=config,
        settings=rules,
        ratings=located,
        seeds=[0],
    )
    return data.splits[0].load()


def test_rows_of_pairs_are_numbered(read_own: ReadOwn) -> None:
    assert columns_of(read_own("a,x\n\nb,x\na,y\n", **PAIRS))["timestamp"] == [1, 2, 3]
    assert "timestamp" not in columns_of(read_own("a,x\nb,x\na,y\n", **{**PAIRS, "order": None}))


def test_rows_of_all_groups_of_a_parquet_file_are_numbered(read_own: ReadOwn, tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": list("abcab"), "item": list("xyzzx")})
    frame.to_parquet(tmp_path / "groups.parquet", row_group_size=2)
    content = (tmp_path / "groups.parquet").read_bytes()
    ratings = read_own(content, "own.parquet", **NO_RATINGS)
    assert columns_of(ratings) == {"user": list("abcab"), "item": list("xyzzx"), "timestamp": [1, 2, 3, 4, 5]}


def test_items_of_each_user_are_numbered_over_all_of_its_lines(read_own: ReadOwn) -> None:
    ratings = read_own("7 3 1\n5 3\n7 2\n", "l", layout="lists", order="time")
    assert columns_of(ratings)["timestamp"] == [1, 2, 1, 3]


@pytest.mark.parametrize("layout", ["lists", "counted_lists", "item_lists"])
def test_leave_last_holds_out_the_last_item_that_was_written(tmp_path: Path, layout: str) -> None:
    @settings(
        max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.lists(st.lists(st.integers(0, 9), unique=True, min_size=2, max_size=6), min_size=1, max_size=5))
    def check(items: list[list[int]]) -> None:
        firsts = {"lists": range(len(items)), "counted_lists": map(len, items)}.get(layout)
        rows = [[first, *row] for first, row in zip(firsts, items, strict=True)] if firsts else items
        path = tmp_path / "l"
        path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
        test = split_of(path, {"strategy": "leave_last"}, layout=layout).test
        index_of = {item: index for index, item in enumerate(dict.fromkeys(item for row in items for item in row))}
        assert test.tocoo().coords[1].tolist() == [index_of[row[-1]] for row in items]

    check()


def test_time_holds_out_the_last_lines_of_pairs(tmp_path: Path) -> None:
    """Item x of user b is in the data with its last line."""
    (tmp_path / "p.csv").write_text("user,item\na,x\nb,x\na,z\nb,y\nb,x\n")
    split = split_of(
        tmp_path / "p.csv",
        {"strategy": "time", "test_fraction": 0.5},
        {"duplicates": "last"},
        columns={"rating": None},
    )
    assert split.train.toarray().tolist() == [[1, 1, 0], [0, 0, 0]]
    assert split.test.toarray().tolist() == [[0, 0, 0], [1, 0, 1]]


def test_a_count_has_the_time_of_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("user,item\na,x\na,y\na,z\na,x\n")
    rules = {"duplicates": "count", "min_rating": None}
    split = split_of(tmp_path / "p.csv", {"strategy": "leave_last"}, rules, columns={"rating": None})
    assert split.test.toarray().tolist() == [[2, 0, 0]]


def test_an_order_changes_no_interactions_and_is_part_of_the_key_of_the_split(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("0 3 1 2\n1 2 3\n")
    dataset = DatasetConfig(name="file", path=str(tmp_path / "l"), layout="lists")
    ordered = dataset.model_copy(update={"order": "time"})
    assert "order" not in reading_settings(dataset)
    assert reading_settings(ordered) != reading_settings(dataset)
    digests = {prepare(each, PreprocessConfig(), locate(each)).sha256 for each in (dataset, ordered)}
    assert len(digests) == 1


# An order that is not there


def sorted_lists(n_users: int) -> str:
    stream = np.random.default_rng(0)
    lists = [sorted(stream.choice(50, 8, replace=False).tolist()) for _ in range(n_users)]
    return "".join(f"{user} {' '.join(map(str, items))}\n" for user, items in enumerate(lists))


def test_a_file_that_was_sorted_has_no_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "l").write_text(sorted_lists(20))
    message = r"the items of every user are in the order of their ids.*: 140 of 140 consecutive items"
    with pytest.raises(DataError, match=message):
        split_of(tmp_path / "l", {"strategy": "leave_last"}, layout="lists")
    assert split_of(tmp_path / "l", {"strategy": "random_user"}, layout="lists").test.nnz
    (tmp_path / "l").write_text(sorted_lists(20) + "20 2 1 3\n")
    assert split_of(tmp_path / "l", {"strategy": "leave_last"}, layout="lists").test.nnz == 21


def test_few_items_in_the_order_of_their_ids_may_be_so_by_chance(tmp_path: Path) -> None:
    (tmp_path / "l").write_text(sorted_lists(4))
    assert split_of(tmp_path / "l", {"strategy": "leave_last"}, layout="lists").test.nnz == 4


def test_lines_that_are_grouped_by_user_are_in_no_common_order(tmp_path: Path) -> None:
    lines = [f"{user},{item}\n" for user in range(10) for item in np.random.default_rng(user).permutation(6)]
    (tmp_path / "p.csv").write_text("user,item\n" + "".join(lines))
    message = r"the lines are grouped by user: 10 groups of 10 users.*use strategy leave_last"
    with pytest.raises(DataError, match=message):
        split_of(tmp_path / "p.csv", {"strategy": "time"}, columns={"rating": None})
    assert split_of(tmp_path / "p.csv", {"strategy": "leave_last"}, columns={"rating": None}).test.nnz == 10
    (tmp_path / "p.csv").write_text("user,item\n" + "".join([*lines[1:], lines[0]]))
    assert split_of(tmp_path / "p.csv", {"strategy": "time"}, columns={"rating": None}).test.nnz == 12
