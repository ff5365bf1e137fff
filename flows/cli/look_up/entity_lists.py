"""The list of one user or item, in a fit or in all fits of a comparison."""

from typing import TYPE_CHECKING

import numpy as np

from flows.cli.look_up.find_index import find_index
from flows.cli.look_up.fits import open_fits
from tasks.core.comparison.agreement import LISTED, SIDES
from tasks.core.comparison.query_lists import QueryLists, query_lists
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError
from tasks.core.planning.runs import RunRef
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import make_neighbours
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import FACTORS_FILE, artifact, kept_path, read_factors, read_stored

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
    for fit, files in fits.files.items():
        of_fit = _list_of(fit, files, fits.kept, target, index, by)
        lists.setdefault(fits.label(fit), []).append(of_fit.without(fits.unlisted(LISTED[target])))
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


def _list_of(fit: RunRef, files: RunFiles, kept: RunFiles | None, target: str, index: int, by: str) -> Lists:
    """Return the list of one user or item: as the fit has it, as the comparison keeps it, or from the factors."""
    row = np.array([index], dtype=np.int32)
    path, _ = artifact(target, by)
    lists = read_stored(files, target, by, row)
    if lists is None and kept is not None:
        lists = read_stored(kept, target, by, row, path=kept_path(fit, path))
    if lists is not None:
        return lists
    if FACTORS_FILE not in files.entries:
        raise ConfigError(
            f"run {fit.run_id} has neither {path} nor {FACTORS_FILE} to compute it from; run its config again with "
            "--fresh, unless the run was read from a file of other lists"
        )
    if target == "recommendations":
        raise ConfigError(
            f"run {fit.run_id} has no recommendations for user {index}: its config made those of a sample of users "
            "(neighbours.sample); add the user to queries.recommend_for, and run the config again"
        )
    return make_neighbours(read_factors(files), target, by, n=LIST_LENGTH, rows=row)
