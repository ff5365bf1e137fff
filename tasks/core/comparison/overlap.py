"""Agreement of the ranked lists of two runs.

Two runs each give a list to every entity (a user or an item). Agreement at depth n is averaged over entities. A pair of
lists that are both shorter than n is compared over the length that they have.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.core.types import Counts, Ids, Mask, Values

RBO_P = 0.8
"""Persistence p of rank-biased overlap: the weight of depth d + 1 relative to that of depth d."""
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Agreement:
    """Agreement of the lists of two runs, averaged over entities. Equal lists give 1 and disjoint lists give 0.

    Attributes
    ----------
    overlap : float
        Shared entries / n.
    jaccard : float
        Shared entries / entries of either list.
    rbo : float
        Extrapolated rank-biased overlap with p = 0.8.
    """

    overlap: float
    jaccard: float
    rbo: float


@dataclass(frozen=True)
class Pair:
    """Lists of two runs for the same R entities, compared at every depth.

    Attributes
    ----------
    shared : (R, n) int64
        Entries shared at each depth, as `shared_by_depth` returns them.
    lengths_a, lengths_b : (R,) int64
        Length of each list.
    """

    shared: Counts
    lengths_a: Counts
    lengths_b: Counts

    @classmethod
    def of(cls, a: Ids, b: Ids) -> "Pair":
        """Compare the lists of two runs.

        Parameters
        ----------
        a, b : (R, >= 0) int32
            Best first, padded with -1.

        Returns
        -------
        Pair
        """
        return cls(shared_by_depth(a, b), (a >= 0).sum(axis=1), (b >= 0).sum(axis=1))

    def of_entity(self, index: int) -> "Pair":
        """Return the comparison of one entity alone."""
        return self.of_rows(slice(index, index + 1))

    def of_rows(self, rows: slice | Mask) -> "Pair":
        """Return the comparison of some of the entities."""
        return Pair(self.shared[rows], self.lengths_a[rows], self.lengths_b[rows])

    def overlaps(self, depth: int) -> Values:
        """Return the mean overlap at every depth from 1 to `depth`, as `at` defines it: (depth,) float64."""
        depths = np.arange(1, depth + 1)
        overlap = np.empty((len(self.shared), depth))
        for rows in _blocks(len(overlap), depth):
            longer = np.minimum(np.maximum(self.lengths_a[rows], self.lengths_b[rows])[:, None], depths)  # (B, depth)
            shared = np.zeros_like(longer)
            if self.shared.shape[1]:
                shared = self.shared[rows, np.minimum(depths, self.shared.shape[1]) - 1]
            overlap[rows] = np.where(longer > 0, shared / np.maximum(longer, 1), 1.0)
        return np.asarray(overlap.mean(axis=0))

    def at(self, n: int) -> Agreement:
        """Return the agreement of the first n entries. Two empty lists agree."""
        a, b = np.minimum(self.lengths_a, n), np.minimum(self.lengths_b, n)
        longer = np.maximum(a, b)
        by_depth = self.shared[:, :n]
        shared = by_depth[:, -1] if by_depth.shape[1] else np.zeros(len(by_depth), dtype=np.int64)
        union = a + b - shared
        overlap = np.where(longer > 0, shared / np.maximum(longer, 1), 1.0)
        jaccard = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
        return Agreement(float(overlap.mean()), float(jaccard.mean()), float(rbo(by_depth, longer).mean()))


def shared_by_depth(a: Ids, b: Ids) -> Counts:
    """Count the entries that the first d of two lists share, for every depth d.

    An entry at rank i in a and rank j in b is shared from depth max(i, j) on.

    Parameters
    ----------
    a, b : (R, >= 0) int32
        Best first, no id twice, padded with -1.

    Returns
    -------
    (R, n) int64
        Column d - 1 holds the count at depth d; n is the width of the wider array.
    """
    depth = max(a.shape[1], b.shape[1])
    if not depth or not len(a):
        return np.zeros((len(a), depth), dtype=np.int64)
    # One integer key holds an id (high bits) and its position in a, then b (low bits). After sorting the keys of a row,
    # the two entries of an id that both lists hold are adjacent, a's first.
    bits = (2 * depth - 1).bit_length()
    size = 1 << bits
    positions = np.arange(2 * depth)
    all_counts = np.empty((len(a), depth), dtype=np.int64)
    for block in _blocks(len(a), depth):
        left, right = a[block], b[block]
        keys = np.full((len(left), 2 * depth), -1, dtype=np.int64)
        keys[:, : left.shape[1]], keys[:, depth : depth + right.shape[1]] = left, right
        keys <<= bits
        keys |= positions
        keys.sort(axis=1)
        first, second = keys[:, :-1], keys[:, 1:]
        # Keys of one id differ in the low bits only. Padding is negative and is not an entry.
        shared = np.flatnonzero(((first ^ second) < size) & (first >= 0))
        rows, columns = np.divmod(shared, 2 * depth - 1)
        ranks = first[rows, columns] & (size - 1), (second[rows, columns] & (size - 1)) - depth
        counts = np.bincount(rows * depth + np.maximum(*ranks), minlength=len(left) * depth)
        np.cumsum(counts.reshape(len(left), depth), axis=1, out=all_counts[block])
    return all_counts


def rbo(shared: Counts, lengths: Counts, p: float = RBO_P) -> Values:
    """Return the extrapolated rank-biased overlap of each pair of lists.

    Webber, Moffat and Zobel 2010, eq. 23 for lists of equal length, with X_d the entries shared at depth d:

        RBO_ext = (1 - p)/p · Σ over d = 1 ... n of (X_d / d)·p^d + (X_n / n)·p^n

    Parameters
    ----------
    shared : (R, n) int64
        As `shared_by_depth` returns them.
    lengths : (R,) int64
        Length of the lists of each pair, at most n.
    p : float
        Persistence: the weight of depth d + 1 relative to that of depth d.

    Returns
    -------
    (R,) float64
        1 for a pair of length 0.
    """
    if not shared.shape[1]:
        return np.ones(len(shared))
    depths = np.arange(1, shared.shape[1] + 1)
    weights = p**depths
    values = np.empty(len(shared))
    for rows in _blocks(*shared.shape):
        proportions, sizes = shared[rows] / depths, lengths[rows]  # (B, n), (B,)
        summed = (1 - p) / p * (proportions * (weights * (depths <= sizes[:, None]))).sum(axis=1)
        last = np.maximum(sizes, 1)
        final = np.take_along_axis(proportions, last[:, None] - 1, axis=1)[:, 0]
        values[rows] = np.where(sizes > 0, summed + final * p ** last.astype(np.float64), 1.0)
    return values


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of consecutive rows; eight arrays (B, columns) of 64-bit numbers take about `_BLOCK_BYTES`."""
    step = max(1, _BLOCK_BYTES // (64 * max(columns, 1)))
    for start in range(0, rows, step):
        yield slice(start, start + step)


def chance_neighbours(n: int, entities: int) -> float:
    """Return the expected overlap of two random neighbour lists, n / (N - 1).

    Parameters
    ----------
    n : int
        Length of the lists.
    entities : int
        N, of which an entity's neighbours are drawn, itself excluded.

    Returns
    -------
    float
        At most 1.
    """
    return min(n / (entities - 1), 1.0) if entities > 1 else 1.0


def chance_recommendations(n: int, candidates: Counts) -> float:
    """Return the expected overlap of two random recommendation lists, n / candidates, averaged over users.

    Parameters
    ----------
    n : int
        Length of the lists.
    candidates : (U,) int64
        Number of items that can be recommended to each user: all items except those of the user.

    Returns
    -------
    float
        At most 1.
    """
    return float(np.minimum(n / np.maximum(candidates, 1), 1.0).mean())
