"""The ratings of a Parquet file or of a folder of them, batch by batch, in the order of the rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.data.readers.columns import ID_ROLES, raw_ids
from tasks.core.data.readers.delimited import changed_while_read
from tasks.core.data.readers.parquet.columns import IdColumn, NumberColumn, plain_type
from tasks.core.data.timestamps import first_rows_of_units, mixed_units_text
from tasks.core.errors import DataError
from tasks.core.formatting import shown
from tasks.core.types import Ids, Values

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 1 << 20
"""Number of rows that are in memory at a time, at most."""
_READ_AHEAD = 1  # batches that are decoded while one is used


@dataclass(frozen=True)
class RatingBatch:
    """Consecutive rows of a table.

    Attributes
    ----------
    users, items : (n,) int32
        Codes, see `ParquetRatings.ids`.
    ratings, times : (n,) float64 or None
        None if the table has no such column.
    """

    users: Ids
    items: Ids
    ratings: Values | None
    times: Values | None


@dataclass(frozen=True)
class Part:
    """A file of a table.

    Attributes
    ----------
    path : Path
    name : str
        For messages.
    fragment : pyarrow.dataset.Fragment
    rows : int
    state : tuple of int
        See `file_state`, before the file was read.
    """

    path: Path
    name: str
    fragment: Any
    rows: int
    state: tuple[int, int]


@dataclass(frozen=True)
class ParquetRatings:
    """The ratings of a Parquet file, or of a folder of Parquet files that are one table.

    Attributes
    ----------
    name : str
        For messages.
    columns : dict of str to str
        From `user`, `item`, `rating` and `timestamp`, the last two only if configured, to the name of the column.
    rows : int
        At least one.
    ids : dict of str to IdColumn
        Of `user` and `item`: all ids, in the order of first appearance, once `batches` has run to its end.
    """

    name: str
    columns: dict[str, str]
    rows: int
    _parts: tuple[Part, ...]
    ids: dict[str, IdColumn] = field(default_factory=lambda: {role: IdColumn() for role in ID_ROLES})
    _numbers: dict[str, NumberColumn] = field(
        default_factory=lambda: {role: NumberColumn(role) for role in ("rating", "timestamp")}
    )

    def batches(self, *, ids_only: bool = False) -> Iterator[RatingBatch]:
        """Yield all rows in the order of the table: files by path, and the row groups and rows of each in order.

        May be called again; an id has the same code then.

        Parameters
        ----------
        ids_only : bool
            Whether to leave out the ratings and the times.

        Yields
        ------
        RatingBatch

        Raises
        ------
        DataError
            If a file has changed or cannot be read, an id is missing, a number is not finite, or timestamps are of
            several units. The message names the file and the row.
        """
        roles = [role for role in self.columns if not ids_only or role in ID_ROLES]
        units: dict[str, str] = {}
        for part in self._parts:
            row = 0
            for batch in self._arrow_batches(part, roles):
                rows = {role: self._rows(part, role, column, row) for role, column in zip(roles, batch, strict=True)}
                if "timestamp" in rows:
                    self._refuse_mixed_units(units, rows["timestamp"], part, row)
                yield RatingBatch(rows["user"], rows["item"], rows.get("rating"), rows.get("timestamp"))
                row += len(rows["user"])

    def _arrow_batches(self, part: Part, roles: list[str]) -> Iterator[list[Any]]:
        """Yield the columns of the roles as Arrow arrays, for each batch of a part that is not empty."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        names = [self.columns[role] for role in roles]
        try:
            if file_state(part.path) != part.state:
                raise changed_while_read(part.path)
            # pre-buffering would hold the compressed bytes of all row groups that are read ahead
            options = ds.ParquetFragmentScanOptions(pre_buffer=False)
            for batch in part.fragment.to_batches(
                schema=_read_schema(part.fragment, names),
                columns=names,
                batch_size=BATCH_ROWS,
                batch_readahead=_READ_AHEAD,
                fragment_scan_options=options,
            ):
                if batch.num_rows:
                    yield [_plain(column) for column in batch.columns]
            if file_state(part.path) != part.state:
                raise changed_while_read(part.path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{part.name}: not readable as Parquet: {error}") from error

    def _rows(self, part: Part, role: str, column: Any, row: int) -> Any:
        """Return the rows of a column as codes or numbers, of which none is missing."""
        try:
            if role in ID_ROLES:
                return self._id_codes(part, role, column, row)
            numbers = self._numbers[role].numbers(column)
        except (ValueError, TypeError) as error:
            reason = shown(str(error))
            raise DataError(f"{part.name}: column '{shown(self.columns[role])}' for {role}: {reason}") from error
        finite = np.isfinite(numbers)
        if not finite.all():
            at = int(np.argmin(finite))
            raise DataError(f"{part.name}: the {role} in row {row + at + 1} is {numbers[at]}; expected a finite number")
        return numbers

    def _id_codes(self, part: Part, role: str, column: Any, row: int) -> Ids:
        ids = self.ids[role]
        n_before = len(ids.texts)
        codes = ids.codes(column)
        blank = [code for code, text in enumerate(ids.texts[n_before:], n_before) if not text.strip()]
        if codes.min() < 0 or blank:
            at = int(np.argmax(np.isin(codes, [-1, *blank])))
            raise DataError(f"{part.name}: no {role} id in row {row + at + 1}")
        return codes

    def _refuse_mixed_units(self, units: dict[str, str], times: Values, part: Part, row: int) -> None:
        """Add the first time of each unit to `units`, and refuse several."""
        of_part = f" of {part.name}" if len(self._parts) > 1 else ""
        for unit, at in first_rows_of_units(times).items():
            units.setdefault(unit, f"{times[at]:.15g} (row {row + at + 1}{of_part})")
        if problem := mixed_units_text(units):
            raise DataError(f"{self.name}: {problem}")

    def frame(self) -> "pd.DataFrame":
        """Return all rows in memory, see `tasks.core.data.readers.ratings.Ratings`.

        Raises
        ------
        DataError
            See `batches`.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            role: np.empty(self.rows, np.int32 if role in ID_ROLES else np.float64) for role in self.columns
        }
        start = 0
        for batch in self.batches():
            rows: dict[str, Any] = {
                "user": batch.users,
                "item": batch.items,
                "rating": batch.ratings,
                "timestamp": batch.times,
            }
            end = start + len(batch.users)
            for role, column in columns.items():
                column[start:end] = rows[role]
            start = end
        for role in ID_ROLES:
            columns[role] = pd.Categorical.from_codes(columns[role], raw_ids(self.ids[role].texts))
        return pd.DataFrame(columns, copy=False)  # a copy would need twice the memory


def _read_schema(fragment: Any, names: list[str]) -> Any:
    """Return the columns to read of a file, with those that stand in the names of folders as texts."""
    import pyarrow as pa

    schema = fragment.physical_schema
    return pa.schema([schema.field(name) if name in schema.names else pa.field(name, pa.string()) for name in names])


def _plain(column: Any) -> Any:
    """Return an Arrow array in the type of its values, see `plain_type`."""
    kind = plain_type(column.type)
    return column if column.type == kind else column.cast(kind)


def file_state(path: Path) -> tuple[int, int]:
    """Return what another process that writes the file changes: its size, and the time of its last change."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns
