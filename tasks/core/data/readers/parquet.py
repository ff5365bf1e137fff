"""Parquet files, read into a frame of ratings."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.columns import ID_ROLES, IdColumnBuilder, checked_frame
from tasks.core.data.readers.delimited import column_positions
from tasks.core.data.timestamps import is_iso, iso_seconds
from tasks.core.errors import DataError
from tasks.core.formatting import shown
from tasks.core.types import Values

if TYPE_CHECKING:
    import pandas as pd

_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in each unit of Arrow


def read_parquet(file: Any, name: str, columns: Columns) -> "pd.DataFrame":
    """Return the ratings of a Parquet file.

    Parameters
    ----------
    file : binary file
        Open, at its start.
    name : str
        For messages.
    columns : Columns
        The columns to read. Dates and times of the timestamps, and texts of ISO 8601, become seconds since 1970, in
        UTC.

    Returns
    -------
    pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`.

    Raises
    ------
    ConfigError
        See `column_positions`.
    DataError
        If the file is not Parquet, has no rows, lacks a column, has a missing id or a number that is not finite. The
        message names the row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, Any] = {}
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        positions = column_positions(columns, names, name, header=True)
        if table.metadata.num_rows == 0:
            raise DataError(f"{name}: no rows; expected a row for each rating")
        for role, at in positions.items():
            column = table.read(columns=[names[at]]).column(0)  # one at a time, to save memory
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            try:
                rows[role] = _id_column(column) if role in ID_ROLES else _number_column(column, role)
            except (ValueError, TypeError) as error:
                reason = shown(str(error))
                raise DataError(f"{name}: column '{shown(names[at])}' for {role}: {reason}") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not readable as Parquet: {error}") from error
    return checked_frame(rows, lambda reason: DataError(f"{name}: {reason}"))


def _id_column(column: Any) -> Any:
    """Return an Arrow column as a Categorical of text. Each different value of a chunk is converted once."""
    import pyarrow as pa

    ids = IdColumnBuilder()
    for chunk in column.chunks:
        try:
            encoded = chunk.dictionary_encode()
        except pa.ArrowNotImplementedError:  # a type that Arrow cannot compare, such as a UUID
            values = chunk.to_pandas()
            ids.append(values.astype(object).astype(str).where(values.notna()).astype("category"))
            continue
        values = encoded.dictionary.to_pandas()
        texts = values.astype(object).astype(str).where(values.notna(), None)
        ids.append_coded(encoded.indices.fill_null(-1).to_numpy(), texts)
    return ids.finish()


def _number_column(column: Any, role: str) -> Values:
    """Return an Arrow column as numbers, (n,) float64; NaN for a missing one."""
    import pyarrow as pa

    kind = column.type
    if role == "timestamp" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return _seconds(column)
    if role == "timestamp" and _starts_with_iso(column):
        return np.concatenate([_iso_seconds(chunk) for chunk in column.chunks])
    if pa.types.is_temporal(kind):
        expected = "numbers, dates or times since 1970" if role == "timestamp" else "numbers"
        raise ValueError(f"found {kind}; expected {expected}")
    if pa.types.is_decimal(kind) or kind in (pa.float16(), pa.float32()):
        return np.concatenate([_shortest_decimals(chunk) for chunk in column.chunks])
    return np.asarray(column.to_pandas().astype("float64").to_numpy())


def _starts_with_iso(column: Any) -> bool:
    """Return whether an Arrow column is one of texts whose first is a date or time of ISO 8601."""
    import pyarrow as pa

    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return is_text and is_iso(str(column[0].as_py()).strip())


def _iso_seconds(chunk: Any) -> Values:
    """Return dates and times of ISO 8601 in seconds since 1970, NaN for a missing one. Each text is converted once."""
    encoded = chunk.dictionary_encode()
    seconds = np.append(iso_seconds(encoded.dictionary.to_pylist()), np.nan)
    return np.asarray(seconds[encoded.indices.fill_null(-1).to_numpy()])  # -1 indexes the last


def _seconds(column: Any) -> Values:
    """Return dates, or times with or without a zone, in seconds since 1970. Times without a zone are taken for UTC."""
    import pyarrow as pa

    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    missing = column.is_null().to_numpy()
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy() / _SECOND[column.type.unit]
    return np.where(missing, np.nan, numbers)


def _shortest_decimals(chunk: Any) -> Values:
    """Return the decimals that decimal numbers or floats of less than 64 bits were written from.

    The float32 nearest to 4.1 is 4.099999904..., which is less than a `min_rating` of 4.1. Its shortest decimal that
    gives the same float32 is 4.1. Each different value is converted once.
    """
    import pyarrow as pa

    if chunk.type == pa.float16():  # Arrow does not compare them
        values, codes = np.unique(chunk.fill_null(np.float16("nan")).to_numpy(), return_inverse=True)
        return np.array([float(str(value)) for value in values])[codes]
    encoded = chunk.dictionary_encode()
    texts = encoded.dictionary.cast(pa.string())
    numbers = np.append(texts.cast(pa.float64()).to_numpy(zero_copy_only=False), np.nan)
    return np.asarray(numbers[encoded.indices.fill_null(-1).to_numpy()])  # -1 indexes the last
