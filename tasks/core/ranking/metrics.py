"""Ranking accuracy on held-out interactions.

Each metric is computed for every user who has at least one test item; means over these users (macro averages) are taken
elsewhere. `hits` tells which of a user's first K recommendations are test items, `relevant` is the number of the user's
test items. Where definitions in the literature differ, the name tells the variant.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.models.cost import seconds
from tasks.core.types import Counts, Floats, Ids, Mask, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALGORITHM = 3
"""Part of an evaluation's identity. It is raised whenever metrics are added, or the same factors would give different
values."""
_LEAST_COUNTED = 4_000
"""In a smaller catalogue scores are sorted for every user: that takes a few microseconds."""
_SORTED_SCORES = 1 << 20
"""Scores that are sorted in one call: other threads run meanwhile, and they stay in the processor's cache."""
_COMPARED_SCORES = 1 << 19
"""Comparisons in one call, likewise. Two threads that make a call for each test item wait for each other half of the
time."""


def accuracy(hits: Mask, relevant: Counts, cutoff: int) -> dict[str, Values]:
    """Return every metric at one cutoff K.

    Parameters
    ----------
    hits : (T, n) bool
        Which of the recommendations are test items, best first. If n is below K, the lists end there.
    relevant : (T,) int64
        Number of test items of each user, at least 1.
    cutoff : int
        K.

    Returns
    -------
    dict of str to (T,) float64
        By names such as `ndcg_at_10`.
    """
    missing = max(0, cutoff - hits.shape[1])
    padded = np.pad(hits[:, :cutoff], ((0, 0), (0, missing)))  # (T, K)
    return {f"{name}_at_{cutoff}": metric(padded, relevant) for name, metric in _METRICS.items()}


def find_hits(recommended: Ids, test: "csr_array") -> Mask:
    """Return which recommendations are test items.

    Parameters
    ----------
    recommended : (U, n) int32
        Item indexes; -1, where a list has ended, is no hit.
    test : (U, I) CSR
        Held-out interactions.

    Returns
    -------
    (U, n) bool
    """
    # a pair of user and item is one key, user * I + item, so that one search finds the hits of all users
    n_items = np.int64(test.shape[1])
    users = np.repeat(np.arange(test.shape[0], dtype=np.int64), np.diff(test.indptr))
    test_keys = users * n_items + test.indices
    if not test.has_sorted_indices:
        test_keys.sort()
    keys = np.arange(len(recommended), dtype=np.int64)[:, None] * n_items + recommended
    # takes a small part of the time of np.isin, which sorts the keys
    nearest = np.append(test_keys, -1)[np.searchsorted(test_keys, keys)]
    return np.asarray((nearest == keys) & (recommended >= 0))


def auc(scores: Floats, trained: "csr_array", test: "csr_array") -> Values:
    """Return the area under the ROC curve of each user (Rendle et al. 2009, section 3.2).

    It is the share of pairs of a test item and another candidate in which the test item has the higher score; ties
    count one half. Candidates are all items that the user was not trained on, with those of score -inf at the end.

    Parameters
    ----------
    scores : (B, I) float32
        -inf for items without a score.
    trained : (B, I) CSR
        Items that each user was trained on; none is among the user's test items.
    test : (B, I) CSR
        Held-out interactions of the same users.

    Returns
    -------
    (B,) float64
        0.5 for a user without test items, or without other candidates.
    """
    areas = np.full(len(scores), 0.5)
    n_positives, n_trained = np.diff(test.indptr), np.diff(trained.indptr)
    for row, ordered in _ordered(scores, n_positives):
        of_items, of_trained = scores[row, _items(test, row)], np.sort(scores[row, _items(trained, row)])
        lower, not_higher = _counts(scores[row], of_items) if ordered is None else _places(ordered, of_items)
        # items trained on count neither as lower nor as tied
        trained_lower, trained_not_higher = _places(of_trained, of_items)
        lower, not_higher = lower - trained_lower, not_higher - trained_not_higher
        positives = int(n_positives[row])  # its square may exceed int32
        negatives = scores.shape[1] - int(n_trained[row]) - positives
        if negatives:
            # the positives² pairs of test items, each item with itself included, always add up to half their number
            ordered_pairs = lower + (not_higher - lower) / 2 - positives**2 / 2
            areas[row] = ordered_pairs / (positives * negatives)
    return areas


