"""Users and items that runs share, and their lists and factors in one order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.data.interactions import Interactions
from tasks.core.errors import DataError
from tasks.core.external.alignment import RawRun, Shared, align_factors, align_lists, share
from tasks.core.external.factor_files import RawFactors
from tasks.core.external.list_files import RawLists
from tasks.core.external.sources import RunSource
from tasks.core.models.factors import Factors
from tasks.core.ranking.lists import Lists


def texts(values: Sequence[str]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def lists(content: Mapping[str, Sequence[str]]) -> RawLists:
    listed = list(dict.fromkeys(entry for entries in content.values() for entry in entries))
    ids = np.full((len(content), max(map(len, content.values()))), -1, dtype=np.int32)
    for row, entries in enumerate(content.values()):
        ids[row, : len(entries)] = [listed.index(entry) for entry in entries]
    return RawLists(texts(list(content)), texts(listed), Lists(ids, np.where(ids >= 0, 0.5, np.nan).astype(np.float32)))


def factors(users: Sequence[str], items: Sequence[str]) -> RawFactors:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(len(ids), 2)).astype(np.float32) for ids in (users, items)]
    return RawFactors(texts(users), texts(items), Factors(*values))


def shared(
    *runs: RawRun, of: str | None = "users", intersect: bool = False, data: Interactions | None = None
) -> Shared:
    sources = {
        RunSource(f"m{number}", 0, (Path(f"run-{number}"),), str(number)): raw for number, raw in enumerate(runs)
    }
    return share(sources, of=of, interactions=data, intersect=intersect)


def interactions(users: Sequence[int], items: Sequence[int]) -> Interactions:
    matrix = csr_array(np.ones((len(users), len(items)), dtype=np.float32))
    return Interactions(matrix, np.array(users), np.array(items), None)


A = {"1": ["2", "10"], "2": ["10", "1"], "10": ["1", "2"]}


def test_ids_are_in_numerical_order_and_the_digest_is_that_of_the_ids() -> None:
    one, other = shared(lists(A), lists(A)), shared(lists(dict(reversed(A.items()))), lists(A))
    assert one.interactions.user_ids.tolist() == [1, 2, 10]
    assert one.interactions.matrix.shape == (3, 0)
    assert one.interactions.digest() == other.interactions.digest()
    assert one.listed == {}
    assert one.remarks == ["3 users have lists in all runs."]


def test_lists_are_those_of_the_files_in_the_common_order() -> None:
    raw = lists({"10": ["1", "2"], "1": ["10"], "2": []})
    aligned, rows = align_lists(raw, "users", shared(lists(A), raw).interactions)
    assert rows.tolist() == [0, 1, 2]
    assert aligned.ids.tolist() == [[2, -1], [-1, -1], [0, 1]]
    assert np.isnan(aligned.scores).tolist() == [[False, True], [True, True], [False, False]]


def test_users_without_lists_in_some_runs_are_left_out_and_counted() -> None:
    fewer = lists({"1": ["2"], "2": ["1"]})
    more = lists({"1": ["2"], "2": ["1"], "3": ["1"]})
    found = shared(fewer, more)
    assert found.listed["users"].tolist() == [0, 1]
    assert found.remarks == ["2 users have lists in all runs; 1 have lists in some runs only and were left out."]


def test_lists_of_other_entities_are_refused_with_examples() -> None:
    with pytest.raises(DataError, match="no user is in all runs: run-0 has '1', '10', '2', run-1 has 'a', 'b'"):
        shared(lists(A), lists({"a": ["b"], "b": ["a"]}))


def test_different_catalogues_are_refused_unless_asked_for() -> None:
    b = {"1": ["2", "3"], "2": ["3", "1"], "3": ["1", "2"]}
    with pytest.raises(DataError, match=r"run-0 has 1 users that run-1 does not have, such as '10'.*--intersect"):
        shared(lists(A), lists(b))
    found = shared(lists(A), lists(b), intersect=True)
    assert found.interactions.user_ids.tolist() == [1, 2]
    assert found.remarks[0] == (
        "2 users are in all models; 2 that some do not have were removed from all lists (intersect)."
    )
    aligned, rows = align_lists(lists(A), "users", found.interactions)
    assert rows.tolist() == [0, 1]
    assert aligned.ids.tolist() == [[1, -1], [0, -1]]


def test_lists_of_a_sample_have_candidates_beyond_it() -> None:
    sample = [lists({"1": [str(number), "99"], "2": ["50"]}) for number in (60, 70)]
    found = shared(*sample)
    assert found.interactions.user_ids.tolist() == [1, 2, 50, 60, 70, 99]
    assert found.listed["users"].tolist() == [0, 1]
    assert "4 users are in the lists of all models, 2 in those of some only" in found.remarks[0]


def test_items_that_some_models_only_recommend_are_counted() -> None:
    runs = [lists({"u": ["a", "b"], "v": ["a"]}), lists({"u": ["b", "c"], "v": ["b"]})]
    found = shared(*runs, of="recommendations")
    assert found.interactions.user_ids.tolist() == ["u", "v"]
    assert found.interactions.item_ids.tolist() == ["a", "b", "c"]
    assert "1 items are in the lists of all models, 2 in those of some only" in found.remarks[0]
    common = shared(*runs, of="recommendations", intersect=True)
    assert common.interactions.item_ids.tolist() == ["b"]
    with pytest.raises(DataError, match="no item is in all runs"):
        shared(lists({"u": ["a"]}), lists({"u": ["c"]}), of="recommendations")


def test_factors_are_put_in_the_common_order() -> None:
    one, other = factors(["b", "a"], ["x", "y"]), factors(["a", "b"], ["y", "x"])
    found = shared(one, other, of=None)
    assert found.interactions.user_ids.tolist() == ["a", "b"]
    aligned = align_factors(one, found.interactions)
    np.testing.assert_array_equal(aligned.users, one.factors.users[::-1])
    np.testing.assert_array_equal(aligned.items, one.factors.items)


def test_factors_of_other_catalogues_are_refused_unless_asked_for() -> None:
    one, other = factors(["a", "b"], ["x", "y"]), factors(["a", "b"], ["x", "z"])
    with pytest.raises(DataError, match="run-0 has 1 items that run-1 does not have, such as 'y'"):
        shared(one, other, of=None)
    assert shared(one, other, of=None, intersect=True).interactions.item_ids.tolist() == ["x"]


def test_the_data_set_is_the_catalogue() -> None:
    data = interactions([1, 2, 10], [5])
    assert shared(lists(A), data=data).interactions is data
    with pytest.raises(DataError, match="run-0 has 1 users that the data set does not have, such as '10'"):
        shared(lists(A), data=interactions([1, 2], [5]))
    with pytest.raises(DataError, match="the data set has 1 users that run-0 does not have, such as '11'"):
        shared(lists(A), data=interactions([1, 2, 10, 11], [5]))
    restricted = shared(lists(A), data=interactions([1, 2, 11], [5]), intersect=True).interactions
    assert restricted.user_ids.tolist() == [1, 2]
    assert restricted.matrix.shape == (2, 1)
    with pytest.raises(DataError, match="run-0 has 1 items that the data set does not have"):
        shared(factors(["1"], ["5", "6"]), of=None, data=interactions([1], [5]))
