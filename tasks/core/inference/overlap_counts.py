"""Overlap of every two of R runs, as integer counts.

All counts of a matrix have one denominator. Integers make equal overlaps compare equal, so that ties between
permutations are exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np

from tasks.core.types import Counts, Ids

FINEST = 1 << 20
"""Largest denominator of one entity's overlap. Leaves room in 64 bits for 160,000 entities and 100 runs."""
BLOCK_BYTES = 64 << 20
"""Approximate size of the temporary arrays of one block of entities."""


@dataclass(frozen=True)
class Overlaps:
    """Overlap of every two of R runs at depth n.

    Attributes
    ----------
    counts : (R, R) or (E, R, R) int64
        Symmetric. Of all entities together, or of each entity. The diagonal compares a run with itself.
    denominator : int
        The count of equal lists: the overlap is counts / denominator.
    n : int
        Depth of the lists.
    """

    counts: Counts
    denominator: int
    n: int

    def of_entity(self, index: int) -> "Overlaps":
        """Return the (R, R) matrix of one entity."""
        return Overlaps(self.counts[index], self.denominator, self.n)

    def averaged(self) -> "Overlaps":
        """Return the average over entities: (E, R, R) -> (R, R)."""
        return Overlaps(self.counts.sum(axis=0), self.denominator * len(self.counts), self.n)

    @property
    def mean_of_pairs(self) -> float:
        """Mean overlap of every two of R runs, of a matrix (R, R) of two runs or more."""
        pairs = self.counts[np.triu_indices(len(self.counts), 1)]
        return float(pairs.sum()) / (len(pairs) * self.denominator)

    def of_runs(self, runs: Sequence[int] | Counts) -> "Overlaps":
        """Return the matrix of some of the runs, in the order given."""
        chosen = np.asarray(runs, dtype=np.intp)
        return Overlaps(self.counts[..., chosen[:, None], chosen], self.denominator, self.n)


def overlap_counts(lists: Sequence[Ids], n: int) -> Overlaps:
    """Count the overlap of every two runs at depth n, averaged over entities.

    The overlap of one entity's two lists is the number of entries that their first n share, divided by n, or by the
    length of the longer list if both are shorter than n. Two empty lists have overlap 1. `Pair.at` defines it alike.

    Parameters
    ----------
    lists : R arrays (E, >= 0) int32
        The lists of each run, best first. A row holds no id twice and is padded with -1 at its end.
    n : int
        Depth of the comparison.

    Returns
    -------
    Overlaps
        Counts (R, R). The denominator is E times the least common multiple of the lengths of the lists, or E times
        `FINEST` with counts rounded down if that multiple is larger.

    Raises
    ------
    ValueError
        If there is no run or no entity, or if the runs list different numbers of entities.
    """
    runs, denominator = _prefixes(lists, n)
    counts = np.zeros((len(runs), len(runs)), dtype=np.int64)
    for block in _blocks(runs, denominator):
        counts += block.sum(axis=0)
    return Overlaps(counts, denominator * runs.shape[1], n)


def overlap_counts_by_entity(lists: Sequence[Ids], n: int) -> Overlaps:
    """Count the overlap of every two runs at depth n for each entity.

    Parameters
    ----------
    lists : R arrays (E, >= 0) int32
        As in `overlap_counts`.
    n : int
        Depth of the comparison.

    Returns
    -------
    Overlaps
        Counts (E, R, R), which take 8·E·R² bytes.

    Raises
    ------
    ValueError
        As in `overlap_counts`.
    """
    runs, denominator = _prefixes(lists, n)
    return Overlaps(np.concatenate(list(_blocks(runs, denominator))), denominator, n)


def overlap_blocks(lists: Sequence[Ids], n: int) -> Iterator[Overlaps]:
    """Count the overlap of every two runs for each entity, in blocks that fit in memory.

    Parameters
    ----------
    lists : R arrays (E, >= 0) int32
        As in `overlap_counts`.
    n : int
        Depth of the comparison.

    Yields
    ------
    Overlaps
        Counts (B, R, R) of the next B entities. All blocks have one denominator.

    Raises
    ------
    ValueError
        As in `overlap_counts`.
    """
    runs, denominator = _prefixes(lists, n)
    for block in _blocks(runs, denominator):
        yield Overlaps(block, denominator, n)


def _prefixes(lists: Sequence[Ids], n: int) -> tuple[Ids, int]:
    """Return the first n entries of all runs, (R, E, <= n), and the denominator of one entity's overlap."""
    sizes = sorted({len(run) for run in lists})
    if len(sizes) != 1 or not sizes[0]:
        raise ValueError(
            f"found runs with lists of {sizes} entities; expected one run or more, which all list the same number of "
            "entities, at least one"
        )
    width = max(min(n, run.shape[1]) for run in lists)
    runs = np.stack(
        [np.pad(run[:, :n], ((0, 0), (0, max(0, width - run.shape[1]))), constant_values=-1) for run in lists]
    )
    lengths = np.unique((runs >= 0).sum(axis=2))
    return runs, min(lcm(*lengths[lengths > 0].tolist()), FINEST)


def _blocks(runs: Ids, denominator: int) -> Iterator[Counts]:
    """Yield the counts (B, R, R) of consecutive blocks of B entities.

    The entries that two runs share are the product of their indicator vectors over the ids that an entity's runs list.
    """
    n_runs, n_entities, width = runs.shape
    step = max(1, BLOCK_BYTES // (8 * max(n_runs * n_runs * width, 1)))
    for start in range(0, n_entities, step):
        ids = runs[:, start : start + step].transpose(1, 0, 2)  # (B, R, n)
        # An entity's runs list few distinct ids. Numbering those from 0 keeps the indicator vectors short.
        flat = ids.reshape(len(ids), n_runs * width)
        order = np.argsort(flat, axis=1)
        ordered = np.take_along_axis(flat, order, axis=1)
        numbers = np.zeros_like(flat)
        distinct = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, dtype=flat.dtype)
        np.put_along_axis(numbers, order[:, 1:], distinct, axis=1)
        columns = numbers.reshape(ids.shape)  # (B, R, n)
        listed = np.zeros((len(ids), n_runs, int(columns.max(initial=0)) + 1), dtype=np.float32)
        entity, run, rank = np.nonzero(ids >= 0)
        listed[entity, run, columns[entity, run, rank]] = 1
        shared = (listed @ listed.transpose(0, 2, 1)).astype(np.int64)  # (B, R, R)
        lengths = (ids >= 0).sum(axis=2)  # (B, R)
        longer = np.maximum(lengths[:, :, None], lengths[:, None, :])
        yield np.where(longer > 0, shared * denominator // np.maximum(longer, 1), denominator)
