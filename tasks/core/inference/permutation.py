"""Exact permutation test of run labels.

If two models draw their lists from one distribution, the labels "run of A" and "run of B" are exchangeable. The p-value
is the share of all assignments of labels (splits) whose statistic is at least the observed one. The statistic is Δ if
both models have the same number of runs, and Δ divided by its standard error otherwise.
"""

from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np

from tasks.core.inference.effect import group_sizes
from tasks.core.inference.multiplicity import LEVEL
from tasks.core.inference.overlap_counts import BLOCK_BYTES, Overlaps
from tasks.core.inference.split_statistics import scaled_deltas, studentised_deltas
from tasks.core.types import Mask, Values

MOST_SPLITS = 100_000
"""Largest number of splits that are enumerated; of more, `DRAWS` are sampled. 10 runs against 10 have 92,378."""
DRAWS = 99_999
TIES = 1e-12
"""Relative difference up to which two values of a statistic in floating point count as equal."""
_BLOCK_ENTITIES = 2048


@dataclass(frozen=True)
class PermutationTest:
    """Result of the permutation test, one-sided for large differences.

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

    The test is exact over all splits if there are at most `MOST_SPLITS`. With more splits, p is (hits + 1)/(draws + 1)
    over random splits (Phipson and Smyth 2010).

    With S_A = S_B the statistic is Δ, in exact arithmetic. A split and its complement have equal Δ and count once. p
    equals that of PERMANOVA (Anderson 2001) on the distances √(1 - O).

    With S_A ≠ S_B the statistic is Δ divided by its jackknife standard error (Chung and Romano 2013). The test stays
    exact for models that draw their lists from one distribution. The division matters if the models agree in what they
    list but not in how the lists of one run depend on each other: Δ alone then has another spread over the splits than
    it has in truth. `tests/benchmarks/unequal_replicates.py` compares the two.

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

    It is reached if the observed split has the largest statistic of all splits on every endpoint.

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
    """Return p of each matrix (E,), the number of splits, and whether these are all splits."""
    a, b = group_sizes(overlaps, labels)
    counts = overlaps.counts.reshape(-1, a + b, a + b)  # (E, R, R)
    splits, exact = _splits(labels, seed)
    statistic, size, bytes_per_split = scaled_deltas, _BLOCK_ENTITIES, 32 * comb(a + b, 2)
    if a != b:
        # Its arrays have an axis for the runs, (E, R, M). Small blocks of entities keep them in the processor's cache.
        statistic, size, bytes_per_split = studentised_deltas, 64, 96 * 64 * (a + b)
    step = max(1, BLOCK_BYTES // bytes_per_split)
    hits = np.zeros(len(counts), dtype=np.int64)
    for begin in range(0, len(counts), size):
        block = slice(begin, begin + size)
        observed = statistic(counts[block], labels[None])
        # Δ in integers ties exactly. The product leaves zero and infinite values as they are.
        least = observed if a == b else observed * (1 - TIES * np.sign(observed))
        for start in range(0, len(splits), step):
            hits[block] += (statistic(counts[block], splits[start : start + step]) >= least).sum(axis=0)
    if exact:
        return hits / len(splits), len(splits), True
    # The observed split counts as one of the sample, so that p is never zero.
    return (hits + 1) / (len(splits) + 1), len(splits) + 1, False
