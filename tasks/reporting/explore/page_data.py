"""What the section Explore of the report embeds: names, histories and merged lists, as JSON.

Users and items are given by their place among those that the page names. Ascending numbers are given by their
differences, which are small and compress well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.comparison.agreement import LISTED, SIDES, RunLists
from tasks.core.data.interactions import Interactions
from tasks.core.formatting import shown
from tasks.core.ranking.entities import Entities
from tasks.core.types import Counts, Ids, Values
from tasks.reporting.drawing import model_style
from tasks.reporting.explore.merged import Merged, merge_lists

if TYPE_CHECKING:
    from tasks.core.types import Matrix

KEPT = 2
"""A merged list has up to this many times n entries."""
_WIDTH = 120
"""Most characters of an id or a title."""
_MOST_VALUES = 100
"""If the interactions have more different values than this, they are left out."""
_EXACT = 2**53
"""JavaScript has no exact integers beyond this."""


def page_data(
    lists: Mapping[str, Sequence[RunLists]],
    interactions: Interactions,
    entities: Mapping[str, Entities],
    chosen: Mapping[str, Ids],
    *,
    lengths: Mapping[str, int],
) -> dict[str, Any]:
    """Return what the page has to know of the users and items that can be chosen, and of all that are listed for them.

    Parameters
    ----------
    lists : mapping of model to sequence of RunLists
        One element for each replicate.
    interactions : Interactions
        What the models were fitted on.
    entities : mapping of str to Entities
        The `users` and the `items` that have lists.
    chosen : mapping of str to (E,) int32
        Those of the users and items that can be chosen, ascending.
    lengths : mapping of str to int
        Target -> length of each replicate's list.

    Returns
    -------
    dict
        `models`; `users` and `items`: names; `item_users`: number of users of each item, and `history`: items of each
        user, both None without interactions; `lists`: target -> those who have lists, and their lists by model.
    """
    targets = next(iter(lists.values()))[0].targets
    merged = {
        target: {
            model: merge_lists(
                [getattr(run, target) for run in runs],
                np.searchsorted(entities[SIDES[target]].rows, chosen[SIDES[target]]).astype(np.int32),
                n=lengths[target],
                longest=KEPT * lengths[target],
            )
            for model, runs in lists.items()
        }
        for target in targets
    }
    has_history = interactions.matrix.nnz > 0
    users = _named("users", chosen, merged)
    histories = interactions.matrix[users]
    items = _named("items", chosen, merged, histories.indices)
    places = {"users": users, "items": items}
    users_of_items = interactions.matrix.T.tocsr()
    titles = interactions.item_titles
    return {
        "models": [
            {"name": model, "replicates": len(runs), "color": model_style(position)[0]}
            for position, (model, runs) in enumerate(lists.items())
        ],
        "users": _names(users, interactions.user_ids, None),
        "items": _names(items, interactions.item_ids, titles),
        "item_users": np.diff(users_of_items.indptr)[items].tolist() if has_history else None,
        "history": _history(histories, items) if has_history else None,
        "lists": {
            target: {
                "n": lengths[target],
                "of": _differences(np.searchsorted(places[SIDES[target]], chosen[SIDES[target]])),
                "models": [
                    _list_data(of_model, places[LISTED[target]])
                    | (
                        {"common": common_users(users_of_items, chosen["items"], of_model).tolist()}
                        if target == "items" and has_history
                        else {}
                    )
                    for of_model in by_model.values()
                ],
            }
            for target, by_model in merged.items()
        },
    }


def common_users(users_of_items: "Matrix", items: Ids, merged: Merged) -> Counts:
    """Count the users that an item has in common with each item of its list.

    Parameters
    ----------
    users_of_items : (I, U) CSR
        The transpose of the interactions.
    items : (E,) int32
        The items that have lists.
    merged : Merged
        Their lists, of M entries in all.

    Returns
    -------
    (M,) int64
    """
    users = np.split(users_of_items.indices, users_of_items.indptr[1:-1])  # views
    is_user = np.zeros(users_of_items.shape[1], dtype=bool)
    counts = []
    # without items there is still one part, an empty one
    for item, listed in zip(items.tolist(), np.split(merged.ids, np.cumsum(merged.sizes)[:-1]), strict=False):
        is_user[users[item]] = True
        counts += [np.count_nonzero(is_user[users[other]]) for other in listed.tolist()]
        is_user[users[item]] = False
    return np.array(counts, dtype=np.int64)


def _named(
    side: str, chosen: Mapping[str, Ids], merged: Mapping[str, Mapping[str, Merged]], others: Ids | None = None
) -> Ids:
    """Return the users or items that the page names, ascending: those chosen or listed, and others."""
    listed = [of_model.ids for target in merged if LISTED[target] == side for of_model in merged[target].values()]
    own = [rows for rows in (chosen.get(side), others) if rows is not None]
    none = np.empty(0, dtype=np.int32)  # files of items' lists name no users
    return np.unique(np.concatenate([none, *own, *listed])).astype(np.int32)


def _names(indexes: Ids, raw_ids: npt.NDArray[Any], titles: npt.NDArray[np.object_] | None) -> dict[str, Any]:
    """Return index, raw id and title of users or items. Their texts have no control characters."""
    ids = raw_ids[indexes].tolist()
    are_numbers = raw_ids.dtype != object and all(abs(number) < _EXACT for number in ids)
    return {
        "indexes": _differences(indexes),
        "ids": ids if are_numbers else [shown(str(raw_id), _WIDTH) for raw_id in ids],
        "titles": None if titles is None else [shown(title, _WIDTH) for title in titles[indexes].tolist()],
    }


def _history(histories: "Matrix", items: Ids) -> dict[str, Any]:
    """Return the items of each named user, ascending, and their values unless all are equal or too many differ."""
    values, codes = np.unique(histories.data, return_inverse=True)
    has_values = 1 < len(values) <= _MOST_VALUES
    sizes = np.diff(histories.indptr)
    return {
        "sizes": sizes.tolist(),
        "items": list(_differences_within(np.searchsorted(items, histories.indices), sizes)),
        "values": [float(f"{value:.6g}") for value in values] if has_values else None,
        "codes": codes.tolist() if has_values else None,
    }


def _list_data(merged: Merged, places: Ids) -> dict[str, Any]:
    return {
        "sizes": merged.sizes.tolist(),
        "entries": np.searchsorted(places, merged.ids).tolist(),
        "replicates": merged.replicates.tolist(),
        "scores": _thousandths(merged.scores),
    }


def _thousandths(scores: Values) -> list[int | None] | None:
    """Return scores as thousands of one; None where there is none, and altogether if there are none at all."""
    known = np.isfinite(scores)
    if not known.any():
        return None
    return [round(1000 * score) if is_known else None for score, is_known in zip(scores.tolist(), known, strict=True)]


def _differences(ascending: npt.NDArray[Any]) -> list[int]:
    return [int(number) for number in np.diff(ascending, prepend=0)]


def _differences_within(numbers: npt.NDArray[Any], sizes: Counts) -> Iterator[int]:
    """Yield the differences of ascending numbers, which begin again with each of the groups of these sizes."""
    differences = np.diff(numbers, prepend=0)
    first = (np.cumsum(sizes) - sizes)[sizes > 0]
    differences[first] = numbers[first]
    yield from differences.tolist()
