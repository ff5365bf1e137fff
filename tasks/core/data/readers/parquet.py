"""A Parquet file -> a frame of ratings."""

from typing import TYPE_CHECKING, Any

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.columns import ID_ROLES, IdColumn, checked_frame
from tasks.core.data.readers.delimited import column_positions
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(file: Any, name: str, columns: Columns) -> "pd.DataFrame":
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = {role: column for role, column in columns.model_dump().items() if column is not None}
    found: dict[str, Any] = {}
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        positions = column_positions(wanted, names, name, header=True)
        if table.metadata.num_rows == 0:
            raise DataError(f"{name}: no rows; expected a row for each rating")
        for role, at in positions.items():
            column = table.read(columns=[names[at]]).column(0)
            try:
                found[role] = (
                    _id_column(column) if role in ID_ROLES else column.to_pandas().astype("float64").to_numpy()
                )
            except (ValueError, TypeError) as error:
                raise DataError(f"{name}: column {names[at]!r} for {role}: {error}") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not readable as Parquet: {error}") from None
    return checked_frame(found, lambda reason: DataError(f"{name}: {reason}"))


def _id_column(column: Any) -> Any:
    """An Arrow column as ids: each different value becomes text once."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    ids = IdColumn()
    for part in column.chunks:
        try:
            encoded = part.dictionary_encode()
        except pa.ArrowNotImplementedError:  # of a type that Arrow cannot compare, such as a UUID
            whole = part.to_pandas()
            ids.take(whole.astype(object).astype(str).where(whole.notna()).astype("category"))
            continue
        values = encoded.dictionary.to_pandas()
        texts = values.astype(object).astype(str).where(values.notna(), None)
        ids.take_coded(encoded.indices.fill_null(-1).to_numpy(), texts)
    return ids.column()
