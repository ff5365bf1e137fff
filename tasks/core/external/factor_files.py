"""Factors that others trained, read from the files of one run."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.errors import DataError
from tasks.core.external.ids import ids_as_text
from tasks.core.external.sources import RunSource
from tasks.core.external.tables import read_table
from tasks.core.models.factors import Factors
from tasks.core.types import Floats

_IDS = {
    "users": ("user_ids", "id", "user_id", "userId", "user", "index"),
    "items": ("item_ids", "id", "item_id", "itemId", "item", "index"),
}
_ARRAYS = {"users": "user_factors", "items": "item_factors"}


@dataclass(frozen=True)
class RawFactors:
    """The factors of one run, by the ids of its files.

    Attributes
    ----------
    user_ids, item_ids : (U,), (I,) object arrays of str
        The numbers of the rows where the files have no ids.
    factors : Factors
        Row u belongs to user_ids[u].
    """

    user_ids: npt.NDArray[np.object_]
    item_ids: npt.NDArray[np.object_]
    factors: Factors

    def ids(self, side: str) -> npt.NDArray[np.object_]:
        """Return the ids of the `users` or of the `items`."""
        return self.user_ids if side == "users" else self.item_ids


def read_factors(source: RunSource) -> RawFactors:
    """Read the factors of one run.

    Parameters
    ----------
    source : RunSource
        An npz file with `user_factors` (U, k) and `item_factors` (I, k), and `user_ids` and `item_ids` if rows are not
        numbered; or a pair of files, each npy (rows are numbered from 0) or a table with an array column and one of
        ids, such as the folders `userFactors` and `itemFactors` of a model that Spark saved.

    Returns
    -------
    RawFactors

    Raises
    ------
    DataError
        If a file cannot be read, lacks an array, or has ids twice; if users and items have different k, or a factor is
        not finite.
    """
    if len(source.paths) == 2:
        (user_ids, users), (item_ids, items) = (
            _read_side(path, side) for path, side in zip(source.paths, _ARRAYS, strict=True)
        )
    else:
        user_ids, users, item_ids, items = _read_npz(source.paths[0])
    if users.shape[1] != items.shape[1]:
        raise DataError(
            f"{source.name}: {users.shape[1]} factors for a user and {items.shape[1]} for an item; expected equal k"
        )
    for side, ids, array in (("user", user_ids, users), ("item", item_ids, items)):
        finite = np.isfinite(array).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{source.name}: the factors of {side} {ids[np.flatnonzero(~finite)[0]]} are not finite, and those of "
                f"{np.count_nonzero(~finite):,} {side}s in all; expected finite numbers below 3e38"
            )
        if len(set(ids)) < len(ids):
            raise DataError(
                f"{source.name}: {len(ids) - len(set(ids)):,} {side} ids are there twice; expected each once"
            )
    return RawFactors(user_ids, item_ids, Factors(users, items))


def _read_npz(path: Path) -> tuple[npt.NDArray[np.object_], Floats, npt.NDArray[np.object_], Floats]:
    if path.suffix != ".npz":
        raise DataError(
            f"{path}: expected an .npz file with user_factors and item_factors, or a pair of files, such as "
            "als-*-{users,items}.npy"
        )
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in _ARRAYS.values() if name not in arrays]
            if missing:
                found = ", ".join(arrays.files[:10])
                raise DataError(f"{path}: has no {' and no '.join(missing)}; it has {found}")
            sides = []
            for side, name in _ARRAYS.items():
                matrix = _matrix(arrays[name], f"{path}: {name}")
                sides.append((_ids_of(arrays.get(_IDS[side][0]), len(matrix), path, side), matrix))
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as npz without pickles: {str(error)[:200]}") from error
    (user_ids, users), (item_ids, items) = sides
    return user_ids, users, item_ids, items


def _read_side(path: Path, side: str) -> tuple[npt.NDArray[np.object_], Floats]:
    """Return ids and factors of the users or of the items."""
    if path.suffix == ".npy":
        try:
            matrix = _matrix(np.load(path, allow_pickle=False), str(path))
        except (OSError, ValueError, AttributeError, EOFError) as error:
            raise DataError(f"{path}: cannot be read as npy without pickles: {str(error)[:200]}") from error
        return _ids_of(None, len(matrix), path, side), matrix
    table = read_table(path)
    arrays = [name for name in table.column_names if _is_array(table.schema.field(name).type)]
    ids_at = next((name for name in _IDS[side] if name in table.column_names and name not in arrays), None)
    if len(arrays) != 1 or ids_at is None:
        raise DataError(
            f"{path}: its columns are {', '.join(table.column_names[:10])}; expected one of ids, such as 'id', and one "
            "array column of factors"
        )
    column = table.column(arrays[0]).combine_chunks()
    lengths = {len(value) if value.is_valid else 0 for value in column}
    if len(lengths) != 1:
        raise DataError(f"{path}: arrays of {min(lengths)} to {max(lengths)} factors; expected equal k")
    values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    return ids_as_text(table.column(ids_at), f"{path}: column {ids_at}"), _matrix(values, str(path))


def _is_array(arrow_type: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type)
    )


def _matrix(array: npt.NDArray[Any], name: str) -> Floats:
    """Return factors as float32; those beyond its range become infinite."""
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise DataError(f"{name}: an array of shape {array.shape} and type {array.dtype}; expected (rows, k) numbers")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def _ids_of(ids: npt.NDArray[Any] | None, rows: int, path: Path, side: str) -> npt.NDArray[np.object_]:
    import pyarrow as pa

    if ids is None:
        return ids_as_text(pa.array(np.arange(rows)), str(path))
    if ids.shape != (rows,):
        raise DataError(f"{path}: {_IDS[side][0]} has shape {ids.shape} beside factors of {rows:,} {side}")
    if ids.dtype.kind == "S":
        ids = np.char.decode(ids, "utf-8")
    if ids.dtype.kind not in "iufU":
        raise DataError(f"{path}: {_IDS[side][0]} are of type {ids.dtype}; expected integers, floats or text")
    return ids_as_text(pa.array(ids.tolist()), f"{path}: {_IDS[side][0]}")
