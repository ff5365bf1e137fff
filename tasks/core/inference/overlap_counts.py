"""How alike every two of R runs are, as integer counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np

from tasks.core.types import Counts, Ids

FINEST = 1 << 20
"""Most parts that an entity's overlap is counted in. Leaves room in 64 bits for 160,000 entities and 100 runs."""
BLOCK_BYTES = 64 << 20


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
