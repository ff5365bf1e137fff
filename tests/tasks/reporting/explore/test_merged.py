"""Merged lists of many users are those that `query_lists` merges one by one."""

import numpy as np
import pytest

from tasks.core.comparison.query_lists import Names, merge
from tasks.core.ranking.lists import Lists
from tasks.reporting.explore.merged import merge_lists
from tests.tasks.reporting.explore.small_lists import draw_lists

NAMES = Names(np.arange(50), np.arange(50), None)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_lists_are_those_of_the_queries(n: int) -> None:
    """With ties, lists of unequal lengths, and replicates whose lists have unequal widths."""
    rng = np.random.default_rng(1)
    replicates = [draw_lists(rng, 40, 12, width) for width in (6, 3, 6, 4)]
    positions = np.array([0, 5, 7, 39], dtype=np.int32)
    merged = merge_lists(replicates, positions, n=n, longest=100)
    starts = np.concatenate([[0], np.cumsum(merged.sizes)])
    for at, row in enumerate(positions):
        entries = merge({"a": replicates}, int(row), n, NAMES, item=False, by_consensus=False)["a"]
        part = slice(starts[at], starts[at + 1])
        assert merged.ids[part].tolist() == [entry.index for entry in entries]
        assert (merged.replicates[part] / len(replicates)).tolist() == [entry.share for entry in entries]
        assert merged.scores[part].tolist() == pytest.approx([entry.score for entry in entries])


def test_a_list_is_cut_to_the_entries_that_most_replicates_list() -> None:
    replicates = [Lists(np.array([[1, 2]], dtype=np.int32), np.ones((1, 2), dtype=np.float32)) for _ in range(2)]
    replicates.append(Lists(np.array([[3, 2]], dtype=np.int32), np.ones((1, 2), dtype=np.float32)))
    merged = merge_lists(replicates, np.zeros(1, dtype=np.int32), n=2, longest=2)
    assert (merged.ids.tolist(), merged.replicates.tolist(), merged.sizes.tolist()) == ([2, 1], [3, 2], [2])


def test_empty_lists_and_lists_without_scores() -> None:
    ids = np.array([[-1, -1], [4, -1]], dtype=np.int32)
    merged = merge_lists(
        [Lists(ids, np.full((2, 2), np.nan, dtype=np.float32))], np.arange(2, dtype=np.int32), n=2, longest=9
    )
    assert (merged.sizes.tolist(), merged.ids.tolist()) == ([0, 1], [4])
    assert np.isnan(merged.scores).all()
    none = Lists(ids[:1], np.full((1, 2), np.nan, dtype=np.float32))
    assert merge_lists([none], np.zeros(1, dtype=np.int32), n=2, longest=9).sizes.tolist() == [0]
