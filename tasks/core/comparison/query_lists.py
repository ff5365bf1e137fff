"""Lists of single users and items, by model.

A model has one list for each of its replicates. They are merged into one: its entries are all that a replicate lists,
with the share of replicates that do, or those of the replicates' consensus.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.ranking.consensus import consensus
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import FACTORS
from tasks.core.types import RawId


@dataclass(frozen=True)
class Names:
    """Names of the rows and columns of the interactions.

    Attributes
    ----------
    user_ids, item_ids : (U,), (I,)
        Raw ids, integers or text.
    item_titles : (I,) text, or None
        None if the data set has no titles.
    """

    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    item_titles: npt.NDArray[np.object_] | None

    def ids(self, side: str) -> npt.NDArray[Any]:
        """Return the raw ids of `users` or `items` by index."""
        return self.user_ids if side == "users" else self.item_ids

    def of(self, index: int, *, item: bool) -> tuple[RawId, str]:
        """Look up the name of one user or item.

        Parameters
        ----------
        index : int
            Row or column of the interactions.
        item : bool
            True for an item, False for a user.

        Returns
        -------
        raw_id : int or str
        title : str
            Empty for a user, and for an item without a title.
        """
        raw_id = (self.item_ids if item else self.user_ids)[index]
        raw_id = str(raw_id) if isinstance(raw_id, str) else int(raw_id)
        return raw_id, str(self.item_titles[index]) if item and self.item_titles is not None else ""


@dataclass(frozen=True)
class Named:
    """A user or an item.

    Attributes
    ----------
    index : int
    raw_id : int or str
    title : str
        Empty for users, and for items without a title.
    """

    index: int
    raw_id: RawId
    title: str


@dataclass(frozen=True)
class Entry(Named):
    """An entry of a query's list.

    Attributes
    ----------
    index, raw_id, title
        See `Named`.
    share : float
        Share of the model's replicates that list the entry among their first n.
    rank : float
        Mean rank (from 1) in the lists of those replicates. Of a consensus: rank in it.
    score : float or None
        The same for the score. None for lists that others made without scores.
    """

    share: float
    rank: float
    score: float | None


@dataclass(frozen=True)
class QueryLists:
    """The lists of one query, by model.

    Attributes
    ----------
    name : str
        Name of the query, such as `user_10`.
    target : str
        `users`, `items` or `recommendations`.
    index, raw_id, title
        The queried user or item.
    n : int
        Length of each replicate's list.
    models : dict of model to list of Entry
        Entries that most replicates list come first.
    similarity : str
        What neighbours are nearest by: `factors` or `scores`.
    """

    name: str
    target: str
    index: int
    raw_id: RawId
    title: str
    n: int
    models: dict[str, list[Entry]]
    similarity: str = FACTORS


def queries(users: Sequence[int], items: Sequence[int], recommend_for: Sequence[int]) -> Iterator[tuple[str, str, int]]:
    """Name the queries of a config.

    Parameters
    ----------
    users, items : sequence of int
        Entities whose neighbours are queried.
    recommend_for : sequence of int
        Users whose recommendations are queried.

    Yields
    ------
    tuple
        Name, target and entity, such as `("user_10", "users", 10)`.
    """
    kinds = (("user", "users", users), ("item", "items", items), ("recommend_for", "recommendations", recommend_for))
    for prefix, target, indexes in kinds:
        for index in indexes:
            yield f"{prefix}_{index}", target, index


def query_lists(
    name: str,
    target: str,
    index: int,
    *,
    n: int,
    names: Names,
    lists: Mapping[str, Sequence[Lists]],
    position: int | None = None,
    similarity: str = FACTORS,
    by_consensus: bool = False,
) -> QueryLists:
    """Merge the lists that each model's replicates give one entity.

    Parameters
    ----------
    name : str
        Name of the query.
    target : str
        `users`, `items` or `recommendations`.
    index : int
        The queried user or item.
    n : int
        Entries of each replicate's list that count.
    names : Names
        Raw ids and titles.
    lists : mapping of model to sequence of Lists
        Lists of the target, one element for each replicate.
    position : int, optional
        Of the list of this user or item among them, by default its index.
    similarity : str
        What neighbours are nearest by.
    by_consensus : bool
        Return the first n entries of the consensus of each model's replicates.

    Returns
    -------
    QueryLists
        Entries by share, then by mean rank, then by index. Of a consensus, by their rank in it.
    """
    raw_id, title = names.of(index, item=target == "items")
    row = index if position is None else position
    models = merge(lists, row, n, names, item=target != "users", by_consensus=by_consensus)
    return QueryLists(name, target, index, raw_id, title, n, models, similarity)


def merge(
    lists: Mapping[str, Sequence[Lists]], row: int, n: int, names: Names, *, item: bool, by_consensus: bool
) -> dict[str, list[Entry]]:
    """Merge one list of each replicate of every model.

    Parameters
    ----------
    lists : mapping of model to sequence of Lists
        One element for each replicate.
    row : int
        Of the list among them.
    n : int
        Entries of each replicate's list that count.
    names : Names
        Raw ids and titles.
    item : bool
        Whether items are listed, else users.
    by_consensus : bool
        See `query_lists`.

    Returns
    -------
    dict of model to list of Entry
        In the order of `query_lists`.
    """
    merged = _consensus if by_consensus else _merged
    return {model: merged(replicates, row, n, names, item=item) for model, replicates in lists.items()}


def _merged(replicates: Sequence[Lists], row: int, n: int, names: Names, *, item: bool) -> list[Entry]:
    ranks: dict[int, list[int]] = {}
    scores: dict[int, list[float]] = {}
    for run in replicates:
        listed = zip(run.ids[row, :n].tolist(), run.scores[row, :n].tolist(), strict=True)
        for rank, (index, score) in enumerate(listed, start=1):
            if index >= 0:
                ranks.setdefault(index, []).append(rank)
                scores.setdefault(index, []).append(score)
    entries = []
    for index, at in ranks.items():
        share, mean_rank = len(at) / len(replicates), sum(at) / len(at)
        entries.append(Entry(index, *names.of(index, item=item), share, mean_rank, _mean_score(scores[index])))
    return sorted(entries, key=lambda entry: (-entry.share, entry.rank, entry.index))


def _mean_score(scores: Sequence[float]) -> float | None:
    mean = sum(scores) / len(scores)
    return None if math.isnan(mean) else mean


def _consensus(replicates: Sequence[Lists], row: int, n: int, names: Names, *, item: bool) -> list[Entry]:
    rows = slice(row, row + 1)
    merged = consensus([Lists(run.ids[rows], run.scores[rows]) for run in replicates], depth=n)
    ids, scores, listing = merged.lists.ids[0, :n], merged.lists.scores[0, :n], merged.share[0, :n] * len(replicates)
    entries = zip(ids.tolist(), scores.tolist(), listing.round().tolist(), strict=True)
    return [
        Entry(index, *names.of(index, item=item), runs / len(replicates), float(rank), score)
        for rank, (index, score, runs) in enumerate(entries, start=1)
        if index >= 0
    ]