def _ordered(scores: Floats, n_positives: Counts) -> Iterator[tuple[int, Floats | None]]:
    """Yield each row that has test items, and its scores in ascending order; None where counting takes less time."""
    rows = np.flatnonzero(n_positives)
    if len(scores) > 1 and np.array_equal(scores[0], scores[1]) and (scores == scores[0]).all():  # such as popularity
        ordered = np.sort(scores[0])
        yield from ((row, ordered) for row in rows.tolist())
        return
    counted = n_positives[rows] <= _most_counted(scores.shape[1])
    yield from ((row, None) for row in rows[counted].tolist())
    others = rows[~counted]
    at_once = max(1, _SORTED_SCORES // scores.shape[1])
    for start in range(0, len(others), at_once):
        part = others[start : start + at_once]
        ordered = scores[part]  # a copy
        ordered.sort(axis=1)
        yield from zip(part.tolist(), ordered, strict=True)


def _places(ordered: Floats, of_items: Floats) -> tuple[int, int]:
    """Return how many scores, in ascending order, are below each item's, and how many are not above it, in total."""
    return int(ordered.searchsorted(of_items).sum()), int(ordered.searchsorted(of_items, side="right").sum())


def _counts(scores: Floats, of_items: Floats) -> tuple[int, int]:
    """Return the same from scores in any order."""
    lower = not_higher = 0
    at_once = max(1, _COMPARED_SCORES // len(scores))
    for start in range(0, len(of_items), at_once):
        part = of_items[start : start + at_once, None]
        lower += int(np.count_nonzero(scores < part))
        not_higher += int(np.count_nonzero(scores <= part))
    return lower, not_higher


@cache
def _most_counted(n_items: int) -> int:
    """Return the most test items of a user for whom counting scores takes less time than sorting them, as measured.

    Both give the same numbers. Which of them is faster depends on the processor: NumPy sorts with instructions of
    AVX-512, which some processors have but execute slowly.
    """
    if n_items < _LEAST_COUNTED:
        return 0
    row = np.random.default_rng(0).random(n_items, dtype=np.float32)
    items = row[: max(1, _COMPARED_SCORES // n_items)]
    return int(seconds(np.sort, row) / seconds(_counts, row, items) * len(items))


def _items(test: "csr_array", row: int) -> Ids:
    return test.indices[test.indptr[row] : test.indptr[row + 1]]


def _precision(hits: Mask, relevant: Counts) -> Values:
    """Return hits / K (trec_eval's P)."""
    return np.asarray(hits.sum(axis=1) / hits.shape[1])


def _recall(hits: Mask, relevant: Counts) -> Values:
    """Return hits / relevant (trec_eval's recall)."""
    return np.asarray(hits.sum(axis=1) / relevant)


def _recall_capped(hits: Mask, relevant: Counts) -> Values:
    """Return hits / min(K, relevant), so that a list of K hits gives 1 (Liang et al. 2018, eq. for Recall@R)."""
    return np.asarray(hits.sum(axis=1) / np.minimum(hits.shape[1], relevant))


def _ndcg(hits: Mask, relevant: Counts) -> Values:
    """Return the discounted gain, 1/log2(rank + 1) for each hit, over that of min(K, relevant) hits at the top.

    Järvelin and Kekäläinen 2002 with binary gains; trec_eval's ndcg_cut.
    """
    return (hits @ _discounts(hits.shape[1])) / _ideal(np.minimum(hits.shape[1], relevant))


def _ndcg_all(hits: Mask, relevant: Counts) -> Values:
    """Return the discounted gain over that of *all* relevant items at the top, those beyond K included.

    Järvelin and Kekäläinen 2002 with binary gains.
    """
    return (hits @ _discounts(hits.shape[1])) / _ideal(relevant)


def _average_precision(hits: Mask, relevant: Counts) -> Values:
    """Return the sum of the precisions at the hits over min(K, relevant) (Kaggle's and LensKit's MAP@K)."""
    ranks = np.arange(1, hits.shape[1] + 1)
    precisions = np.cumsum(hits, axis=1) / ranks
    return np.asarray((precisions * hits).sum(axis=1) / np.minimum(hits.shape[1], relevant))


def _average_precision_all(hits: Mask, relevant: Counts) -> Values:
    """Return the sum of the precisions at the hits over *all* relevant items (trec_eval's map_cut)."""
    return _average_precision(hits, relevant) * np.minimum(hits.shape[1], relevant) / relevant


def _reciprocal_rank(hits: Mask, relevant: Counts) -> Values:
    """Return 1 / rank of the first hit, 0 without one (trec_eval's recip_rank, within K)."""
    return np.asarray(hits.any(axis=1) / (hits.argmax(axis=1) + 1))


def _hit_rate(hits: Mask, relevant: Counts) -> Values:
    """Return 1 if there is a hit, else 0 (trec_eval's success)."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def _discounts(n: int) -> Values:
    """Return 1/log2(rank + 1) for the ranks 1 to n."""
    return np.asarray(1 / np.log2(np.arange(2, n + 2)))


def _ideal(counts: Counts) -> Values:
    """Return the discounted gain of as many hits at the top, for each count."""
    return np.asarray(np.cumsum(_discounts(int(counts.max(initial=1))))[counts - 1])


_METRICS = {
    "precision": _precision,
    "recall": _recall,
    "recall_capped": _recall_capped,
    "ndcg": _ndcg,
    "ndcg_all": _ndcg_all,
    "map": _average_precision,
    "map_all": _average_precision_all,
    "mrr": _reciprocal_rank,
    "hit_rate": _hit_rate,
}
