"""Tests of the floor, of raw neighbours, and of users one by one."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.comparison import references
from tasks.core.comparison.per_user import BINS, per_user
from tasks.core.comparison.references import Raw, reference
from tasks.core.data.interactions import Interactions
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import nearest_by_interactions


def ids(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int32)


def test_raw_neighbours_are_by_cosine_and_share_a_column():
    matrix = csr_array(
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=np.float32)
    )
    found = nearest_by_interactions(matrix, n=3)
    assert found.ids.tolist() == [[1, 2], [0, 2], [0, 1], [-1, -1], [-1, -1]]
    assert found.scores[0].tolist() == pytest.approx([1, 0.5])
    assert found.scores[2, 0] == pytest.approx(0.5)  # users 2 and 0 share one item of two each


def test_the_floor_is_what_hubs_alone_share():
    hubs = [ids([7, 8, 0], [7, 8, 1], [7, 8, 2])]  # every list holds both hubs and one of its own
    found = reference("users", 3, "a", "b", {"a": hubs, "b": hubs}, None, seed=1)
    assert found.floor == pytest.approx(2 / 3)
    assert found.raw == {}


def test_memorising_is_overlap_with_the_raw_neighbours():
    raw = Lists(ids([1, 2], [0, 2], [0, 1]), np.ones((3, 2), np.float32))
    lists = {"a": [raw.ids, raw.ids], "b": [ids([5, 6], [5, 6], [5, 6])] * 2}
    everybody = np.arange(3, dtype=np.int32)
    assert reference("users", 2, "a", "b", lists, Raw(everybody, raw), seed=1).raw == {"a": 1.0, "b": 0.0}
    some = Raw(ids([2, 0])[0], Lists(raw.ids[[2, 0]], raw.scores[[2, 0]]))
    assert reference("users", 2, "a", "b", lists, some, seed=1).raw == {"a": 1.0, "b": 0.0}


def test_of_many_users_some_are_compared_with_their_raw_neighbours(monkeypatch):
    matrix = csr_array((np.random.default_rng(3).random((30, 12)) < 0.4).astype(np.float32))
    loaded = Interactions(matrix, np.arange(30), np.arange(12), None)
    monkeypatch.setattr(references, "MOST_RAW", 12)
    found = references.raw_neighbours(loaded, n=4)
    assert found["users"].rows.tolist() == [0, 2, 5, 7, 10, 13, 15, 18, 21, 23, 26, 29]
    np.testing.assert_array_equal(
        found["users"].lists.ids, nearest_by_interactions(matrix, n=4).ids[found["users"].rows]
    )
    np.testing.assert_array_equal(found["items"].lists.ids, nearest_by_interactions(matrix.T.tocsr(), n=4).ids)


def test_users_one_by_one():
    """Users 0 to 4 are listed others under b, users 5 to 9 are not."""
    rng = np.random.default_rng(2)
    base = rng.permuted(np.tile(np.arange(20, dtype=np.int32), (10, 1)), axis=1)[:, :4]
    moved = base.copy()
    moved[:5] += 50
    activity = np.arange(10, 0, -1)
    found = per_user(4, "a", "b", [base] * 5, [moved] * 5, activity, [3, 7], seed=1)
    assert found.users == 10
    assert found.significant == 0.5  # 1/126 each, twice that after Benjamini and Hochberg
    assert found.queries == {"user_3": 4.0, "user_7": 0.0}
    assert sum(found.counts) == 10
    assert (len(found.edges), len(found.counts)) == (BINS + 1, BINS)
    assert found.activity is not None
    assert found.activity > 0.8  # the active ones moved
    assert found.least_adjusted == 1 / 126


def test_where_nothing_moves_there_is_no_correlation():
    base = [ids([1, 2], [0, 2], [0, 1])] * 3
    assert per_user(2, "a", "b", base, base, np.array([1, 2, 3]), [], seed=1).activity is None
