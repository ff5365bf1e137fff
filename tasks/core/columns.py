"""Columns of Parquet files as arrays, without pandas, whose import takes longer than most look-ups."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Columns: TypeAlias = Mapping[str, npt.NDArray[Any]]


def read_columns(path: Path, names: Collection[str] | None = None) -> Columns:
    """Return columns of a Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    names : collection of str, optional
        Which columns; all by default.

    Returns
    -------
    mapping of str to (R,) array
        Numbers of the type that is stored, where a missing one is not a number. Anything else as objects.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read(columns=names and list(names))
    return {name: _array(table[name]) for name in table.column_names}


def _array(column: "pa.ChunkedArray") -> npt.NDArray[Any]:
    """Return a column as an array. `to_numpy` would import pandas."""
    import pyarrow as pa

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        objects = np.empty(len(column), dtype=object)
        objects[:] = column.to_pylist()
        return objects
    if column.null_count:
        column = column.cast(pa.float64()) if pa.types.is_integer(column.type) else column
        column = column.fill_null(float("nan"))
    return np.from_dlpack(column.combine_chunks())
