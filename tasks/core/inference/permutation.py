"""Exact permutation test of run labels.

If two models draw their lists from one distribution, the labels "run of A" and "run of B" are exchangeable. The p-value
is the share of all assignments of labels (splits) whose Δ is at least the observed Δ.
"""

from dataclasses import dataclass
from itertools import chain, combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.inference.effect import group_sizes, pair_weights
from tasks.core.inference.multiplicity import LEVEL
from tasks.core.inference.overlap_counts import BLOCK_BYTES, Overlaps
from tasks.core.types import Mask, Values

MOST_SPLITS = 100_000
"""Largest number of splits that are enumerated; of more, `DRAWS` are sampled. 10 runs against 10 have 92,378."""
DRAWS = 99_999
_BLOCK_ENTITIES = 2048


@dataclass(frozen=True)
class PermutationTest:
    """Result of the permutation test, one-sided for large Δ.

    Attributes
    ----------
    p : float
    splits : int
        Number of splits of the runs that p is over, the observed one included.
    exact : bool
        Whether these are all splits and not a sample.
    """

    p: float
    splits: int
    exact: bool


def permutation_test(overlaps: Overlaps, labels: Mask, *, seed: int) -> PermutationTest:
    """Test whether Δ is larger than exchangeable labels would give.

    The test is exact over all splits if there are at most `MOST_SPLITS`. With S_A = S_B a split and its complement have
    equal Δ and count once. With more splits, p is (hits + 1)/(draws + 1) over random splits (Phipson and Smyth 2010).
    With S_A = S_B, p equals that of PERMANOVA (Anderson 2001) on the distances √(1 - O).

    Parameters
    ----------
    overlaps : Overlaps
        Counts (R, R).
    labels : (R,) bool
        True for runs of B.
    seed : int
        Of the random splits; without effect on an exact test.

    Returns
    -------
    PermutationTest

    Raises
    ------
    ValueError
        If a model has fewer than two runs, or the number of labels is not R.
    OverflowError
        If the counts are too large for exact sums in 64 bits.
    """
    p, splits, exact = _permute(overlaps, labels, seed)
    return PermutationTest(float(p[0]), splits, exact)


def permutation_p_by_entity(overlaps: Overlaps, labels: Mask, *, seed: int) -> Values:
    """Run the permutation test for each entity, all over the same splits.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (E, R, R).
    labels : (R,) bool
        True for runs of B.
    seed : int
        Of the random splits; without effect on exact tests.

    Returns
    -------
    (E,) float64
        p of each entity.

    Raises
    ------
    ValueError, OverflowError
        As in `permutation_test`.
    """
    return _permute(overlaps, labels, seed)[0]


def smallest_p(runs_a: int, runs_b: int, *, endpoints: int = 1) -> float:
    """Return the smallest p that a number of runs can reach after Holm's adjustment.

    It is reached if the observed split has the largest Δ of all splits on every endpoint.

    Parameters
    ----------
    runs_a, runs_b : int
        Runs of each model.
    endpoints : int
        Number of p-values that are adjusted together.

    Returns
    -------
    float
        At most 1.
    """
    splits = _split_count(runs_a, runs_b)
    return min(1.0, endpoints / (splits if splits <= MOST_SPLITS else DRAWS + 1))


def replicates_needed(endpoints: int, *, level: float = LEVEL) -> int:
    """Return the fewest replicates of each model with which every endpoint could be significant.

    Parameters
    ----------
    endpoints : int
        Number of p-values that Holm's adjustment is over.
    level : float
        Significance level.

    Returns
    -------
    int
        The fewest replicates whose smallest p over all splits, after adjustment, is at most the level.
    """
    replicates = 2
    while endpoints > level * _split_count(replicates, replicates):
        replicates += 1
    return replicates


def _split_count(a: int, b: int) -> int:
    return comb(a + b, a) // (2 if a == b else 1)


def _splits(labels: Mask, seed: int) -> tuple[Mask, bool]:
    """Return (M, R) labels of all splits or of a random sample, and whether they are all."""
    runs, b = len(labels), int(labels.sum())
    a = runs - b
    count = _split_count(a, b)
    if count > MOST_SPLITS:
        generator = np.random.default_rng(seed)
        return generator.permuted(np.tile(labels, (DRAWS, 1)), axis=1), False
    # With groups of equal size only one of a split and its complement is needed: the one with run 0 in A.
    groups_b = chain.from_iterable(combinations(range(int(a == b), runs), b))
    members = np.fromiter(groups_b, dtype=np.intp, count=count * b).reshape(count, b)
    splits = np.zeros((count, runs), dtype=bool)
    np.put_along_axis(splits, members, True, axis=1)
    return splits, True


def _permute(overlaps: Overlaps, labels: Mask, seed: int) -> tuple[Values, int, bool]:
    """Return p of each matrix (E,), the number of splits, and whether these are all splits.

    Δ times its common denominator is an integer: a weighted sum of counts over pairs of runs. All splits of all
    matrices are therefore one matrix product.
    """
    a, b = group_sizes(overlaps, labels)
    counts = overlaps.counts.reshape(-1, a + b, a + b)  # (E, R, R)
    weight_a, weight_b, weight_between, multiplier = pair_weights(a, b)
    # No partial sum of weighted counts exceeds the bound, in whatever order BLAS adds. float32 represents integers
    # exactly up to 2^24 and float64 up to 2^53, so the narrowest type that holds the bound gives exact sums fastest.
    bound = 2 * multiplier * int(counts.max())
    if bound >= 1 << 63:
        raise OverflowError(
            f"found overlaps with denominator {overlaps.denominator} for {a + b} runs, whose sums do not fit 64 bits; "
            "compare fewer runs or entities"
        )
    exact_up_to = ((1 << 24, np.dtype(np.float32)), (1 << 53, np.dtype(np.float64)), (1 << 63, np.dtype(np.int64)))
    dtype = next(dtype for limit, dtype in exact_up_to if bound < limit)
    first, second = np.triu_indices(a + b, 1)
    pairs = np.ascontiguousarray(counts[:, first, second].T, dtype=dtype)  # (P, E)
    # Indexed by how many of a pair's two runs are in B.
    weight_of = np.array([weight_a, -weight_between, weight_b], dtype=dtype)

    def statistics(splits: Mask, entities: slice) -> npt.NDArray[Any]:
        in_b = splits.view(np.int8)
        weights = weight_of[in_b[:, first] + in_b[:, second]]  # (M, P)
        return np.asarray(weights @ pairs[:, entities])  # (M, E)

    splits, exact = _splits(labels, seed)
    hits = np.zeros(len(counts), dtype=np.int64)
    step = max(1, BLOCK_BYTES // (4 * dtype.itemsize * len(first)))
    for begin in range(0, len(counts), _BLOCK_ENTITIES):
        entities = slice(begin, begin + _BLOCK_ENTITIES)
        observed = statistics(labels[None], entities)
        for start in range(0, len(splits), step):
            hits[entities] += (statistics(splits[start : start + step], entities) >= observed).sum(axis=0)
    if exact:
        return hits / len(splits), len(splits), True
    # The observed split counts as one of the sample, so that p is never zero.
    return (hits + 1) / (len(splits) + 1), len(splits) + 1, False
