"""Reference overlaps: the floor, and the raw neighbours."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.comparison import references
from tasks.core.comparison.references import RawNeighbours, reference
from tasks.core.data.interactions import Interactions
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import nearest_by_interactions


def ids(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int32)


def test_raw_neighbours_share_a_column_and_are_ordered_by_cosine():
    matrix = csr_array(
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=np.float32)
    )
    neighbours = nearest_by_interactions(matrix, n=3)
    assert neighbours.ids.tolist() == [[1, 2], [0, 2], [0, 1], [-1, -1], [-1, -1]]
    assert neighbours.scores[0].tolist() == pytest.approx([1, 0.5])
    assert neighbours.scores[2, 0] == pytest.approx(0.5)  # users 2 and 0 share one item, and each has two


def test_the_floor_is_the_overlap_that_hubs_alone_give():
    runs = [ids([7, 8, 0], [7, 8, 1], [7, 8, 2])]  # each list has both hubs and an entry of its own
    row = reference({"a": runs, "b": runs}, "a", "b", target="users", n=3, raw=None, seed=1)
    assert row.floor == pytest.approx(2 / 3)
    assert row.raw == {}


def test_a_model_that_memorises_overlaps_one_with_the_raw_neighbours():
    raw = Lists(ids([1, 2], [0, 2], [0, 1]), np.ones((3, 2), np.float32))
    lists = {"a": [raw.ids, raw.ids], "b": [ids([5, 6], [5, 6], [5, 6])] * 2}
    all_users = RawNeighbours(np.arange(3, dtype=np.int32), raw)
    two_users = RawNeighbours(ids([2, 0])[0], Lists(raw.ids[[2, 0]], raw.scores[[2, 0]]))
    for neighbours in (all_users, two_users):
        row = reference(lists, "a", "b", target="users", n=2, raw=neighbours, seed=1)
        assert row.raw == {"a": 1.0, "b": 0.0}


def test_raw_neighbours_of_many_users_are_computed_at_even_intervals(monkeypatch):
    matrix = csr_array((np.random.default_rng(3).random((30, 12)) < 0.4).astype(np.float32))
    interactions = Interactions(matrix, np.arange(30), np.arange(12), None)
    monkeypatch.setattr(references, "MOST_RAW", 12)
    neighbours = references.raw_neighbours(
        interactions, n=4, entities={"users": Entities.all(30), "items": Entities.all(12)}
    )
    users, items = neighbours["users"], neighbours["items"]
    assert users.rows.tolist() == [0, 2, 5, 7, 10, 13, 15, 18, 21, 23, 26, 29]
    np.testing.assert_array_equal(users.lists.ids, nearest_by_interactions(matrix, n=4).ids[users.rows])
    np.testing.assert_array_equal(items.lists.ids, nearest_by_interactions(matrix.T.tocsr(), n=4).ids)
