"""Exact permutation test of run labels."""

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
"""Splits that are enumerated; beyond, `DRAWS` of them are drawn. 10 runs against 10 have 92,378."""
DRAWS = 99_999


@dataclass(frozen=True)
class Permutation:
    """p of the label permutation, one-sided for large Δ.

    splits : of the runs that it is over, the observed included
    exact : all there are, not a sample
    """

    p: float
    splits: int
    exact: bool


def permutation_test(overlaps: Overlaps, labels: Mask, *, seed: int) -> Permutation:
    """Permutation of run labels for a matrix (R, R): the share of splits whose Δ is at least the observed.

    Exact over all splits up to `MOST_SPLITS` (where S_A = S_B, a split and its complement have equal Δ and count once);
    beyond, (hits + 1)/(draws + 1) over random ones (Phipson and Smyth 2010). Holds its level where runs of both models
    have lists of one distribution. With S_A = S_B, p is that of PERMANOVA (Anderson 2001) on the distances √(1 - O).
    """
    p, splits, exact = _permute(overlaps, labels, seed)
    return Permutation(float(p[0]), splits, exact)


def permutation_by_entity(overlaps: Overlaps, labels: Mask, *, seed: int) -> Values:
    """p of each entity of (E, R, R), as `permutation_test` gives it, all over the same splits: (E,)."""
    return _permute(overlaps, labels, seed)[0]


def smallest_p(runs_a: int, runs_b: int, *, endpoints: int = 1) -> float:
    """The least p that so many runs can reach after Holm over the endpoints: at best each p is one split's."""
    splits = _split_count(runs_a, runs_b)
    return min(1.0, endpoints / (splits if splits <= MOST_SPLITS else DRAWS + 1))


def replicates_needed(endpoints: int, *, level: float = LEVEL) -> int:
    """The fewest replicates of each model whose smallest p after Holm, over all splits, is at most the level."""
    replicates = 2
    while endpoints > level * _split_count(replicates, replicates):
        replicates += 1
    return replicates


def _split_count(a: int, b: int) -> int:
    return comb(a + b, a) // (2 if a == b else 1)


def _splits(labels: Mask, seed: int) -> tuple[Mask, bool]:
    """(M, R) labels of all splits, or of a random sample; and whether they are all."""
    runs, b = len(labels), int(labels.sum())
    a = runs - b
    count = _split_count(a, b)
    if count > MOST_SPLITS:
        generator = np.random.default_rng(seed)
        return generator.permuted(np.tile(labels, (DRAWS, 1)), axis=1), False
    # of a split and its complement, where both are splits, the one with run 0 in A
    chosen = chain.from_iterable(combinations(range(int(a == b), runs), b))
    members = np.fromiter(chosen, dtype=np.intp, count=count * b).reshape(count, b)
    splits = np.zeros((count, runs), dtype=bool)
    np.put_along_axis(splits, members, True, axis=1)
    return splits, True


def _permute(overlaps: Overlaps, labels: Mask, seed: int) -> tuple[Values, int, bool]:
    """p of each matrix: Δ times a common denominator, an integer, is a weighted sum of counts over pairs of runs."""
    a, b = group_sizes(overlaps, labels)
    counts = overlaps.counts.reshape(-1, a + b, a + b)  # (E, R, R)
    of_a, of_b, of_between, denominator = pair_weights(a, b)
    # No sum of counts times weights, whatever its order, is beyond the bound: floats stay integers up to 2^24 and 2^53.
    bound = 2 * denominator * int(counts.max())
    if bound >= 1 << 63:
        raise OverflowError(f"overlaps counted out of {overlaps.whole} for {a + b} runs do not fit 64 bits")
    exact_in = ((1 << 24, np.dtype(np.float32)), (1 << 53, np.dtype(np.float64)), (1 << 63, np.dtype(np.int64)))
    dtype = next(dtype for limit, dtype in exact_in if bound < limit)
    first, second = np.triu_indices(a + b, 1)
    pairs = np.ascontiguousarray(counts[:, first, second].T, dtype=dtype)  # (P, E)
    weight_of = np.array([of_a, -of_between, of_b], dtype=dtype)

    def statistics(split: Mask, chosen: slice) -> npt.NDArray[Any]:
        in_b = split.view(np.int8)
        weights = weight_of[in_b[:, first] + in_b[:, second]]  # (M, P)
        return np.asarray(weights @ pairs[:, chosen])  # (M, E)

    splits, exact = _splits(labels, seed)
    hits = np.zeros(len(counts), dtype=np.int64)
    step = max(1, BLOCK_BYTES // (4 * dtype.itemsize * len(first)))
    for begin in range(0, len(counts), 2048):
        some = slice(begin, begin + 2048)
        observed = statistics(labels[None], some)
        for start in range(0, len(splits), step):
            hits[some] += (statistics(splits[start : start + step], some) >= observed).sum(axis=0)
    return (hits / len(splits) if exact else (hits + 1) / (len(splits) + 1)), len(splits) + (not exact), exact
