"""Ranking metrics, by hand and against ir-measures (trec_eval)."""

from math import log2

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy.sparse import csr_array

from tasks.core.ranking.evaluation import Evaluation
from tasks.core.ranking.metrics import accuracy, areas, find_hits
from tasks.core.types import Ids


def evaluate(lists: Ids, test: csr_array, cutoffs: tuple[int, ...]) -> Evaluation:
    """Accuracy alone, of lists that are given."""
    relevant = np.diff(test.indptr).astype(np.int64)
    users = np.flatnonzero(relevant)
    hits = find_hits(lists, test)[users]
    at = [accuracy(hits, relevant[users], cutoff) for cutoff in cutoffs]
    return Evaluation(users, {name: values for each in at for name, values in each.items()}, {})


def held_out(rows: list[list[int]], items: int) -> csr_array:
    """Users x items from each user's relevant items."""
    dense = np.zeros((len(rows), items), dtype=np.float32)
    for user, relevant in enumerate(rows):
        dense[user, relevant] = 5
    return csr_array(dense)


def ids(*rows: list[int]) -> Ids:
    return np.array(rows, dtype=np.int32)


# relevant 1, 3 and 7; the list 3, 0, 1, 2 hits at ranks 1 and 3
TWO_OF_THREE = evaluate(ids([3, 0, 1, 2]), held_out([[1, 3, 7]], 8), (2, 4))
IDEAL_2, IDEAL_3 = 1 + 1 / log2(3), 1 + 1 / log2(3) + 1 / 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("precision_at_4", 2 / 4),
        ("precision_at_2", 1 / 2),
        ("recall_at_4", 2 / 3),
        ("recall_at_2", 1 / 3),
        ("recall_capped_at_4", 2 / 3),
        ("recall_capped_at_2", 1 / 2),
        ("ndcg_at_4", (1 + 1 / 2) / IDEAL_3),
        ("ndcg_at_2", 1 / IDEAL_2),
        ("ndcg_all_at_4", (1 + 1 / 2) / IDEAL_3),
        ("ndcg_all_at_2", 1 / IDEAL_3),
        ("map_at_4", (1 + 2 / 3) / 3),
        ("map_at_2", 1 / 2),
        ("map_all_at_4", (1 + 2 / 3) / 3),
        ("map_all_at_2", 1 / 3),
        ("mrr_at_4", 1),
        ("hit_rate_at_4", 1),
    ],
)
def test_two_hits_of_three_relevant(name: str, expected: float) -> None:
    assert TWO_OF_THREE.means()[name] == pytest.approx(expected)


@pytest.mark.parametrize(("rank", "expected"), [(1, 1), (2, 1 / 2), (4, 1 / 4), (5, 0)])
def test_reciprocal_rank_is_that_of_the_first_hit_within_the_cutoff(rank: int, expected: float) -> None:
    found = evaluate(ids([0, 1, 2, 3, 4]), held_out([[rank - 1]], 6), (4,))
    assert found.means()["mrr_at_4"] == expected
    assert found.means()["hit_rate_at_4"] == (expected > 0)


def test_all_relevant_at_the_top_is_perfect_but_for_precision() -> None:
    found = evaluate(ids([2, 0, 1, 3]), held_out([[0, 2]], 4), (4,)).means()
    assert found.pop("precision_at_4") == 1 / 2
    assert found == dict.fromkeys(found, 1)


def test_no_hit_is_zero_everywhere() -> None:
    found = evaluate(ids([0, 1]), held_out([[2]], 3), (2,)).means()
    assert found == dict.fromkeys(found, 0)


def test_a_list_that_ends_early_has_no_hits_after_its_end() -> None:
    short = evaluate(ids([3, -1, -1, -1]), held_out([[3, 5]], 6), (4,)).means()
    narrow = evaluate(ids([3]), held_out([[3, 5]], 6), (4,)).means()
    assert short == narrow
    assert short["precision_at_4"] == 1 / 4
    assert short["recall_at_4"] == 1 / 2


def test_filling_is_never_a_hit() -> None:
    # key -1 of user 1 would be the last item of user 0
    found = evaluate(ids([-1], [-1]), held_out([[2], [0]], 3), (1,))
    assert found.per_user["hit_rate_at_1"].tolist() == [0, 0]


def test_users_without_test_items_are_left_out_of_the_mean() -> None:
    found = evaluate(ids([0], [1], [2]), held_out([[0], [], [0]], 3), (1,))
    assert found.users.tolist() == [0, 2]
    assert found.per_user["precision_at_1"].tolist() == [1, 0]
    assert found.means()["precision_at_1"] == 1 / 2


