"""Parquet files, read into a frame of ratings."""

from typing import TYPE_CHECKING, Any

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.columns import ID_ROLES, IdColumnBuilder, checked_frame
from tasks.core.data.readers.delimited import column_positions
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(file: Any, name: str, columns: Columns) -> "pd.DataFrame":
    """Return the ratings of a Parquet file.

    Parameters
    ----------
    file : binary file
        Open, at its start.
    name : str
        For messages.
    columns : Columns
        The columns to read.

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
            try:
                rows[role] = _id_column(column) if role in ID_ROLES else column.to_pandas().astype("float64").to_numpy()
            except (ValueError, TypeError) as error:
                raise DataError(f"{name}: column {names[at]!r} for {role}: {error}") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not readable as Parquet: {error}") from error
    return checked_frame(rows, lambda reason: DataError(f"{name}: {reason}"))


def _id_column(column: Any) -> Any:
    """Return an Arrow column as a Categorical of text. Each different value of a chunk is converted once."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
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
