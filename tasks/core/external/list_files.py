"""Lists that others made, read from a file.

A flat file has a row for each entry of a list: whose list it is, what is listed, and a rank or a score. A nested one
has a row for each list, with its entries in one column, as Spark writes recommendations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.file_models import ListColumns
from tasks.core.errors import DataError
from tasks.core.external.ids import coded_ids
from tasks.core.external.tables import read_table
from tasks.core.formatting import counted, enumerated
from tasks.core.ranking.lists import Lists
from tasks.core.types import Counts

_USERS = ("entity", "user", "user_id", "userId", "userid", "uid", "UserId", "target_user_id", "source_user_id")
_ITEMS = ("item", "item_id", "itemId", "itemid", "iid", "ItemId", "target_item_id", "source_item_id")
_NEIGHBOURS = ("neighbour", "neighbor", "neighbour_id", "neighbor_id", "neighbours", "neighbors", "similar")
# `index`: the column in latentlab's own artifacts
_ENTITY = {
    "users": (*_USERS, "index"),
    "items": ("entity", "target_item_id", "source_item_id", *_ITEMS, "index"),
    "recommendations": (*_USERS, "index"),
}
_LISTED = {
    "users": (*_NEIGHBOURS, "similar_user_id", "similar_user", "listed", "recommendations"),
    "items": (*_NEIGHBOURS, "similar_item_id", "similar_item", "listed", "recommendations", "item_id", "item"),
    "recommendations": (*_ITEMS, "listed", "recommendations", "items"),
}
_RANKS, _SCORES = ("rank", "position"), ("score", "rating", "similarity", "weight", "prediction")


@dataclass(frozen=True)
class RawLists:
    """The lists of one run, by the ids of its file.

    Attributes
    ----------
    entity_ids : (E,) object array of str
        Whose lists they are, in the order of the file.
    listed_ids : (L,) object array of str
        What is listed, in the order of the file.
    lists : Lists
        (E, n): positions in `listed_ids`. Scores are those of the file, else not a number.
    counts : dict of str to int
        What was found in the file and changed or is to be said, see `remarks`.
    """

    entity_ids: npt.NDArray[np.object_]
    listed_ids: npt.NDArray[np.object_]
    lists: Lists
    counts: dict[str, int] = field(default_factory=dict)


REMARKS = {
    "self": "{} of users or items in their own lists, which were left out",
    "repeated": "{} of an id that the list has already at a better rank, which were left out",
    "beyond": "{} beyond rank " + str(LIST_LENGTH) + ", which were left out",
    "tied": "{} with the rank or score of the one before, which are in the order of the file",
    "rising": "{} with a higher score than the one before: the ranks count",
}
"""What is said of a file: kind of count -> text, to be filled with the number of entries."""


def remarks(counts: Sequence[dict[str, int]]) -> str:
    """Return what is said of the files of a model, in one sentence; empty if there is nothing to say."""
    total = {kind: sum(of_file.get(kind, 0) for of_file in counts) for kind in REMARKS}
    found = [
        REMARKS[kind].format(f"{number:,} {'entry' if number == 1 else 'entries'}")
        for kind, number in total.items()
        if number
    ]
    return "; ".join(found)


def read_lists(path: Path, of: str, columns: ListColumns | None = None) -> RawLists:
    """Read the lists of one run.

    Parameters
    ----------
    path : Path
        CSV, TSV, JSON lines, or Parquet (a file or a folder).
    of : str
        What the lists are: `users`, `items` or `recommendations`.
    columns : ListColumns, optional
        Names of the columns; by default the usual ones.

    Returns
    -------
    RawLists

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, has no rows, or has a missing id, rank or score.
    """
    table = read_table(path)
    named = columns or ListColumns()
    listed_at = _find(table, path, "listed", named.listed, _LISTED[of])
    entity_at = _find(table, path, "entity", named.entity, [name for name in _ENTITY[of] if name != listed_at])
    entity_codes, entity_ids = coded_ids(table.column(entity_at), f"{path}: column {entity_at}")
    (listed_codes, listed_ids), rank, score, of_row = _entries(table, path, listed_at, named, of)
    of_entry = entity_codes[of_row]
    order, counts = _order(path, of_entry, rank, score)
    of_entry, listed_codes = of_entry[order], listed_codes[order]
    score = np.full(len(order), np.nan) if score is None else score[order]
    keep = np.ones(len(order), dtype=bool)
    if of != "recommendations":
        code_of = {listed_id: code for code, listed_id in enumerate(listed_ids.tolist())}
        own_codes = np.array([code_of.get(entity_id, -1) for entity_id in entity_ids.tolist()])
        keep = own_codes[of_entry] != listed_codes
        counts["self"] = int(np.count_nonzero(~keep))
    pairs = of_entry.astype(np.int64) * max(len(listed_ids), 1) + listed_codes
    first = np.zeros(len(pairs), dtype=bool)
    first[np.unique(pairs, return_index=True)[1]] = True  # the sort is by rank within each list
    counts["repeated"] = int(np.count_nonzero(keep & ~first))
    keep &= first
    of_entry, listed_codes, score = of_entry[keep], listed_codes[keep], score[keep]
    if not len(of_entry):
        raise DataError(f"{path}: no list has an entry; expected lists of other {of}")
    starts = np.searchsorted(of_entry, np.arange(len(entity_ids)))
    ranks = np.arange(len(of_entry)) - starts[of_entry]
    within = ranks < LIST_LENGTH
    counts["beyond"] = int(np.count_nonzero(~within))
    shape = len(entity_ids), int(ranks[within].max(initial=-1)) + 1
    ids, scores = np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan, dtype=np.float32)
    cells = of_entry[within], ranks[within]
    ids[cells], scores[cells] = listed_codes[within], score[within]
    return RawLists(
        entity_ids, listed_ids, Lists(ids, scores), {kind: count for kind, count in counts.items() if count}
    )


def _find(table: Any, path: Path, role: str, configured: str | None, usual: Sequence[str]) -> str:
    """Return the name of a column."""
    names = table.column_names
    if configured is not None:
        if configured not in names:
            raise DataError(f"{path}: has no column {configured!r} for {role}; its columns are {_shown(names)}")
        return configured
    found = next((name for name in usual if name in names), None)
    if found is None:
        raise DataError(
            f"{path}: none of its columns {_shown(names)} is known as the {role}; expected "
            f"{enumerated([repr(name) for name in usual[:4]], 'or')}, or its name in columns.{role}"
            + ("; columns are separated by commas, in .tsv files by tabs" if len(names) == 1 else "")
        )
    return found


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:20])


def _entries(
    table: Any, path: Path, listed_at: str, named: ListColumns, of: str
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]], Any, Any, npt.NDArray[np.int64]]:
    """Return coded ids, ranks, scores and the row of each entry. Ranks or scores are None if there are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(listed_at).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    if not _is_list(column.type):
        rank = _number(table, path, named.rank, _RANKS)
        score = _number(table, path, named.score, _SCORES)
        if rank is None and score is None:
            raise DataError(
                f"{path}: has neither ranks nor scores; its columns are {_shown(table.column_names)}: expected "
                "'rank' or 'score', or its name in columns.rank or columns.score"
            )
        return coded_ids(column, f"{path}: column {listed_at}"), rank, score, np.arange(len(column))
    # nested: a row for each list
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    of_row = np.repeat(np.arange(len(column)), lengths)
    values = column.flatten()
    if values.null_count:
        raise DataError(
            f"{path}: column {listed_at}: {values.null_count:,} entries are missing; expected an id in each"
        )
    parallel = [name for name in table.column_names if name != listed_at and _is_list(table.column(name).type)]
    if parallel:
        raise DataError(
            f"{path}: {listed_at} and {parallel[0]} are both columns of lists; expected one, whose entries have an id "
            "and a rank or a score, or a row for each entry"
        )
    position = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1.0
    if not pa.types.is_struct(values.type):
        return coded_ids(values, f"{path}: column {listed_at}"), position, None, of_row
    fields = {values.type.field(number).name: values.field(number) for number in range(values.type.num_fields)}
    inner = pa.table(list(fields.values()), names=list(fields))
    usual = [*_LISTED[of], *_ITEMS, *_USERS, "id"]
    id_at = next((name for name in usual if name in fields), None)
    if id_at is None:
        raise DataError(
            f"{path}: the entries of {listed_at} have {_shown(list(fields))}; expected an id such as 'item_id'"
        )
    rank = _number(inner, path, named.rank, _RANKS)
    score = _number(inner, path, named.score, _SCORES)
    ids = coded_ids(inner.column(id_at), f"{path}: column {listed_at}.{id_at}")
    return ids, position if rank is None and score is None else rank, score, of_row


