"""The consensus of several seeds: one ranked list made of the lists of all replicates of a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.ranking.lists import Lists
from tasks.core.types import Counts, Floats, Ids, Values

if TYPE_CHECKING:
    import pandas as pd

ALGORITHM = 1
"""Part of the identity of a consensus. It is raised whenever the same lists would give another one."""
_BLOCK_BYTES = 64 << 20
"""Approximate size of the scores of a block of entities, if no two replicates list the same."""


@dataclass(frozen=True)
class Consensus:
    """The consensus list of each of R users or items, and how many seeds list its entries.

    Attributes
    ----------
    lists : Lists
        Scores are means over the replicates.
    share : (R, n) float32
        Share of the replicates that list each entry. Not a number where `lists.ids` is -1.
    """

    lists: Lists
    share: Floats

    def frame(self, column: str, rows: Ids | None = None) -> "pd.DataFrame":
        """Return the lists as a frame with one row for each listed entry.

        Parameters
        ----------
        column, rows
            As in `Lists.frame`.

        Returns
        -------
        DataFrame
            As `Lists.frame` returns it, with a further column `share`.
        """
        return self.lists.frame(column, rows).assign(share=self.share[self.lists.ids >= 0])


def consensus(replicates: Sequence[Lists], *, depth: int | None = None) -> Consensus:
    """Rank the entries of all replicates' lists by their mean score.

    An entry that a replicate does not list counts with the score at the end of that replicate's list. For a list that
    was cut this is an upper bound of the entry's score there, so that the mean is an upper bound, too. An entry that no
    replicate lists cannot have a larger mean than those that are listed. A replicate whose list is empty, because it
    did not train the entity, has no scores: the mean is over the others, and the share is still over all.

    Parameters
    ----------
    replicates : sequence of Lists
        Lists of the same R entities, one element for each replicate, in any order; at least one. Widths may differ.
    depth : int, optional
        How many first entries of a replicate's list count for the share; all by default.

    Returns
    -------
    Consensus
        As wide as the widest of the lists. Equal scores are in the order of ids. Does not depend on the order of the
        replicates. Of one replicate it is the replicate's own lists.
    """
    n_entities, width = len(replicates[0].ids), max(run.ids.shape[1] for run in replicates)
    ids: Ids = np.full((n_entities, width), -1, dtype=np.int32)
    scores: Floats = np.full((n_entities, width), np.nan, dtype=np.float32)
    shares: Floats = np.full((n_entities, width), np.nan, dtype=np.float32)
    step = max(1, _BLOCK_BYTES // (8 * max(width, 1) * len(replicates) ** 2))
    for start in range(0, n_entities if width else 0, step):
        entries = _entries(replicates, slice(start, min(start + step, n_entities)), width)
        order = np.lexsort((entries.ids, -entries.scores, entries.entities))
        entities = entries.entities[order]
        # the rank of an entry is its distance from the first entry of its entity
        ranks = np.arange(len(entities)) - np.searchsorted(entities, entities)
        best = ranks < width
        cells, order = (start + entities[best], ranks[best]), order[best]
        ids[cells], scores[cells] = entries.ids[order], entries.scores[order]
        shares[cells] = entries.shares(width if depth is None else depth)[order]
    return Consensus(Lists(ids, scores), shares)


@dataclass(frozen=True)
class _Entries:
    """All entries that a replicate lists for a block of entities, each once for its entity.

    Attributes
    ----------
    entities, ids : (E,) int64
        The entity from the start of the block, and what is listed for it.
    scores : (E,) float32
        Mean over the replicates.
    ranks : (E, S) int64
        From 0; the width of the lists where a replicate does not list the entry.
    """

    entities: Counts
    ids: Counts
    scores: Floats
    ranks: Counts

    def shares(self, depth: int) -> Values:
        """Return the share of the replicates that list each entry among their first `depth`: (E,) float64."""
        return np.asarray((self.ranks < depth).mean(axis=1))


def _entries(replicates: Sequence[Lists], block: slice, width: int) -> _Entries:
    """Return the entries of a block of entities."""
    shape = (len(replicates), block.stop - block.start, width)
    ids, scores = np.full(shape, -1, dtype=np.int64), np.full(shape, np.nan)
    for seed, run in enumerate(replicates):
        ids[seed, :, : run.ids.shape[1]], scores[seed, :, : run.ids.shape[1]] = run.ids[block], run.scores[block]
    lengths = (ids >= 0).sum(axis=2)  # (S, B)
    ends = np.take_along_axis(scores, np.maximum(lengths - 1, 0)[:, :, None], axis=2)[:, :, 0]  # nan if it is empty
    seeds, entities, ranks = np.nonzero(ids >= 0)
    size = int(ids.max()) + 1
    keys, entry = np.unique(entities * size + ids[seeds, entities, ranks], return_inverse=True)
    entity_of, id_of = np.divmod(keys, size)
    scores_of = ends.T[entity_of]  # (E, S)
    scores_of[entry, seeds] = scores[seeds, entities, ranks]
    scores_of.sort(axis=1)  # rounding of the mean would else depend on the order of the replicates
    ranks_of = np.full(scores_of.shape, width)
    ranks_of[entry, seeds] = ranks
    return _Entries(entity_of, id_of, np.nanmean(scores_of, axis=1).astype(np.float32), ranks_of)
