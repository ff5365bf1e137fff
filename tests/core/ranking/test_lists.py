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
