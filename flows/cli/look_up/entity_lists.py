"""The list of one user or item, in a fit or in all fits of a comparison."""

from typing import TYPE_CHECKING

import numpy as np

from flows.cli.look_up.find_index import find_index
from tasks.core.comparison.agreement import SIDES
from tasks.core.comparison.query_lists import QueryLists, query_lists
from tasks.core.ranking.lists import Lists
from tasks.tracking.reading.fits import open_fits

if TYPE_CHECKING:
    from tasks.tracking.local_reader.types import StoredRun, StoreReader


def look_up(
    client: "StoreReader",
    run: "StoredRun",
    target: str,
    entity: str,
    *,
    n: int,
    raw: bool,
    by: str | None = None,
    consensus: bool = False,
) -> QueryLists:
    """Return the list of one user or item in a run, or in every model of a comparison over all replicates.

    Neighbours that a fit does not have among its files are computed from its factors.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    run : Run
        A fit or a comparison.
    target : str
        `users`, `items` or `recommendations`.
    entity : str
        An index, or a part of a title or of an id that only one entity has, or with `raw` one of the data set's own
        ids; see `find_index`.
    n : int
        Length of the list.
    raw : bool
        Whether `entity` is a raw id.
    by : str, optional
        Similarity of neighbours: `factors` or `scores`. By default the one that the comparison judged; for a single
        fit, `factors`.
    consensus : bool
        Return the consensus of each model's replicates.

    Returns
    -------
    QueryLists

    Raises
    ------
    ConfigError
        If there is no such user or item, `n` is more than what is stored, the run has no lists, or it has neither the
        recommendations of this user nor the interactions to compute them. Or if there is only one replicate for a
        consensus.
    DataError
        If one of the runs of a comparison has no interaction of this user or item.
    """
    fits = open_fits(client, run, n=n, consensus=consensus)
    by = by or fits.similarity
    index = find_index(fits.names, target, entity, raw=raw)
    fits.check_lost(SIDES[target], index)
    lists: dict[str, list[Lists]] = {}
    row = np.array([index], dtype=np.int32)
    for fit in fits.files:
        lists.setdefault(fits.label(fit), []).append(fits.lists(fit, target, row, by))
    return query_lists(
        f"{target}_{index}",
        target,
        index,
        n=n,
        names=fits.names,
        lists=lists,
        position=0,
        similarity=by,
        by_consensus=consensus,
    )
