"""Ranking accuracy, by hand and compared with ir-measures (trec_eval)."""

from math import log2

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy.sparse import csr_array

from tasks.core.ranking import metrics
from tasks.core.ranking.evaluation import Evaluation
from tasks.core.ranking.metrics import accuracy, auc, find_hits
from tasks.core.types import Ids


def evaluate(lists: Ids, test: csr_array, cutoffs: tuple[int, ...]) -> Evaluation:
    """The accuracy of given lists."""
    relevant = np.diff(test.indptr).astype(np.int64)
    users = np.flatnonzero(relevant)
    hits = find_hits(lists, test)[users]
    per_user = {}
    for cutoff in cutoffs:
        per_user |= accuracy(hits, relevant[users], cutoff)
    return Evaluation(users, per_user, {})


def held_out(rows: list[list[int]], items: int) -> csr_array:
    """Test matrix, users x items, from the relevant items of each user."""
    dense = np.zeros((len(rows), items), dtype=np.float32)
    for user, relevant in enumerate(rows):
        dense[user, relevant] = 5
    return csr_array(dense)


def ids(*rows: list[int]) -> Ids:
    return np.array(rows, dtype=np.int32)


# relevant 1, 3 and 7; the list 3, 0, 1, 2 has hits at ranks 1 and 3
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
def test_two_hits_of_three_relevant_items(name: str, expected: float) -> None:
    assert TWO_OF_THREE.means()[name] == pytest.approx(expected)


@pytest.mark.parametrize(("rank", "expected"), [(1, 1), (2, 1 / 2), (4, 1 / 4), (5, 0)])
def test_reciprocal_rank_is_that_of_the_first_hit_within_the_cutoff(rank: int, expected: float) -> None:
    means = evaluate(ids([0, 1, 2, 3, 4]), held_out([[rank - 1]], 6), (4,)).means()
    assert means["mrr_at_4"] == expected
    assert means["hit_rate_at_4"] == (expected > 0)


def test_all_relevant_items_at_the_top_give_1_except_for_precision() -> None:
    means = evaluate(ids([2, 0, 1, 3]), held_out([[0, 2]], 4), (4,)).means()
    assert means.pop("precision_at_4") == 1 / 2
    assert means == dict.fromkeys(means, 1)


def test_a_list_without_hits_gives_0() -> None:
    means = evaluate(ids([0, 1]), held_out([[2]], 3), (2,)).means()
    assert means == dict.fromkeys(means, 0)


def test_a_list_that_ends_early_has_no_hits_after_its_end() -> None:
    filled = evaluate(ids([3, -1, -1, -1]), held_out([[3, 5]], 6), (4,)).means()
    narrow = evaluate(ids([3]), held_out([[3, 5]], 6), (4,)).means()
    assert filled == narrow
    assert filled["precision_at_4"] == 1 / 4
    assert filled["recall_at_4"] == 1 / 2


def test_minus_1_is_never_a_hit() -> None:
    # -1 of user 1 would have the key of the last item of user 0
    evaluation = evaluate(ids([-1], [-1]), held_out([[2], [0]], 3), (1,))
    assert evaluation.per_user["hit_rate_at_1"].tolist() == [0, 0]


def test_users_without_test_items_are_left_out_of_the_mean() -> None:
    evaluation = evaluate(ids([0], [1], [2]), held_out([[0], [], [0]], 3), (1,))
    assert evaluation.users.tolist() == [0, 2]
    assert evaluation.per_user["precision_at_1"].tolist() == [1, 0]
    assert evaluation.means()["precision_at_1"] == 1 / 2


CUTOFFS = (1, 5, 10, 20)
Judged = tuple[Evaluation, csr_array, dict[tuple[str, str], np.ndarray]]


@pytest.fixture(scope="module")
def judged() -> Judged:
    """Lists of 25 random items of 80 for 60 users with 1 to 40 relevant items: our metrics, the test part, theirs."""
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((60, 80)), axis=1)[:, :25].astype(np.int32)
    test = held_out([rng.permutation(80)[: rng.integers(1, 41)].tolist() for _ in range(60)], 80)
    run = {str(u): {str(i): float(-rank) for rank, i in enumerate(row)} for u, row in enumerate(lists.tolist())}
    truth = {str(u): {str(i): 1 for i in test[[u]].indices.tolist()} for u in range(60)}
    theirs: dict[tuple[str, str], np.ndarray] = {}
    measures = [measure @ k for measure in (P, R, nDCG, AP, RR, Success) for k in CUTOFFS]
    for metric in ir_measures.iter_calc(measures, truth, run):
        key = metric.measure.NAME, str(metric.measure["cutoff"])
        theirs.setdefault(key, np.full(60, np.nan))[int(metric.query_id)] = metric.value
    return evaluate(lists, test, CUTOFFS), test, theirs