CUTOFFS = (1, 5, 10, 20)


@pytest.fixture(scope="module")
def judged() -> tuple[Evaluation, csr_array, dict[tuple[str, str], np.ndarray]]:
    """Random lists of 25 for 60 users over 80 items, measured by both; 1 to 40 relevant each."""
    stream = np.random.default_rng(0)
    lists = np.argsort(stream.random((60, 80)), axis=1)[:, :25].astype(np.int32)
    test = held_out([stream.permutation(80)[: stream.integers(1, 41)].tolist() for _ in range(60)], 80)
    run = {str(u): {str(i): float(-rank) for rank, i in enumerate(row)} for u, row in enumerate(lists.tolist())}
    truth = {str(u): {str(i): 1 for i in test[[u]].indices.tolist()} for u in range(60)}
    theirs: dict[tuple[str, str], np.ndarray] = {}
    measures = [measure @ k for measure in (P, R, nDCG, AP, RR, Success) for k in CUTOFFS]
    for found in ir_measures.iter_calc(measures, truth, run):
        theirs.setdefault((found.measure.NAME, str(found.measure["cutoff"])), np.full(60, np.nan))[
            int(found.query_id)
        ] = found.value
    return evaluate(lists, test, CUTOFFS), test, theirs


Judged = tuple[Evaluation, csr_array, dict[tuple[str, str], np.ndarray]]


@pytest.mark.parametrize("cutoff", CUTOFFS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("precision", "P"), ("recall", "R"), ("ndcg", "nDCG"), ("mrr", "RR"), ("hit_rate", "Success"), ("map_all", "AP")],
)
def test_each_user_s_value_is_trec_eval_s(judged: Judged, ours: str, theirs: str, cutoff: int) -> None:
    found, _, reference = judged
    np.testing.assert_allclose(found.per_user[f"{ours}_at_{cutoff}"], reference[theirs, str(cutoff)], atol=1e-6)


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_average_precision_over_min_k_relevant_is_trec_eval_s_but_for_its_divisor(judged: Judged, cutoff: int) -> None:
    found, test, reference = judged
    relevant = np.diff(test.indptr)
    ours, theirs = found.per_user[f"map_at_{cutoff}"], reference["AP", str(cutoff)]
    np.testing.assert_allclose(ours * np.minimum(cutoff, relevant), theirs * relevant, atol=1e-5)
    assert 0 < (relevant <= cutoff).sum() < len(relevant)


class TestAuc:
    def areas(self, scores: list[float], trained: list[int], relevant: list[int]) -> float:
        block = np.array([scores], dtype=np.float32)
        block[0, trained] = -np.inf
        return float(areas(block, np.array([len(trained)]), held_out([relevant], len(scores)))[0])

    @pytest.mark.parametrize(
        ("scores", "expected"),
        [
            ([9, 4, 3, 2, 1], 1),  # the test items 1 and 2 above 3 and 4
            ([9, 1, 2, 3, 4], 0),
            ([9, 4, 1, 2, 3], 2 / 4),
            ([9, 4, 2, 3, 2], (1 + 1 + 0 + 0.5) / 4),  # a tie is half a pair
            ([9, 5, 5, 5, 5], 0.5),
        ],
    )
    def test_pairs_in_order_by_hand(self, scores: list[float], expected: float) -> None:
        assert self.areas(scores, [0], [1, 2]) == expected

    def test_what_has_no_score_is_a_candidate_that_comes_last(self) -> None:
        # test item 1 has none, as 4 has none: they tie; candidates are 1, 2, 3, 4
        assert self.areas([9, -np.inf, 5, 4, -np.inf], [0], [1]) == 0.5 / 3
        assert self.areas([9, 5, -np.inf, 4, -np.inf], [0], [1]) == 1

    def test_with_nothing_to_tell_apart_it_is_a_half(self) -> None:
        assert self.areas([9, 1, 2], [0], [1, 2]) == 0.5
        assert self.areas([9, 1, 2], [0], []) == 0.5

    def test_it_is_scipy_s_mann_whitney_u(self) -> None:
        from scipy.stats import mannwhitneyu

        stream = np.random.default_rng(3)
        scores = stream.integers(0, 12, (20, 50)).astype(np.float32)  # many ties
        test = held_out([stream.permutation(50)[:7].tolist() for _ in range(20)], 50)
        found = areas(scores, np.zeros(20, dtype=np.int64), test)
        for user in range(20):
            mine = np.zeros(50, dtype=bool)
            mine[test[[user]].indices] = True
            u = mannwhitneyu(scores[user, mine], scores[user, ~mine]).statistic
            assert found[user] == pytest.approx(u / (7 * 43))
