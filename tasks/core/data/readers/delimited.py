"""CSV, TSV and similar text, read into a frame of ratings.

pandas' fast parser reads the file in chunks, so that memory is that of the frame. It accepts lines with surplus columns
and does not say on which line an error is. So separators are counted while it reads, and after an error the file is
read again, slowly, to find the line.
"""

import csv
import math
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.columns import ID_ROLES, ColumnBuilder, IdColumnBuilder, checked_frame
from tasks.core.data.readers.text import DelimitedText, ReadStatistics, as_file, first_line
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import StoredFile

if TYPE_CHECKING:
    import pandas as pd

_CHUNK_ROWS = 1 << 18  # rows parsed at a time: as many as pandas parses internally


def changed_while_read(path: Path) -> DataError:
    """Return the error for a file whose digest is no longer the one that it was located with."""
    return DataError(f"{path}: changed while it was used; run the same command again")


def read_delimited(text: DelimitedText, columns: Columns, located: StoredFile) -> "pd.DataFrame":
    """Return the ratings of a text.

    Parameters
    ----------
    text : DelimitedText
        The file and its format.
    columns : Columns
        The columns to read.
    located : StoredFile
        Its digest is compared to that of the bytes that are parsed.

    Returns
    -------
    pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`.

    Raises
    ------
    ConfigError
        See `column_positions`.
    DataError
        If the file is empty, is not UTF-8, has changed, lacks a column, has lines of different length, a missing id or
        a number that is not finite. The message names the line.
    """
    statistics = ReadStatistics()
    try:
        frame = _parse(text, columns, statistics)
    except (DataError, ConfigError):
        # a file that has changed is reported as such, whatever is wrong with its new content
        if text.digest() != located.sha256:
            raise changed_while_read(text.path) from None
        raise
    if statistics.hasher.hexdigest() != located.sha256:
        raise changed_while_read(text.path)
    return frame


