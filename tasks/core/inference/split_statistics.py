"""Statistics of the permutation test, computed for many splits of the runs at once.

A split assigns each of R runs to A or to B. Both statistics grow with Δ. `scaled_deltas` is for models with equal
numbers of runs, `studentised_deltas` for unequal numbers.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.inference.effect import pair_weights
from tasks.core.types import Counts, Mask, Values

_EXACT_UP_TO = ((1 << 24, np.dtype(np.float32)), (1 << 53, np.dtype(np.float64)), (1 << 63, np.dtype(np.int64)))


def scaled_deltas(counts: Counts, splits: Mask) -> npt.NDArray[Any]:
    """Return Δ of each split and matrix, times the common denominator of `effect.pair_weights`.

    Scaled like this Δ is an integer: a weighted sum of counts over pairs of runs. All splits of all matrices are
    therefore one matrix product.

    Parameters
    ----------
    counts : (E, R, R) int64
        Counts of overlaps.
    splits : (M, R) bool
        True for runs of B. All splits have the same number of runs of B.

    Returns
    -------
    (M, E) float32, float64 or int64
        Integers, whatever the type.

    Raises
    ------
    OverflowError
        If the counts are too large for exact sums in 64 bits.
    """
    runs = splits.shape[1]
    weight_a, weight_b, weight_between, multiplier = pair_weights(*_sizes(splits))
    dtype = _exact_dtype(2 * multiplier * int(counts.max()))
    first, second = np.triu_indices(runs, 1)
    pairs = np.ascontiguousarray(counts[:, first, second].T, dtype=dtype)  # (P, E)
    # Indexed by how many of a pair's two runs are in B.
    weight_of = np.array([weight_a, -weight_between, weight_b], dtype=dtype)
    in_b = splits.view(np.int8)
    return np.asarray(weight_of[in_b[:, first] + in_b[:, second]] @ pairs)


def studentised_deltas(counts: Counts, splits: Mask) -> Values:
    """Return Δ divided by its jackknife standard error, of each split and matrix.

    Parameters
    ----------
    counts : (E, R, R) int64
        Counts of overlaps.
    splits : (M, R) bool
        True for runs of B. All splits have the same number of runs of B.

    Returns
    -------
    (M, E) float64
        Without a unit. Where the standard error is zero: 0 if Δ is zero, and infinite with the sign of Δ otherwise.

    Raises
    ------
    OverflowError
        If the counts are too large for exact sums in 64 bits.
    """
    variances = delta_variances(counts, splits)
    deltas = scaled_deltas(counts, splits).astype(np.float64) / pair_weights(*_sizes(splits))[3]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(deltas == 0, 0.0, deltas / np.sqrt(variances.T))


def delta_variances(counts: Counts, splits: Mask) -> Values:
    """Return the jackknife variance of Δ, times the squared denominator of the counts, of each matrix and split.

    The variance is that of `jackknife.jackknife` (Arvesen 1969). Leaving run r out of group g of S_g runs changes Δ by
    (u_r - mean)/(S_g - 2) - (v_r - mean)/(S_g - 1), up to the sign. u_r is the mean overlap of r with the other runs of
    g, v_r its mean overlap with the runs of the other group, and the means are over the runs of g. In a group of two,
    u_r is the same for both runs, so that the first term is zero.

    Parameters
    ----------
    counts : (E, R, R) int64
        As in `scaled_deltas`.
    splits : (M, R) bool
        As in `scaled_deltas`.

    Returns
    -------
    (E, M) float64
        Exactly 0 if no run changes Δ.

    Raises
    ------
    OverflowError
        If the counts are too large for exact sums in 64 bits.
    """
    a, b = _sizes(splits)
    dtype = _exact_dtype(4 * a * b * max(a, b) * int(counts.max()))
    between_runs = counts.astype(dtype)
    between_runs[:, np.arange(a + b), np.arange(a + b)] = 0
    in_b = splits.T.astype(dtype)  # (R, M)
    with_b = between_runs @ in_b  # (E, R, M): each run's overlaps with the runs of B
    with_a = between_runs @ (1 - in_b)
    return _variance(with_a, with_b, 1 - in_b, a, b) + _variance(with_b, with_a, in_b, b, a)


def _variance(
    within: npt.NDArray[Any], between: npt.NDArray[Any], members: npt.NDArray[Any], size: int, other_size: int
) -> Values:
    """Return the part of Δ's jackknife variance that is due to the runs of one group, (E, M).

    `within` and `between` are (E, R, M): each run's sum of overlaps with the runs of this group and of the other.
    `members` (R, M) is 1 for the runs of this group and 0 for the others.
    """
    degrees = max(size - 2, 1)
    # Integers up to the last line, so that runs of equal influence have a variance of exactly zero. float32 would round
    # their squares, and splits that tie would differ.
    changes = members * (other_size * within - degrees * between)
    centred = members * (size * changes - changes.sum(axis=1, keepdims=True))
    scale = size * other_size * (size - 1) * degrees
    squares = np.square(centred, dtype=np.float64).sum(axis=1)
    return np.asarray((size - 1) / size * squares / scale**2)


def _sizes(splits: Mask) -> tuple[int, int]:
    b = int(splits[0].sum())
    return splits.shape[1] - b, b


def _exact_dtype(bound: int) -> np.dtype[Any]:
    """Return the narrowest type that represents integers up to the bound exactly; narrow types are the fastest."""
    for limit, dtype in _EXACT_UP_TO:
        if bound < limit:
            return dtype
    raise OverflowError(
        f"found counts of overlaps whose sums reach {bound:.1e}, which do not fit 64 bits; compare fewer runs or "
        "entities"
    )
