"""Agreement of the ranked lists of two runs."""

from collections.abc import Sequence

import numpy as np
import pytest

from tasks.core.comparison.overlap import (
    RBO_P,
    Agreement,
    Pair,
    chance_neighbours,
    chance_recommendations,
    rbo,
    shared_by_depth,
)
from tasks.core.types import Ids


def ids(*rows: Sequence[int]) -> Ids:
    """Lists of unequal length, padded with -1."""
    longest = max(map(len, rows))
    return np.array([[*row, *[-1] * (longest - len(row))] for row in rows], dtype=np.int32)


def shared(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Entries that the prefixes of two lists share, counted with sets."""
    return [len(set(a[:d]) & set(b[:d])) for d in range(1, max(len(a), len(b)) + 1)]


def rbo_ext(a: Sequence[int], b: Sequence[int], p: float) -> float:
    """Webber, Moffat and Zobel 2010, eq. 23, term by term, for lists of equal length."""
    k = len(a)
    agreement = [len(set(a[:d]) & set(b[:d])) / d for d in range(1, k + 1)]
    return agreement[-1] * p**k + (1 - p) / p * sum(agreement[d - 1] * p**d for d in range(1, k + 1))


def random_lists(seed: int, *, padded: bool) -> list[list[int]]:
    """200 lists of ids from 0 to 29: 12 each, or 0 to 12 if they are to be padded."""
    stream = np.random.default_rng(seed)
    lengths = stream.integers(0, 13, 200) if padded else np.full(200, 12)
    lengths[0] = 12
    return [stream.permutation(30)[:length].tolist() for length in lengths]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], [1, 2, 3]),
        ([1, 2, 3], [4, 5, 6], [0, 0, 0]),
        ([1, 2, 3], [3, 2, 1], [0, 1, 3]),
        ([1, 2, 3], [2, 4, 1], [0, 1, 2]),
        ([0, 1], [1, 0], [0, 2]),
        ([1, 2], [2, 3, 1], [0, 1, 2]),
        ([1], [2, 3, 4, 1], [0, 0, 0, 1]),
    ],
)
def test_shared_by_depth_by_hand(a: list[int], b: list[int], expected: list[int]) -> None:
    assert shared_by_depth(ids(a), ids(b)).tolist() == [expected]
    assert shared_by_depth(ids(b), ids(a)).tolist() == [expected]


def test_padding_is_not_shared() -> None:
    assert shared_by_depth(ids([1, -1, -1]), ids([-1, -1, -1])).tolist() == [[0, 0, 0]]
    assert shared_by_depth(ids([-1, -1]), ids([-1, -1])).tolist() == [[0, 0]]
    assert shared_by_depth(ids([5, -1]), ids([5, -1])).tolist() == [[1, 1]]


@pytest.mark.parametrize("padded", [False, True])
def test_shared_by_depth_counts_as_sets_do(padded: bool) -> None:
    a, b = random_lists(0, padded=padded), random_lists(1, padded=padded)
    counts = shared_by_depth(ids(*a), ids(*b))
    for row, left, right in zip(counts.tolist(), a, b, strict=True):
        expected = shared(left, right)
        final = expected[-1] if expected else 0
        assert row == [*expected, *[final] * (12 - len(expected))]


class TestAgreement:
    def test_equal_lists_agree_completely(self) -> None:
        lists = ids([3, 1, 2], [5, 4, 0], [7])
        assert Pair.of(lists, lists).at(3) == Agreement(1, 1, pytest.approx(1))

    def test_disjoint_lists_overlap_zero(self) -> None:
        assert Pair.of(ids([1, 2, 3], [0]), ids([4, 5, 6], [2])).at(3) == Agreement(0, 0, 0)

    def test_an_empty_list_agrees_with_an_empty_list_only(self) -> None:
        empty = ids([-1, -1])
        assert Pair.of(empty, empty).at(2) == Agreement(1, 1, 1)
        assert Pair.of(empty, ids([1, 2])).at(2) == Agreement(0, 0, 0)

    def test_by_hand(self) -> None:
        # 1, 2, 3 and 2, 4, 1 share 0, 1, 2 entries at depths 1, 2, 3: 2 of 3, and 2 of 4 distinct ones
        agreement = Pair.of(ids([1, 2, 3]), ids([2, 4, 1])).at(3)
        assert agreement.overlap == pytest.approx(2 / 3)
        assert agreement.jaccard == pytest.approx(2 / 4)
        assert agreement.rbo == pytest.approx(0.2 / 0.8 * (1 / 2 * 0.64 + 2 / 3 * 0.512) + 2 / 3 * 0.512)

    def test_entries_beyond_the_depth_do_not_count(self) -> None:
        agreement = Pair.of(ids([1, 2, 3, 9]), ids([2, 1, 4, 9])).at(2)
        assert (agreement.overlap, agreement.jaccard) == (1, 1)
        assert agreement.rbo == pytest.approx(0.2 / 0.8 * 0.64 + 0.64)

    def test_a_depth_beyond_both_lists_compares_them_as_they_are(self) -> None:
        pair = Pair.of(ids([1, 2]), ids([2, 3]))
        assert pair.at(100) == pair.at(2)

    def test_overlap_is_a_share_of_the_longer_list(self) -> None:
        agreement = Pair.of(ids([1, -1, -1, -1]), ids([4, 3, 2, 1])).at(4)
        assert (agreement.overlap, agreement.jaccard) == (1 / 4, 1 / 4)

    def test_entities_have_equal_weight(self) -> None:
        pair = Pair.of(ids([1, 2], [3, 4], [5]), ids([1, 2], [5, 6], [5]))
        assert pair.at(2).overlap == pytest.approx(2 / 3)
        assert [pair.of_entity(entity).at(2).overlap for entity in range(3)] == [1, 0, 1]

    def test_lists_without_columns_agree(self) -> None:
        no_columns = np.empty((2, 0), dtype=np.int32)
        assert Pair.of(no_columns, no_columns).at(5) == Agreement(1, 1, 1)

    @pytest.mark.parametrize("depth", [1, 5, 12])
    @pytest.mark.parametrize("padded", [False, True])
    def test_overlap_and_jaccard_are_those_of_sets(self, depth: int, padded: bool) -> None:
        a, b = random_lists(2, padded=padded), random_lists(3, padded=padded)
        pair = Pair.of(ids(*a), ids(*b))
        for entity, (left, right) in enumerate(zip(a, b, strict=True)):
            set_a, set_b = set(left[:depth]), set(right[:depth])
            agreement = pair.of_entity(entity).at(depth)
            longer = max(len(set_a), len(set_b))
            assert agreement.overlap == (len(set_a & set_b) / longer if longer else 1)
            assert agreement.jaccard == (len(set_a & set_b) / len(set_a | set_b) if longer else 1)


class TestRankBiasedOverlap:
    PAPER = ids([ord(c) for c in "abcdefg"]), ids([ord(c) for c in "zcavwxy"])

    def test_average_overlap_of_the_example_in_the_paper(self) -> None:
        """Webber, Moffat and Zobel 2010, fig. 5: average overlap of two rankings at depths 1 to 7."""
        (common,) = shared_by_depth(*self.PAPER)
        averages = np.cumsum(common / np.arange(1, 8)) / np.arange(1, 8)
        assert averages.round(3).tolist() == [0, 0, 0.222, 0.292, 0.313, 0.317, 0.312]

    def test_the_rankings_of_the_paper_by_hand(self) -> None:
        """They share 0, 0, 2, 2, 2, 2, 2 entries at depths 1 to 7; p = 0.5."""
        terms = 2 / 3 / 8 + 2 / 4 / 16 + 2 / 5 / 32 + 2 / 6 / 64 + 2 / 7 / 128
        value = rbo(shared_by_depth(*self.PAPER), np.array([7]), p=0.5)
        assert value.item() == pytest.approx(terms + 2 / 7 / 128)

    @pytest.mark.parametrize("p", [0.5, RBO_P, 0.98])
    def test_values_are_those_of_the_formula(self, p: float) -> None:
        a, b = random_lists(4, padded=False), random_lists(5, padded=False)
        values = rbo(shared_by_depth(ids(*a), ids(*b)), np.full(200, 12), p=p)
        np.testing.assert_allclose(values, [rbo_ext(left, right, p) for left, right in zip(a, b, strict=True)])

    def test_agreement_at_the_top_has_more_weight(self) -> None:
        top = Pair.of(ids([1, 2, 3, 4]), ids([1, 2, 8, 9])).at(4)
        bottom = Pair.of(ids([1, 2, 3, 4]), ids([8, 9, 3, 4])).at(4)
        assert top.overlap == bottom.overlap
        assert top.rbo > bottom.rbo

    def test_short_lists_are_extrapolated_from_their_ends(self) -> None:
        short = Pair.of(ids([1, 2, -1, -1]), ids([1, 3, -1, -1])).at(4)
        assert short.rbo == pytest.approx(rbo_ext([1, 2], [1, 3], RBO_P))


class TestChance:
    @pytest.mark.parametrize(("n", "entities", "expected"), [(5, 11, 0.5), (10, 11, 1), (20, 11, 1), (5, 1, 1)])
    def test_neighbours_by_hand(self, n: int, entities: int, expected: float) -> None:
        assert chance_neighbours(n, entities) == expected

    def test_recommendations_by_hand(self) -> None:
        assert chance_recommendations(5, np.array([10, 20, 4, 0])) == pytest.approx((1 / 2 + 1 / 4 + 1 + 1) / 4)

    def test_random_lists_of_neighbours_overlap_by_chance(self) -> None:
        stream = np.random.default_rng(0)

        def lists() -> Ids:
            keys = stream.random((2000, 40))
            keys[np.arange(2000), np.arange(2000) % 40] = 2  # the entity itself comes last and is cut off
            return np.argsort(keys, axis=1)[:, :8].astype(np.int32)

        pair = Pair.of(lists(), lists())
        overlaps = [pair.of_entity(entity).at(8).overlap for entity in range(2000)]
        error = np.std(overlaps) / np.sqrt(2000)
        assert abs(np.mean(overlaps) - chance_neighbours(8, 40)) < 4 * error

    def test_random_recommendations_overlap_by_chance(self) -> None:
        stream = np.random.default_rng(0)
        liked = np.repeat([5, 20, 35], 700)

        def lists() -> Ids:
            keys = stream.random((2100, 40)) + (np.arange(40) < liked[:, None])
            return np.argsort(keys, axis=1)[:, :4].astype(np.int32)

        pair = Pair.of(lists(), lists())
        overlaps = [pair.of_entity(entity).at(4).overlap for entity in range(2100)]
        error = np.std(overlaps) / np.sqrt(2100)
        assert abs(np.mean(overlaps) - chance_recommendations(4, 40 - liked)) < 4 * error
