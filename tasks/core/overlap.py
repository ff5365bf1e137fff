"""How alike two sets of lists are.

Two runs each give a list to every entity (user or item). Their agreement at depth n is averaged over
entities. Lists are compared as they stand: a list that ends before n (too few candidates) is compared
over what it has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
import numpy.typing as npt

from tasks.core.neighbours import Ids

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
RBO_P = 0.8
FINEST = 1 << 20
"""Most parts that an entity's overlap is counted in. Leaves room in 64 bits for 160,000 entities and 100 runs."""
BLOCK_BYTES = 64 << 20


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


@dataclass(frozen=True)
class Overlaps:
    """How alike every two of R runs are at depth n.

    counts : (R, R), or (E, R, R) entity by entity, int64, symmetric; the diagonal is a run with itself
    whole : the count of equal lists, so that counts / whole is the overlap
    n : depth of the lists
    """

    counts: Counts
    whole: int
    n: int

    def entity(self, index: int) -> "Overlaps":
        """One entity's matrix out of (E, R, R)."""
        return Overlaps(self.counts[index], self.whole, self.n)

    def total(self) -> "Overlaps":
        """Averaged over entities, (E, R, R) -> (R, R)."""
        return Overlaps(self.counts.sum(axis=0), self.whole * len(self.counts), self.n)

    def among(self, runs: Sequence[int] | Counts) -> "Overlaps":
        """The matrix of some of the runs, in the order given."""
        chosen = np.asarray(runs, dtype=np.intp)
        return Overlaps(self.counts[..., chosen[:, None], chosen], self.whole, self.n)


def overlap_counts(lists: Sequence[Ids], n: int) -> Overlaps:
    """Overlap of every two runs at depth n, averaged over entities: (R, R).

    An entity's overlap is as in `overlap.Pair.at`: entries shared among the first n, over n or over the longer of the
    two lists where both end before; two empty lists agree. `whole` is E times the least common multiple of those
    lengths, or of `FINEST` parts, counts rounded down, where the multiple is greater than that.

    Parameters
    ----------
    lists : R of (E, >= 0) int32, best first, no id twice in a row, -1 for filling at the end

    Raises
    ------
    ValueError
        If the runs list different numbers of entities, or there is no run or entity.
    """
    runs, whole = _prepare(lists, n)
    counts = np.zeros((len(runs), len(runs)), dtype=np.int64)
    for block in _blocks(runs, whole):
        counts += block.sum(axis=0)
    return Overlaps(counts, whole * runs.shape[1], n)


def overlap_counts_by_entity(lists: Sequence[Ids], n: int) -> Overlaps:
    """As `overlap_counts`, entity by entity: (E, R, R), 8ER² bytes."""
    runs, whole = _prepare(lists, n)
    return Overlaps(np.concatenate(list(_blocks(runs, whole))), whole, n)


def _prepare(lists: Sequence[Ids], n: int) -> tuple[Ids, int]:
    """The first n of all runs, (R, E, <= n), short ones filled with -1; and the count that equal lists get."""
    heights = sorted({len(run) for run in lists})
    if len(heights) != 1 or not heights[0]:
        raise ValueError(f"lists of {heights} entities; runs of one and the same number of entities expected")
    width = max(min(n, run.shape[1]) for run in lists)
    runs = np.stack(
        [np.pad(run[:, :n], ((0, 0), (0, max(0, width - run.shape[1]))), constant_values=-1) for run in lists]
    )
    lengths = np.unique((runs >= 0).sum(axis=2))
    return runs, min(lcm(*lengths[lengths > 0].tolist()), FINEST)


def _blocks(runs: Ids, whole: int) -> Iterator[Counts]:
    """(B, R, R) counts of the entities in turn: products of indicators of the ids that an entity's runs list."""
    n_runs, n_entities, width = runs.shape
    step = max(1, BLOCK_BYTES // (8 * max(n_runs * n_runs * width, 1)))
    for start in range(0, n_entities, step):
        ids = runs[:, start : start + step].transpose(1, 0, 2)  # (B, R, n)
        flat = ids.reshape(len(ids), n_runs * width)
        order = np.argsort(flat, axis=1)
        ordered = np.take_along_axis(flat, order, axis=1)
        numbered = np.zeros_like(flat)  # each id's place among the distinct ids of its entity
        new = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, dtype=flat.dtype)
        np.put_along_axis(numbered, order[:, 1:], new, axis=1)
        places = numbered.reshape(ids.shape)
        listed = np.zeros((len(ids), n_runs, int(places.max(initial=0)) + 1), dtype=np.float32)
        entity, run, rank = np.nonzero(ids >= 0)
        listed[entity, run, places[entity, run, rank]] = 1
        shared = (listed @ listed.transpose(0, 2, 1)).astype(np.int64)  # (B, R, R)
        lengths = (ids >= 0).sum(axis=2)  # (B, R)
        longer = np.maximum(lengths[:, :, None], lengths[:, None, :])
        yield np.where(longer > 0, shared * whole // np.maximum(longer, 1), whole)
