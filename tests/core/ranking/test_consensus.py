"""The consensus of several replicates: worked by hand, its invariances, lists that are short or empty."""

from itertools import permutations

import numpy as np
import pytest

from tasks.core.ranking import consensus as module
from tasks.core.ranking.consensus import consensus
from tasks.core.ranking.lists import Lists

NAN = float("nan")


def lists(*rows: dict[int, float], width: int) -> Lists:
    """Return lists of id -> score, padded to a width."""
    ids, scores = np.full((len(rows), width), -1, np.int32), np.full((len(rows), width), np.nan, np.float32)
    for row, entries in enumerate(rows):
        ids[row, : len(entries)], scores[row, : len(entries)] = list(entries), list(entries.values())
    return Lists(ids, scores)


def random_lists(rng: np.random.Generator, entities: int = 30, width: int = 8) -> Lists:
    """Return lists of 0 to `width` of 12 candidates, with scores of very different size, among which are equal ones."""
    rows = []
    for length in rng.integers(0, width + 1, entities):
        scores = np.sort(rng.choice([1e-6, 0.25, 0.5, 1 / 3, 1e6], length) * rng.choice([1, 0.7], length))[::-1]
        ids = rng.permutation(12)[:length]
        rows.append({int(ids[at]): float(scores[at]) for at in np.lexsort((ids, -scores))})
    return lists(*rows, width=width)


def assert_equal(a: Lists, b: Lists) -> None:
    np.testing.assert_array_equal(a.ids, b.ids)
    np.testing.assert_array_equal(a.scores, b.scores)


def test_entries_are_ranked_by_their_mean_score_and_a_missing_one_counts_with_the_end_of_the_list() -> None:
    """Means: 7 has (.9 + .6)/2, 4 has (.5 + .8)/2, 9 has (.3 + .6)/2, 2 has (.3 + .6)/2 with the first list's end."""
    merged = consensus([lists({7: 0.9, 4: 0.5, 9: 0.3}, width=3), lists({4: 0.8, 2: 0.7, 7: 0.6}, width=3)])
    np.testing.assert_array_equal(merged.lists.ids, [[7, 4, 2]])
    np.testing.assert_allclose(merged.lists.scores, [[0.75, 0.65, 0.5]], rtol=1e-6)
    np.testing.assert_array_equal(merged.share, [[1, 1, 0.5]])


def test_equal_means_are_in_the_order_of_ids() -> None:
    merged = consensus([lists({8: 0.5, 3: 0.25}, width=2), lists({3: 0.5, 8: 0.25}, width=2)])
    np.testing.assert_array_equal(merged.lists.ids, [[3, 8]])


def test_an_entry_in_the_middle_of_every_list_precedes_one_that_a_single_seed_has_first() -> None:
    """1 leads one list, with .8, and counts with .5 in the others: (.8 + .5 + .5)/3. 2 has .7 in each."""
    runs = [lists({1: 0.8, 2: 0.7, 3: 0.5}, width=3), *[lists({4: 0.75, 2: 0.7, 3: 0.5}, width=3)] * 2]
    merged = consensus(runs)
    np.testing.assert_array_equal(merged.lists.ids, [[2, 4, 1]])
    np.testing.assert_allclose(merged.share, [[1, 2 / 3, 1 / 3]], rtol=1e-6)


def test_the_share_can_be_of_the_first_entries_of_each_list() -> None:
    """The consensus leads with 2, which is second in both lists."""
    runs = [lists({1: 0.8, 2: 0.75, 3: 0.1}, width=3), lists({3: 0.8, 2: 0.75, 1: 0.1}, width=3)]
    np.testing.assert_array_equal(consensus(runs).lists.ids, [[2, 1, 3]])
    np.testing.assert_array_equal(consensus(runs, depth=1).share, [[0, 0.5, 0.5]])
    np.testing.assert_array_equal(consensus(runs, depth=2).share, [[1, 0.5, 0.5]])