@pytest.mark.parametrize("cutoff", CUTOFFS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("precision", "P"), ("recall", "R"), ("ndcg", "nDCG"), ("mrr", "RR"), ("hit_rate", "Success"), ("map_all", "AP")],
)
def test_metrics_of_each_user_are_trec_eval_s(judged: Judged, ours: str, theirs: str, cutoff: int) -> None:
    evaluation, _, trec_eval = judged
    np.testing.assert_allclose(evaluation.per_user[f"{ours}_at_{cutoff}"], trec_eval[theirs, str(cutoff)], atol=1e-6)


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_map_differs_from_trec_eval_s_by_its_denominator_alone(judged: Judged, cutoff: int) -> None:
    evaluation, test, trec_eval = judged
    relevant = np.diff(test.indptr)
    ours, theirs = evaluation.per_user[f"map_at_{cutoff}"], trec_eval["AP", str(cutoff)]
    np.testing.assert_allclose(ours * np.minimum(cutoff, relevant), theirs * relevant, atol=1e-5)
    assert 0 < (relevant <= cutoff).sum() < len(relevant)


class TestAuc:
    def auc(self, scores: list[float], trained: list[int], relevant: list[int]) -> float:
        block = np.array([scores], dtype=np.float32)
        return float(auc(block, held_out([trained], len(scores)), held_out([relevant], len(scores)))[0])

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
    def test_ordered_pairs_by_hand(self, scores: list[float], expected: float) -> None:
        assert self.auc(scores, [0], [1, 2]) == expected

    def test_items_without_a_score_are_the_last_candidates(self) -> None:
        # candidates are 1, 2, 3 and 4; test item 1 and item 4 have no score: they tie
        assert self.auc([9, -np.inf, 5, 4, -np.inf], [0], [1]) == 0.5 / 3
        assert self.auc([9, 5, -np.inf, 4, -np.inf], [0], [1]) == 1

    def test_without_pairs_it_is_one_half(self) -> None:
        assert self.auc([9, 1, 2], [0], [1, 2]) == 0.5
        assert self.auc([9, 1, 2], [0], []) == 0.5

    def test_it_is_scipy_s_mann_whitney_u_over_the_number_of_pairs(self) -> None:
        from scipy.stats import mannwhitneyu

        rng = np.random.default_rng(3)
        scores = rng.integers(0, 12, (20, 50)).astype(np.float32)  # many ties
        test = held_out([rng.permutation(50)[:7].tolist() for _ in range(20)], 50)
        areas = auc(scores, held_out([[]] * 20, 50), test)
        for user in range(20):
            relevant = np.zeros(50, dtype=bool)
            relevant[test[[user]].indices] = True
            u = mannwhitneyu(scores[user, relevant], scores[user, ~relevant]).statistic
            assert areas[user] == pytest.approx(u / (7 * 43))

    @pytest.mark.parametrize("most_counted", [0, 1000])
    @pytest.mark.parametrize("same_for_all", [False, True])
    def test_it_is_the_share_of_all_pairs_whether_scores_are_counted_or_sorted(
        self, monkeypatch: pytest.MonkeyPatch, most_counted: int, same_for_all: bool
    ) -> None:
        """Ties, items without a score, signed zeros, and scores that are the same for every user, as popularity's."""
        monkeypatch.setattr(metrics, "_most_counted", lambda n_items: most_counted)
        rng = np.random.default_rng(5)
        n_users, n_items = 6, 900
        scores = np.round(rng.normal(size=(n_users, n_items)), 1).astype(np.float32)  # some are -0.0
        scores[:, rng.choice(n_items, 50, replace=False)] = -np.inf
        if same_for_all:
            scores[:] = scores[0]
        drawn = [rng.permutation(n_items) for _ in range(n_users)]
        relevant = [items[: 2**user].tolist() for user, items in enumerate(drawn)]
        trained = [items[100 : 100 + 80 * user].tolist() for user, items in enumerate(drawn)]
        areas = auc(scores, held_out(trained, n_items), held_out(relevant, n_items))
        for user in range(n_users):
            others = np.setdiff1d(np.arange(n_items), [*trained[user], *relevant[user]])
            of_test, of_others = scores[user, relevant[user]][:, None], scores[user, others]
            expected = ((of_test > of_others) + (of_test == of_others) / 2).mean()
            assert areas[user] == pytest.approx(expected, abs=1e-12)

    def test_scores_are_counted_in_large_catalogues_only(self) -> None:
        assert metrics._most_counted(1_000) == 0
        assert 1 <= metrics._most_counted(100_000) < 10_000