def _parse(text: DelimitedText, columns: Columns, statistics: ReadStatistics) -> "pd.DataFrame":
    import pandas as pd

    with text.blocks() as blocks:
        line, has_more = first_line(blocks)
    if not (has_more or line.strip()):
        raise DataError(f"{text.name}: empty; expected a line for each rating")
    separator = text.parsed_separator
    try:
        fields = next(csv.reader([line.decode("utf-8", "replace").lstrip("\ufeff")], delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{text.name}:1: {error}; expected columns with {separator!r} between them") from error
    positions = column_positions(columns, fields, text.name, header=text.header)
    if text.header and not has_more:
        raise DataError(f"{text.name}: a header and no ratings; expected a line for each rating")
    types: dict[Hashable, Any] = {at: "category" if role in ID_ROLES else "float64" for role, at in positions.items()}
    # only an empty id is missing: `NA` and `null` are ids like any other
    missing: Any = {at: [""] for role, at in positions.items() if role in ID_ROLES}
    builders = {role: IdColumnBuilder() if role in ID_ROLES else ColumnBuilder(np.float64) for role in positions}
    try:
        with (
            text.blocks(statistics) as blocks,
            pd.read_csv(
                as_file(blocks),
                sep=separator,
                header=None,
                skiprows=1 if text.header else 0,
                usecols=list(types),
                dtype=types,
                keep_default_na=False,
                na_values=missing,
                encoding="utf-8-sig",
                chunksize=_CHUNK_ROWS,
            ) as chunks,
        ):
            for chunk in chunks:
                for role, at in positions.items():
                    builders[role].append(chunk[at])
            for _ in blocks:  # bytes that the parser did not read belong to the digest too
                pass
    except (ValueError, pd.errors.ParserError) as error:  # UnicodeDecodeError is a ValueError
        raise _diagnose(text, positions, str(error)) from error
    rows = {role: builders[role].finish() for role in positions}
    # The parser ignores surplus columns. If the number of separators is that of lines of equal length, there are none.
    if statistics.separators != (len(rows["user"]) + text.header) * (len(fields) - 1):
        _check_lengths(text)
    return checked_frame(rows, lambda reason: _diagnose(text, positions, reason))


def column_positions(columns: Columns, fields: list[str], name: str, *, header: bool) -> dict[str, int]:
    """Return the position of each column that is read.

    Parameters
    ----------
    columns : Columns
        The columns to read, by position or by name.
    fields : list of str
        The names of the file's columns; the fields of its first line if there is no header.
    name : str
        The file's, for messages.
    header : bool
        Whether `fields` are names.

    Returns
    -------
    dict of str to int
        From `user`, `item`, `rating` and `timestamp`, the last two only if configured, to a position from 0.

    Raises
    ------
    ConfigError
        If a column is given by name and there is no header, or two columns are the same.
    DataError
        If the file has no such column.
    """
    configured = {role: column for role, column in columns.model_dump().items() if column is not None}
    positions = {}
    for role, column in configured.items():
        if isinstance(column, int):
            if column >= len(fields):
                raise DataError(f"{name}: {role} is column {column} (from 0), but a line has {len(fields)} columns")
            positions[role] = column
        elif not header:
            raise ConfigError(f"dataset.columns.{role}: found the name {column!r} but `header: false`; give a position")
        elif column not in fields:
            raise DataError(
                f"{name}: has no column {column!r} for {role}; its columns are {', '.join(fields)}: "
                "set dataset.columns (rating: null where there are none) and dataset.separator"
            )
        else:
            positions[role] = fields.index(column)
    if len(set(positions.values())) != len(positions):
        raise ConfigError(f"dataset.columns: {configured} names a column twice; expected a column for each")
    return positions


def _diagnose(text: DelimitedText, positions: dict[str, int], reason: str) -> DataError:
    """Read the text again, line by line, and return the error for the first line that has one."""
    name = text.name
    if line := _first_line_not_utf8(text):
        return DataError(f"{name}:{line}: not UTF-8 text; save the file as UTF-8")
    try:
        with text.rows() as rows:
            for number, fields in _numbered(rows, header=text.header):
                for role, at in positions.items():
                    if at >= len(fields):
                        return DataError(f"{name}:{number}: {len(fields)} columns; {role} is column {at} (from 0)")
                    value = fields[at].strip()
                    if role in ID_ROLES:
                        if not value:
                            return DataError(f"{name}:{number}: the {role} id is empty; expected a number or a text")
                    elif not _is_finite(value):
                        return DataError(f"{name}:{number}: the {role} is {value!r}; expected a finite number")
    except csv.Error as error:
        return DataError(f"{name}: {error}")
    return DataError(f"{name}: {reason.strip()}; expected lines of the same form")


def _first_line_not_utf8(text: DelimitedText) -> int:
    """Return the number of the first line that is not UTF-8, from 1; 0 if there is none."""
    with text.blocks() as blocks:
        for number, line in enumerate(as_file(blocks), start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _check_lengths(text: DelimitedText) -> None:
    """Read the text again, line by line, and check that all lines have as many columns as the first.

    Lines may have different numbers of separators all the same: those within quotes separate nothing.
    """
    expected = None
    try:
        with text.rows() as rows:
            for number, fields in _numbered(rows, header=False):
                expected = expected or len(fields)
                if len(fields) != expected:
                    raise DataError(
                        f"{text.name}:{number}: {len(fields)} columns, but the first line has {expected}; expected "
                        "lines of equal length: quote fields that contain a separator, or set dataset.separator"
                    )
    except csv.Error as error:
        raise DataError(f"{text.name}: {error}") from error


def _numbered(rows: Any, *, header: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line on which each row ends, and its fields; blank lines and the header are left out."""
    for index, fields in enumerate(rows):
        if fields and not (header and index == 0):
            yield rows.line_num, fields


def _is_finite(text: str) -> bool:
    """Return whether pandas reads the text as a finite number: unlike Python, without underscores, in ASCII digits."""
    try:
        return text.isascii() and "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False
