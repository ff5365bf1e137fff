"""Users and items that the runs of a comparison share, and their lists and factors in one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.comparison.agreement import LISTED, SIDES
from tasks.core.data.interactions import Interactions
from tasks.core.errors import DataError
from tasks.core.external.factor_files import RawFactors
from tasks.core.external.ids import in_natural_order
from tasks.core.external.list_files import RawLists
from tasks.core.models.factors import Factors
from tasks.core.ranking.lists import Lists
from tasks.core.types import Ids

if TYPE_CHECKING:
    from tasks.core.external.sources import RunSource

RawRun = RawLists | RawFactors


@dataclass(frozen=True)
class Shared:
    """What is compared.

    Attributes
    ----------
    interactions : Interactions
        Users and items in one order. Without a data set, the matrix is empty.
    listed : dict of str to (E,) int32
        `users`, `items` -> the indexes of those that have lists in all runs; only where some have none.
    remarks : list of str
        What is compared and what is left out, as sentences.
    """

    interactions: Interactions
    listed: dict[str, Ids] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def share(
    runs: Mapping["RunSource", RawRun],
    *,
    of: str | None,
    interactions: Interactions | None,
    intersect: bool,
) -> Shared:
    """Find the users and items that all runs have.

    Parameters
    ----------
    runs : mapping of RunSource to RawLists or RawFactors
        What was read from the files.
    of : str or None
        What the lists are: `users`, `items` or `recommendations`. None if there are factors only.
    interactions : Interactions or None
        The data set, if there is one: all users and items of the comparison.
    intersect : bool
        Whether to remove users and items that some runs do not have. Otherwise different catalogues are refused.

    Returns
    -------
    Shared

    Raises
    ------
    DataError
        If no user or item is shared, or the catalogues differ.
    """
    remarks: list[str] = []
    kept: dict[str, set[str]] = {}
    for side in ("users", "items"):
        found = [_ids_of_run(source, raw, of, side) for source, raw in runs.items()]
        if interactions is not None:
            ids = set(_texts(_ids(interactions, side)))
            found.insert(0, _RunIds("the data set", "the data set", ids, ids, ids))
        found = [of_run for of_run in found if of_run.seen]
        if found:
            kept[side] = _kept(found, side, with_data=interactions is not None, intersect=intersect, remarks=remarks)
    shared = _without_interactions(kept) if interactions is None else _restricted(interactions, kept)
    return Shared(shared, _with_lists(runs, of, shared, remarks), remarks)


def align_lists(raw: RawLists, of: str, interactions: Interactions) -> tuple[Lists, Ids]:
    """Return the lists of a run by the indexes of the comparison.

    Parameters
    ----------
    raw : RawLists
        By the ids of its file.
    of : str
        What the lists are.
    interactions : Interactions
        The users and items of the comparison. Entries that it does not have are removed, and those after them move up.

    Returns
    -------
    lists : Lists
        Of the users or items that have lists, in ascending order of their indexes.
    rows : (E,) int32
        Their indexes.
    """
    index_of = _index(interactions, LISTED[of])
    of_listed = np.array([index_of.get(raw_id, -1) for raw_id in raw.listed_ids], dtype=np.int32)
    own_index = _index(interactions, SIDES[of])
    rows = np.array([own_index.get(raw_id, -1) for raw_id in raw.entity_ids], dtype=np.int32)
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= 0]
    ids, scores = raw.lists.ids[order], raw.lists.scores[order]
    ids = np.where(ids >= 0, of_listed[ids], np.int32(-1))
    behind = np.argsort(ids < 0, axis=1, kind="stable")  # entries that were removed come last
    return (
        Lists(
            np.take_along_axis(ids, behind, axis=1),
            np.take_along_axis(np.where(ids >= 0, scores, np.float32("nan")), behind, axis=1),
        ),
        rows[order],
    )


def align_factors(raw: RawFactors, interactions: Interactions) -> Factors:
    """Return the factors of a run in the order of the comparison.

    Parameters
    ----------
    raw : RawFactors
        By the ids of its files.
    interactions : Interactions
        The users and items of the comparison, all of which the run has.

    Returns
    -------
    Factors
    """
    rows = {}
    for side in ("users", "items"):
        position_of = {raw_id: position for position, raw_id in enumerate(raw.ids(side))}
        rows[side] = np.array([position_of[raw_id] for raw_id in _texts(_ids(interactions, side))], dtype=np.int64)
    return Factors(raw.factors.users[rows["users"]], raw.factors.items[rows["items"]])


@dataclass(frozen=True)
class _RunIds:
    """The ids of one side in one run, or in the data set.

    Attributes
    ----------
    name, model : str
        Of the files, and of the model.
    listable : set of str
        What the run can list, or is known to list.
    catalogue : set of str or None
        All that it can list; None if the files do not tell.
    seen : set of str
        All that is in its files.
    """

    name: str
    model: str
    listable: set[str]
    catalogue: set[str] | None
    seen: set[str]


def _ids_of_run(source: "RunSource", raw: RawRun, of: str | None, side: str) -> _RunIds:
    if isinstance(raw, RawFactors):
        ids = set(raw.ids(side).tolist())
        return _RunIds(source.name, source.model, ids, ids, ids)
    assert of is not None
    own = set(raw.entity_ids.tolist()) if SIDES[of] == side else set()
    listed = set(raw.listed_ids.tolist()) if LISTED[of] == side else set()
    # neighbours are all users, or all items, if each has a list; not if the lists are of a sample of them
    catalogue = own if listed and listed <= own else None
    return _RunIds(source.name, source.model, listed, catalogue, own | listed)


def _kept(found: Sequence[_RunIds], side: str, *, with_data: bool, intersect: bool, remarks: list[str]) -> set[str]:
    """Return the ids of one side that are compared."""
    if not intersect:
        _check_catalogues(found, side)
    union = set.union(*(of_run.seen for of_run in found))
    if not any(of_run.listable for of_run in found):  # users of recommendations: `_with_lists` counts them
        return union
    # of models whose catalogues are not known, what any of their runs has
    by_model: dict[str, set[str]] = {}
    for of_run in found:
        if of_run.catalogue is None:
            by_model.setdefault(of_run.model, set()).update(of_run.seen)
    common = set.intersection(
        *by_model.values(), *(of_run.catalogue for of_run in found if of_run.catalogue is not None)
    )
    if not common:
        raise DataError(_nothing_shared({of_run.name: of_run.seen for of_run in found}, side))
    some_only = len(union) - len(common)
    if intersect:
        if some_only:
            remarks.append(
                f"{len(common):,} {side} are in all models; {some_only:,} that some do not have were removed from all "
                "lists (intersect)."
            )
        return common
    if by_model and some_only and not with_data:
        remarks.append(
            f"{len(common):,} {side} are in the lists of all models, {some_only:,} in those of some only. Which {side} "
            "a model could list is not in the files."
        )
    return found[0].seen if with_data else union


def _check_catalogues(found: Sequence[_RunIds], side: str) -> None:
    """Refuse a run that can list what another does not know: their lists would differ for this reason alone."""
    for of_run in found:
        for other in found:
            unknown = of_run.listable - other.catalogue if other.catalogue is not None else set()
            if unknown:
                if not of_run.listable & (other.catalogue or set()):
                    raise DataError(_nothing_shared({of_run.name: of_run.seen, other.name: other.seen}, side))
                examples = ", ".join(repr(raw_id[:40]) for raw_id in sorted(unknown)[:3])
                raise DataError(
                    f"different catalogues: {of_run.name} has {len(unknown):,} {side} that {other.name} does not have, "
                    f"such as {examples}; expected the same {side} in all runs, or --intersect (config: "
                    "`intersect: true`) to compare those that all have"
                )


def _nothing_shared(catalogues: Mapping[str, set[str]], side: str) -> str:
    first, *others = catalogues.items()
    other = next((entry for entry in others if not entry[1] & first[1]), others[-1] if others else first)
    examples = [", ".join(repr(raw_id[:40]) for raw_id in sorted(ids)[:3]) for _, ids in (first, other)]
    return (
        f"no {side[:-1]} is in all runs: {first[0]} has {examples[0]}, {other[0]} has {examples[1]}; expected the same "
        "ids in all files (they are compared as text)"
    )


def _without_interactions(kept: Mapping[str, set[str]]) -> Interactions:
    from scipy.sparse import csr_array

    ids = {side: in_natural_order(kept.get(side, ())) for side in ("users", "items")}
    empty: Any = csr_array((len(ids["users"]), len(ids["items"])), dtype=np.float32)
    return Interactions(empty, ids["users"], ids["items"], None)


def _restricted(interactions: Interactions, kept: Mapping[str, set[str]]) -> Interactions:
    """Return the interactions of the users and items that are compared."""
    users, items = (
        np.array([raw_id in kept[side] for raw_id in _texts(_ids(interactions, side))]) for side in ("users", "items")
    )
    if users.all() and items.all():
        return interactions
    matrix = interactions.matrix[np.flatnonzero(users)][:, np.flatnonzero(items)]
    matrix.sort_indices()
    titles = interactions.item_titles
    item_titles = None if titles is None else titles[items]
    return Interactions(matrix, interactions.user_ids[users], interactions.item_ids[items], item_titles)


def _with_lists(
    runs: Mapping["RunSource", RawRun], of: str | None, interactions: Interactions, remarks: list[str]
) -> dict[str, Ids]:
    """Return the users or items that have lists in all runs, if some have none."""
    if of is None:
        return {}
    side = SIDES[of]
    ids = _texts(_ids(interactions, side))
    with_lists = {
        source.name: set(raw.entity_ids.tolist()) for source, raw in runs.items() if isinstance(raw, RawLists)
    }
    if not with_lists:
        return {}
    common, union = set.intersection(*with_lists.values()), set.union(*with_lists.values())
    rows = np.flatnonzero([raw_id in common for raw_id in ids]).astype(np.int32)
    if not len(rows):
        raise DataError(_nothing_shared(with_lists, side))
    elsewhere = len(union) - len(common)
    left_out = f"; {elsewhere:,} have lists in some runs only and were left out" if elsewhere else ""
    remarks.append(f"{len(rows):,} {side} have lists in all runs{left_out}.")
    return {} if len(rows) == len(ids) else {side: rows}


def _index(interactions: Interactions, side: str) -> dict[str, int]:
    return {raw_id: index for index, raw_id in enumerate(_texts(_ids(interactions, side)))}


def _ids(interactions: Interactions, side: str) -> npt.NDArray[Any]:
    return interactions.user_ids if side == "users" else interactions.item_ids


def _texts(ids: npt.NDArray[Any]) -> list[str]:
    return [str(raw_id) for raw_id in ids.tolist()]
