"""Overlaps of every two runs as integers."""

from itertools import product

import numpy as np
import pytest

from tasks.core.comparison.overlap import Pair
from tasks.core.inference import overlap_counts as module
from tasks.core.inference.overlap_counts import FINEST, overlap_counts, overlap_counts_by_entity
from tests.core.inference.examples import SIX_COUNTS, random_runs, runs_of


def test_counts_are_the_entries_that_every_two_runs_share(six):
    assert six.counts.tolist() == SIX_COUNTS
    assert six.counts.dtype == np.int64
    assert six.denominator == 4


def test_only_the_first_n_entries_count():
    overlaps = overlap_counts(runs_of([[1, 2, 3], [2, 1, 9], [3, 4, 1]]), 2)
    assert overlaps.counts.tolist() == [[2, 2, 0], [2, 2, 0], [0, 0, 2]]


def test_short_and_empty_lists_overlap_as_in_the_comparison_of_pairs(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 2000)  # several blocks of entities
    rng = np.random.default_rng(5)
    lists = random_runs(rng, 4, entities=25, n=6, candidates=9)
    for run in lists:
        for row, length in zip(run, rng.integers(0, 7, size=25), strict=True):
            row[length:] = -1
    lists[1][:3] = lists[2][:3] = -1
    lists[3] = lists[3][:, :5]
    for n in (1, 3, 6, 10):
        mean, entities = overlap_counts(lists, n), overlap_counts_by_entity(lists, n)
        for r, s in product(range(4), repeat=2):
            pair = Pair.of(lists[r], lists[s])
            assert mean.counts[r, s] / mean.denominator == pytest.approx(pair.at(n).overlap, abs=1e-12)
            expected = [pair.of_entity(e).at(n).overlap for e in range(25)]
            assert (entities.counts[:, r, s] / entities.denominator).tolist() == pytest.approx(expected, abs=1e-12)


def test_lengths_with_a_large_common_multiple_get_the_finest_denominator():
    lengths = [97, 89, 83, 79]
    lists = [np.full((4, 97), -1, dtype=np.int32) for _ in range(2)]
    for entity, length in enumerate(lengths):
        lists[0][entity, :length] = np.arange(length)
        lists[1][entity, :length] = np.arange(length) + 10
    overlaps = overlap_counts(lists, 100)
    assert overlaps.denominator == 4 * FINEST
    assert overlaps.counts[0, 0] == overlaps.denominator
    expected = sum((length - 10) / length for length in lengths) / 4
    assert overlaps.counts[0, 1] / overlaps.denominator == pytest.approx(expected, abs=1e-5)


def test_the_average_over_entities_is_the_overlap_of_all():
    lists = random_runs(np.random.default_rng(1), 4, entities=7, n=3, candidates=6)
    entities, mean = overlap_counts_by_entity(lists, 3), overlap_counts(lists, 3)
    assert entities.averaged().counts.tolist() == mean.counts.tolist()
    assert entities.averaged().denominator == mean.denominator == 21
    alone = overlap_counts([run[4:5] for run in lists], 3)
    assert entities.of_entity(4).counts.tolist() == alone.counts.tolist()


def test_runs_are_selected_in_the_order_given(six):
    assert six.of_runs([3, 0]).counts.tolist() == [[4, 1], [1, 4]]


@pytest.mark.parametrize(
    "lists", [[], [np.zeros((0, 3), dtype=np.int32)], [np.zeros((e, 3), np.int32) for e in (1, 2)]]
)
def test_runs_must_list_the_same_number_of_entities(lists):
    with pytest.raises(ValueError, match="all list the same number of entities, at least one"):
        overlap_counts(lists, 3)
