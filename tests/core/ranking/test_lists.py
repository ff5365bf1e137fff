"""Ranked lists and their frames."""

import numpy as np
import pytest

from tasks.core.ranking.lists import Lists
from tests.core.ranking.examples import floats

LISTS = Lists(
    np.array([[2, 0, -1], [-1, -1, -1], [1, 0, 3], [0, -1, -1]], dtype=np.int32),
    floats([[0.5, 0.25, np.nan], [np.nan] * 3, [3, 2, 1], [1, np.nan, np.nan]]),
)
EMPTY = Lists(np.full((2, 1), -1, dtype=np.int32), floats([[np.nan]] * 2))


def test_a_frame_has_one_row_for_each_listed_entry() -> None:
    assert LISTS.frame("neighbour").to_dict("list") == {
        "index": [0, 0, 2, 2, 2, 3],
        "rank": [1, 2, 1, 2, 3, 1],
        "neighbour": [2, 0, 1, 0, 3, 0],
        "score": [0.5, 0.25, 3, 2, 1, 1],
    }


@pytest.mark.parametrize("lists", [LISTS, EMPTY], ids=["lists", "empty"])
def test_from_frame_restores_the_lists(lists: Lists) -> None:
    restored = Lists.from_frame(lists.frame("item"), "item", np.arange(len(lists.ids)))
    np.testing.assert_array_equal(restored.ids, lists.ids)
    np.testing.assert_array_equal(restored.scores, lists.scores)
    assert (restored.ids.dtype, restored.scores.dtype) == (np.int32, np.float32)


def test_the_order_of_the_rows_of_a_frame_does_not_matter() -> None:
    shuffled = LISTS.frame("item").sample(frac=1, random_state=0)
    np.testing.assert_array_equal(Lists.from_frame(shuffled, "item", np.arange(4)).ids, LISTS.ids)


ROWS = np.array([3, 4, 7, 20], dtype=np.int32)
"""The entities of `LISTS` in the tests below."""


def test_a_frame_of_some_entities_has_their_indexes() -> None:
    frame = LISTS.frame("neighbour", ROWS)
    assert frame["index"].to_list() == [3, 3, 7, 7, 7, 20]
    assert frame["index"].dtype == np.int32
    assert frame["neighbour"].to_list() == [2, 0, 1, 0, 3, 0]


def test_from_frame_restores_the_lists_of_some_entities() -> None:
    restored = Lists.from_frame(LISTS.frame("item", ROWS), "item", ROWS)
    np.testing.assert_array_equal(restored.ids, LISTS.ids)
    np.testing.assert_array_equal(restored.scores, LISTS.scores)


@pytest.mark.parametrize("rows", [[7], [3, 20], [4], [3, 4, 7]], ids=str)
def test_from_frame_takes_the_wanted_ones_of_more_stored_lists(rows: list[int]) -> None:
    wanted = np.array(rows, dtype=np.int32)
    restored = Lists.from_frame(LISTS.frame("item", ROWS), "item", wanted)
    expected = LISTS.ids[np.isin(ROWS, wanted)]
    longest = max(int((expected >= 0).sum(axis=1).max()), 1)
    np.testing.assert_array_equal(restored.ids, expected[:, :longest])
    np.testing.assert_array_equal(restored.scores, LISTS.scores[np.isin(ROWS, wanted), :longest])


def test_entities_that_are_not_stored_have_empty_lists() -> None:
    """Before, between and after those that are stored."""
    restored = Lists.from_frame(LISTS.frame("item", ROWS), "item", np.array([0, 3, 5, 25], dtype=np.int32))
    assert restored.ids.tolist() == [[-1, -1], [2, 0], [-1, -1], [-1, -1]]
    assert np.isnan(restored.scores[[0, 2, 3]]).all()


def test_entries_that_are_left_out_are_followed_by_the_next_ones() -> None:
    left = LISTS.without(np.array([True, False, False, False]))
    assert left.ids.tolist() == [[2, -1, -1], [-1, -1, -1], [1, 3, -1], [-1, -1, -1]]
    np.testing.assert_array_equal(
        left.scores, floats([[0.5, np.nan, np.nan], [np.nan] * 3, [3, 1, np.nan], [np.nan] * 3])
    )
    assert (left.ids.dtype, left.scores.dtype) == (np.int32, np.float32)
    assert LISTS.ids[0].tolist() == [2, 0, -1], "the lists themselves are not changed"


def test_the_end_of_a_list_is_no_entry() -> None:
    """-1 is the index of the last entity in numpy."""
    short = Lists(np.array([[0, -1]], dtype=np.int32), floats([[1, np.nan]]))
    assert short.without(np.array([False, False, True])) is short
