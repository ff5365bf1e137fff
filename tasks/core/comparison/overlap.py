"""How alike two runs' lists are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.core.types import Ids, Values

RBO_P = 0.8


@dataclass(frozen=True)
class Agreement:
    """Agreement of two runs' lists, averaged over entities; each is 1 for equal and 0 for disjoint lists.

    overlap : shared entries / n
    jaccard : shared entries / entries of either
    rbo : extrapolated rank-biased overlap, p = 0.8
    """

    overlap: float
    jaccard: float
    rbo: float


@dataclass(frozen=True)
class Pair:
    """Two runs' lists of the same R entities, compared at every depth at once.

    shared : (R, n) as `shared_by_depth` gives it
    lengths_a, lengths_b : (R,) how long each list is
    """

    shared: npt.NDArray[np.int64]
    lengths_a: npt.NDArray[np.int64]
    lengths_b: npt.NDArray[np.int64]

    @classmethod
    def of(cls, a: Ids, b: Ids) -> "Pair":
        """Compare lists, (R, >= 0) int32, best first, -1 for filling."""
        return cls(shared_by_depth(a, b), (a >= 0).sum(axis=1), (b >= 0).sum(axis=1))

    def of_entity(self, index: int) -> "Pair":
        """The same for one entity alone."""
        one = slice(index, index + 1)
        return Pair(self.shared[one], self.lengths_a[one], self.lengths_b[one])

    def overlaps(self, depth: int) -> Values:
        """(depth,): the overlap, averaged over entities, of the first d entries for d = 1 ... depth; as in `at`."""
        reached = np.minimum(np.arange(1, depth + 1), max(self.shared.shape[1], 1)) - 1
        longer = np.minimum(np.maximum(self.lengths_a, self.lengths_b)[:, None], np.arange(1, depth + 1))
        common = self.shared[:, reached] if self.shared.shape[1] else np.zeros((len(longer), depth), dtype=np.int64)
        each: Values = np.where(longer > 0, common / np.maximum(longer, 1), 1.0)
        return np.asarray(each.mean(axis=0))

    def at(self, n: int) -> Agreement:
        """Agreement of the first n entries. Two empty lists agree."""
        a, b = np.minimum(self.lengths_a, n), np.minimum(self.lengths_b, n)
        longer = np.maximum(a, b)
        shared = self.shared[:, :n]
        common = shared[:, -1] if shared.shape[1] else np.zeros(len(shared), dtype=np.int64)
        union = a + b - common
        overlap = np.where(longer > 0, common / np.maximum(longer, 1), 1.0)
        jaccard = np.where(union > 0, common / np.maximum(union, 1), 1.0)
        return Agreement(float(overlap.mean()), float(jaccard.mean()), float(rbo(shared, longer).mean()))


def shared_by_depth(a: Ids, b: Ids) -> npt.NDArray[np.int64]:
    """(R, n): how many of the first d entries of a are among the first d of b, for d = 1 ... n.

    An entry at rank i in a and j in b is shared from depth max(i, j) on.
    """
    depth = max(a.shape[1], b.shape[1])
    if not depth or not len(a):
        return np.zeros((len(a), depth), dtype=np.int64)
    bits = (2 * depth - 1).bit_length()
    places = 1 << bits
    place = np.arange(2 * depth)
    step = max(1, (32 << 20) // (16 * depth))
    parts = []
    for start in range(0, len(a), step):
        left, right = a[start : start + step], b[start : start + step]
        keys = np.full((len(left), 2 * depth), -1, dtype=np.int64)
        keys[:, : left.shape[1]], keys[:, depth : depth + right.shape[1]] = left, right
        keys <<= bits
        keys |= place
        keys.sort(axis=1)  # the two entries of an id that both list stand side by side, a's first
        first, second = keys[:, :-1], keys[:, 1:]
        found = np.flatnonzero(((first ^ second) < places) & (first >= 0))
        rows, columns = np.divmod(found, 2 * depth - 1)
        ranks = first[rows, columns] & (places - 1), (second[rows, columns] & (places - 1)) - depth
        counts = np.bincount(rows * depth + np.maximum(*ranks), minlength=len(left) * depth)
        parts.append(np.cumsum(counts.reshape(len(left), depth), axis=1))
    return np.concatenate(parts)


def rbo(shared: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], p: float = RBO_P) -> Values:
    """Extrapolated rank-biased overlap of each pair of lists (Webber, Moffat, Zobel 2010, eq. 23 for even lists).

    RBO_ext = (1 - p)/p * sum over d = 1 ... n of (X_d / d) p^d  +  (X_n / n) p^n, X_d the entries shared at depth d.

    Parameters
    ----------
    shared : (R, n) as `shared_by_depth` gives it
    lengths : (R,) lists' lengths, at most n; 0 gives 1
    """
    if not shared.shape[1]:
        return np.ones(len(shared))
    depths = np.arange(1, shared.shape[1] + 1)
    within = depths <= lengths[:, None]
    weights = p**depths * within
    proportions = shared / depths
    summed = (1 - p) / p * (proportions * weights).sum(axis=1)
    last = np.maximum(lengths, 1)
    final = np.take_along_axis(proportions, last[:, None] - 1, axis=1)[:, 0]
    return np.where(lengths > 0, summed + final * p ** last.astype(np.float64), 1.0)


def chance_neighbours(n: int, entities: int) -> float:
    """Expected overlap@n of two random lists of neighbours: n of the N - 1 others, so n / (N - 1)."""
    return min(n / (entities - 1), 1.0) if entities > 1 else 1.0


def chance_recommendations(n: int, candidates: npt.NDArray[np.int64]) -> float:
    """Expected overlap@n of two random lists of recommendations, averaged over users: n / (I - liked).

    Parameters
    ----------
    candidates : (U,) items that could be recommended to each user, I - liked
    """
    return float(np.minimum(n / np.maximum(candidates, 1), 1.0).mean())