def _is_list(arrow_type: Any) -> bool:
    import pyarrow as pa

    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(arrow_type) for is_kind in kinds)


def _number(table: Any, path: Path, configured: str | None, usual: Sequence[str]) -> Any:
    """Return a column of numbers as float64, or None if there is none."""
    import pyarrow as pa

    if configured is not None and configured not in table.column_names:
        raise DataError(f"{path}: has no column {configured!r}; its columns are {_shown(table.column_names)}")
    name = configured or next((name for name in usual if name in table.column_names), None)
    if name is None:
        return None
    try:
        numbers = table.column(name).cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: column {name}: expected numbers: {str(error)[:100]}") from None
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise DataError(f"{path}: the {name} in row {row + 1} is {numbers[row]}; expected a finite number")
    return numbers


def _order(path: Path, of_entry: Any, rank: Any, score: Any) -> tuple[npt.NDArray[np.int64], dict[str, int]]:
    """Return the order of the entries, list by list and best first, and what it tells about ties."""
    if not len(of_entry):
        raise DataError(f"{path}: no rows; expected a row for each entry of a list")
    key = rank if rank is not None else -score
    order = np.lexsort((key, of_entry))
    same_list = of_entry[order][1:] == of_entry[order][:-1]
    counts = {"tied": int(np.count_nonzero(same_list & (key[order][1:] == key[order][:-1])))}
    if rank is not None and score is not None:
        rises = score[order][1:] > score[order][:-1]
        counts["rising"] = int(np.count_nonzero(same_list & rises))
    return order, counts


def lengths(lists: Lists) -> Counts:
    """Return the number of entries of each list, (E,)."""
    return np.asarray(np.count_nonzero(lists.ids >= 0, axis=1), dtype=np.int64)


def described(lists: RawLists) -> str:
    """Return how many lists there are, and of what length: `942 lists of 5 to 100 entries`."""
    entries = lengths(lists.lists)
    shortest, longest = int(entries.min()), int(entries.max())
    span = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    return f"{counted(len(entries), 'list')} of {span} entries"