def test_an_empty_list_has_no_scores_and_counts_for_the_share() -> None:
    """The second entity is trained by no replicate, the first by two of three."""
    runs = [lists({5: 0.5, 6: 0.25}, {}, width=2), lists({}, {}, width=1), lists({5: 0.25, 6: 0.25}, {}, width=2)]
    merged = consensus(runs)
    np.testing.assert_array_equal(merged.lists.ids, [[5, 6], [-1, -1]])
    np.testing.assert_array_equal(merged.lists.scores, np.float32([[0.375, 0.25], [NAN, NAN]]))
    np.testing.assert_array_equal(merged.share, np.float32([[2 / 3, 2 / 3], [NAN, NAN]]))


def test_lists_of_different_lengths_are_merged_at_the_width_of_the_widest() -> None:
    """9 is no candidate in the first replicate, whose list ends with .4: its mean is (.4 + .2)/2."""
    merged = consensus([lists({1: 0.4}, width=1), lists({1: 0.8, 9: 0.2}, width=4)])
    np.testing.assert_array_equal(merged.lists.ids, [[1, 9, -1, -1]])
    np.testing.assert_allclose(merged.lists.scores, [[0.6, 0.3, NAN, NAN]], rtol=1e-6)


def test_all_lists_may_be_empty() -> None:
    merged = consensus([lists({}, {}, width=2), lists({}, {}, width=1)])
    np.testing.assert_array_equal(merged.lists.ids, np.full((2, 2), -1))
    assert consensus([Lists(np.empty((3, 0), np.int32), np.empty((3, 0), np.float32))] * 2).share.shape == (3, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_replicates_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = [random_lists(rng) for _ in range(6)]
    merged, reordered = consensus(runs), consensus([runs[at] for at in rng.permutation(6)])
    assert_equal(merged.lists, reordered.lists)
    np.testing.assert_array_equal(merged.share, reordered.share)


def test_rounding_of_the_mean_does_not_depend_on_the_order_of_the_replicates() -> None:
    """In float64, 1e20 - 1e20 + 1 is 1 and 1e20 + 1 - 1e20 is 0."""
    runs = [lists({1: score}, width=1) for score in (1e20, 1, -1e20)]
    assert len({float(consensus(order).lists.scores[0, 0]) for order in permutations(runs)}) == 1


@pytest.mark.parametrize("replicates", [1, 2, 7])
def test_equal_replicates_give_the_lists_of_one(replicates: int) -> None:
    run = random_lists(np.random.default_rng(1))
    merged = consensus([run] * replicates)
    assert_equal(merged.lists, run)
    np.testing.assert_array_equal(merged.share, np.where(run.ids >= 0, np.float32(1), np.float32("nan")))


def test_a_mean_over_all_candidates_gives_the_same_first_entries() -> None:
    """Where each list holds all candidates, the consensus is the order of the mean scores."""
    scores = np.random.default_rng(2).random((3, 20, 9), dtype=np.float32)  # (S, R, candidates)
    order = np.argsort(-scores, axis=2)
    runs = [
        Lists(ids.astype(np.int32), np.take_along_axis(of_run, ids, axis=1))
        for ids, of_run in zip(order, scores, strict=True)
    ]
    expected = np.argsort(-scores.mean(axis=0, dtype=np.float64), axis=1)
    np.testing.assert_array_equal(consensus(runs).lists.ids, expected)


def test_blocks_of_entities_give_the_same_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    runs = [random_lists(rng) for _ in range(3)]
    merged = consensus(runs)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 8 * 8 * 9 * 4)  # four entities at a time
    assert_equal(consensus(runs).lists, merged.lists)


def test_a_frame_has_the_share_beside_the_score() -> None:
    frame = consensus([lists({5: 0.5, 6: 0.25}, {}, width=2), lists({5: 0.25}, {3: 0.5}, width=1)]).frame("neighbour")
    assert list(frame.columns) == ["index", "rank", "neighbour", "score", "share"]
    assert frame[["index", "rank", "neighbour", "share"]].to_numpy().tolist() == [
        [0, 1, 5, 1],
        [0, 2, 6, 0.5],
        [1, 1, 3, 0.5],
    ]
