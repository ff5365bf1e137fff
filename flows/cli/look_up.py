"""The list of one user or item, in a fit or in all fits of a comparison."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.comparison.agreement import LISTED, SIDES
from tasks.core.comparison.query_lists import Names, QueryLists, query_lists
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError, DataError
from tasks.core.formatting import did_you_mean, shortened
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import FACTORS, make_neighbours
from tasks.core.types import RawId
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import FACTORS_FILE, artifact, kept_path, read_factors, read_stored
from tasks.tracking.noise_of_data import read_lost
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

_MOST_LISTED = 10
"""Matches in one message."""
_MOST_COMPARED = 100_000
"""Names among which a similar one is looked for; each takes microseconds."""


def look_up(
    client: "MlflowClient",
    run: "Run",
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
    client : MlflowClient
        Client of the store.
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
    if not 1 <= n <= LIST_LENGTH:
        raise ConfigError(f"found -n {n}; expected 1 to {LIST_LENGTH}, the number of entries that each run keeps")
    ref = run_ref(run)
    kept = None
    if ref.role == PARENT:
        result = result_of(client, run)
        by, kept = by or result.similarity, RunFiles(client, ref.run_id)
        fits = [fit for fit in result.runs if fit.role == MODEL]
    elif ref.role == MODEL:
        fits = [ref]
    else:
        role = ref.role or "not one of latentlab's"
        raise ConfigError(f"run {ref.run_id} has no lists: its role is {role}; name a model's run")
    if consensus:
        _check_consensus(ref, fits)
    files = {fit: RunFiles(client, fit.run_id) for fit in fits}
    by = by or FACTORS
    names = _names(files[fits[0]])
    index = find_index(names, target, entity, raw=raw)
    lost = read_lost(kept) if kept else None
    unlisted = np.zeros(len(names.user_ids if LISTED[target] == "users" else names.item_ids), dtype=bool)
    if lost is not None:
        _check_lost(lost, SIDES[target], index)
        unlisted[lost["index"][lost["side"] == LISTED[target]]] = True
    lists: dict[str, list[Lists]] = {}
    for fit in fits:
        model = fit.model if kept else f"{fit.model} #{fit.replicate}"
        of_fit = _list_of(fit, files[fit], kept, target, index, by)
        lists.setdefault(model, []).append(of_fit.without(unlisted))
    return query_lists(
        f"{target}_{index}",
        target,
        index,
        n=n,
        names=names,
        lists=lists,
        position=0,
        similarity=by,
        by_consensus=consensus,
    )


def _check_lost(lost: "pd.DataFrame", side: str, index: int) -> None:
    """Raise a DataError if a user or item is among those that a comparison left out."""
    runs = lost["run"][(lost["side"] == side) & (lost["index"] == index)].tolist()
    if runs:
        raise DataError(
            f"{side[:-1]} {index} has no interaction in {runs[0]}, which was fitted without its own random part of the "
            "interactions, so that the comparison left it out; name another one, or one of the other runs"
        )


def _check_consensus(run: RunRef, fits: Sequence[RunRef]) -> None:
    """Raise a ConfigError if a model has a single run."""
    if run.role != PARENT:
        raise ConfigError(
            f"--consensus: found run {run.run_id}, a single fit; expected a comparison, whose runs of each model are "
            "merged; name an EXPERIMENT, its parent run or latest"
        )
    for model, runs in Counter(fit.model for fit in fits).items():
        if runs < 2:
            raise ConfigError(
                f"--consensus: found one run of {model}; expected at least 2, whose lists are merged; raise replicates "
                "and run the config again, or leave --consensus out"
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


def _names(files: RunFiles) -> Names:
    """Return the users and items that a run's indexes mean."""
    import pandas as pd

    with files.reading("users.parquet") as users_file, files.reading("items.parquet") as items_file:
        users, items = pd.read_parquet(users_file), pd.read_parquet(items_file)
    titles = items["title"].to_numpy(dtype=object)
    return Names(_raw_ids(users), _raw_ids(items), titles if titles.astype(bool).any() else None)


def _raw_ids(frame: "pd.DataFrame") -> "npt.NDArray[Any]":
    """Return ids as integers or as text, as `Interactions` has them."""
    ids = frame["raw_id"].to_numpy()
    return ids if ids.dtype.kind == "i" else ids.astype(object)


def find_index(names: Names, target: str, text: str, *, raw: bool) -> int:
    """Return the index of the user or item that a text means.

    Parameters
    ----------
    names : Names
        Ids and titles of a run.
    target : str
        `users`, `items` or `recommendations`, which are for a user.
    text : str
        An index. Else a part of a title or, where there are no titles, of an id that is text; letters may be small or
        capital. A whole title or id is preferred to a part of others. With `raw` a whole id.
    raw : bool
        Whether the text is an id.

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        If the text means none, or several, which are listed.
    """
    kind, ids = ("item", names.item_ids) if target == "items" else ("user", names.user_ids)
    raw_ids: list[RawId] = ids.tolist()
    if raw:
        for index, raw_id in enumerate(raw_ids):
            if str(raw_id) == text:
                return index
        raise ConfigError(f"found {kind} id {shortened(text)}, which is not among the data set's {len(ids)} {kind}s")
    if text.isdecimal() and int(text) < len(raw_ids):
        return int(text)
    titles = names.item_titles if kind == "item" else None
    what = "id" if titles is None else "title"
    texts: list[str] = list(map(str, raw_ids)) if titles is None else titles.tolist()
    searched = what == "title" or ids.dtype.kind != "i"  # a part of a number means nothing
    matching = _matching(texts, text) if searched and text.strip() and not text.isdecimal() else []
    if len(matching) == 1:
        return matching[0]
    if matching:
        lines = [
            f"  {index}  {shortened(texts[index])}" + (f" (id {shortened(raw_ids[index])})" if what == "title" else "")
            for index in matching[:_MOST_LISTED]
        ]
        more = [f"  and {len(matching) - _MOST_LISTED:,} more"] if len(matching) > _MOST_LISTED else []
        head = f"found {kind} {shortened(text)}, which is a part of the {what}s of {len(matching):,} {kind}s; name one"
        raise ConfigError("\n".join([f"{head} by its index, or by more of its {what}:", *lines, *more]))
    by_name = f", or named by a unique part of their {what}" if searched else ""
    hint = did_you_mean(text, filter(None, texts[:_MOST_COMPARED])) if searched else ""
    raise ConfigError(
        f"found {kind} {shortened(text)}; the {kind}s are 0 to {len(ids) - 1} by first appearance{by_name} "
        f"(--raw for the data set's own ids){hint}"
    )


def _matching(texts: Sequence[str], part: str) -> list[int]:
    """Return the indexes of the texts that equal a text or, if none does, contain it, whatever the case of letters."""
    folded = part.casefold()
    containing = [index for index, text in enumerate(texts) if folded in text.casefold()]
    return [index for index in containing if texts[index].casefold() == folded] or containing
