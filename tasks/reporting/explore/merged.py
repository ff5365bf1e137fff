"""The lists of all replicates of a model, merged for many users or items at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.ranking.lists import Lists
from tasks.core.types import Counts, Ids, Values


@dataclass(frozen=True, eq=False)
class Merged:
    """A merged list for each of E users or items, M entries in all.

    Attributes
    ----------
    sizes : (E,) int64
        Number of entries of each list.
    ids : (M,) int32
        What is listed: the entries of the first list, then those of the second, and so on.
    replicates : (M,) int64
        How many replicates list the entry among their first n.
    scores : (M,) float64
        Mean score in the lists of those replicates. Not a number for lists that others made without scores.
    """

    sizes: Counts
    ids: Ids
    replicates: Counts
    scores: Values


def merge_lists(replicates: Sequence[Lists], positions: Ids, *, n: int, longest: int) -> Merged:
    """Merge the lists that the replicates of a model give each user or item.

    The entries and their order are those of `tasks.core.comparison.query_lists.merge`, which merges a single list.

    Parameters
    ----------
    replicates : sequence of Lists
        Lists of the same users or items, one element for each replicate; at least one. Widths may differ.
    positions : (E,) int32
        Rows of the lists that are merged.
    n : int
        Entries of each replicate's list that count.
    longest : int
        Most entries of a merged list; further ones are left out.

    Returns
    -------
    Merged
        The entries of a list by the number of replicates, then by mean rank, then by index.
    """
    cells = [np.nonzero(run.ids[positions, :n] >= 0) for run in replicates]
    entities = np.concatenate([entity for entity, _ in cells])
    ranks = np.concatenate([rank for _, rank in cells])
    ids = np.concatenate([run.ids[positions[of], rank] for run, (of, rank) in zip(replicates, cells, strict=True)])
    scores = np.concatenate(
        [run.scores[positions[of], rank] for run, (of, rank) in zip(replicates, cells, strict=True)]
    )
    n_ids = int(ids.max(initial=0)) + 1
    keys, entry = np.unique(entities * n_ids + ids, return_inverse=True)
    entity_of, id_of = np.divmod(keys, n_ids)
    counts = np.bincount(entry, minlength=len(keys))
    # of entries with equal counts, the order of the sums of ranks is that of their means
    rank_sums = np.bincount(entry, ranks, minlength=len(keys))
    order = np.lexsort((id_of, rank_sums, -counts, entity_of))
    sorted_entities = entity_of[order]
    # the place of an entry is its distance from the first entry of its entity
    order = order[np.arange(len(order)) - np.searchsorted(sorted_entities, sorted_entities) < longest]
    mean_scores = np.bincount(entry, scores, minlength=len(keys)) / counts
    return Merged(
        np.bincount(entity_of[order], minlength=len(positions)),
        id_of[order].astype(np.int32),
        counts[order],
        mean_scores[order],
    )
