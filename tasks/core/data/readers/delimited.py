"""CSV, TSV and similar text, read into a frame of ratings.

A fast parser reads the file block by block, so that memory is that of the frame. Parsers do not say on which line an
error is, and accept what loses or merges lines. So what is unusual is noted while they read, and the file is then read
again, line by line, to find the line.
"""

import csv
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.columns import ID_ROLES, checked_frame
from tasks.core.data.readers.diagnosis import find_fault, is_finite, quoting_fault
from tasks.core.data.readers.parsers import parse
from tasks.core.data.readers.text import DelimitedText, first_line
from tasks.core.data.timestamps import is_iso
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import StoredFile
from tasks.core.formatting import shown

if TYPE_CHECKING:
    import pandas as pd


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
        If the file is empty, is not UTF-8, has changed, lacks a column, has lines of different length, quotes that are
        not well-formed, an id of several lines, a missing id or a number that is not finite, or if its first line may
        be a header as well as a rating. The message names the line.
    """
    try:
        frame, sha256 = _parse(text, columns)
    except (DataError, ConfigError):
        # a file that has changed is reported as such, whatever is wrong with its new content
        if text.digest() != located.sha256:
            raise changed_while_read(text.path) from None
        raise
    if sha256 != located.sha256:
        raise changed_while_read(text.path)
    return frame


def _parse(text: DelimitedText, columns: Columns) -> tuple["pd.DataFrame", str]:
    """Return the frame, and the digest of the bytes that it was parsed from."""
    with text.blocks() as blocks:
        line, has_more = first_line(blocks)
    if not (has_more or line.strip()):
        raise DataError(f"{text.name}: empty; expected a line for each rating")
    fields, row, end_line = _first_row(text)
    positions = column_positions(columns, fields, text.name, header=text.has_header)
    if text.has_header and not has_more:
        raise DataError(f"{text.name}: a header and no ratings; expected a line for each rating")
    if text.header is None:
        _check_header(text.name, columns, {role: fields[at] for role, at in positions.items()})

    iso_times = "timestamp" in positions and _has_iso_times(text, positions["timestamp"])

    def fault(reason: str) -> DataError:
        found = find_fault(text, positions, len(fields), iso_times=iso_times)
        return found or DataError(f"{text.name}: {shown(reason.strip())}; expected lines of the same form")

    skipped = (row, end_line) if text.has_header else (0, 0)
    try:
        parsed = parse(text, positions, skipped=skipped, n_columns=len(fields), iso_times=iso_times)
    except ValueError as error:  # the parsers' errors, and UnicodeDecodeError
        raise fault(str(error)) from error
    has_long_ids = any("\n" in raw_id or "\r" in raw_id for role in ID_ROLES for raw_id in parsed.rows[role].categories)
    if has_long_ids or parsed.is_unusual:
        found = find_fault(text, positions, len(fields), iso_times=iso_times)
        if found:
            raise found
    return checked_frame(parsed.rows, fault), parsed.sha256


def _first_row(text: DelimitedText) -> tuple[list[str], int, int]:
    """Return the fields of the first row that is not blank, its number, and the number of the line on which it ends."""
    try:
        with text.rows() as rows:
            for number, fields in enumerate(rows, start=1):
                if fields:
                    return fields, number, rows.line_num
    except UnicodeDecodeError:
        raise find_fault(text, {}, 0) or DataError(f"{text.name}: not UTF-8 text; save the file as UTF-8") from None
    except csv.Error as error:
        raise quoting_fault(text.name, 1, rows.line_num) from error
    raise DataError(f"{text.name}: empty; expected a line for each rating")


def _has_iso_times(text: DelimitedText, at: int) -> bool:
    """Return whether the timestamp of the first rating is a date or time of ISO 8601."""
    try:
        with text.rows() as rows:
            filled = (fields for fields in rows if fields)
            rating: list[str] = next(islice(filled, int(text.has_header), None), [])
    except (UnicodeDecodeError, csv.Error):  # reported when the file is parsed
        return False
    return at < len(rating) and is_iso(rating[at].strip())


def _check_header(name: str, columns: Columns, first_row: dict[str, str]) -> None:
    """Refuse a first row of numbers that would be taken for a header because the config says nothing about it.

    Parameters
    ----------
    name : str
        The file's, for messages.
    columns : Columns
        If a column is given by its name, there is a header.
    first_row : dict of str to str
        The first field of each column that is read.
    """
    if any(isinstance(column, str) for column in columns.model_dump().values()):
        return
    numbers = [
        role
        for role, field in first_row.items()
        if is_finite(field.strip()) or (role == "timestamp" and is_iso(field.strip()))
    ]
    # a rating is no name of a column; an id of digits may be one, unless all of them are
    if len(numbers) == len(first_row) or not set(numbers) <= set(ID_ROLES):
        field = first_row[numbers[-1]]
        kind = "number" if is_finite(field.strip()) else "time"
        raise DataError(
            f"{name}:1: the first line has the {kind} {shown(field)} for {numbers[-1]}, and it is not said whether it "
            "is a header; set dataset.header: false to read it as a rating, or true if it names the columns"
        )


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
                f"{name}: has no column {column!r} for {role}; its columns are {shown(', '.join(fields))}: "
                "set dataset.columns (rating: null where there are none) and dataset.separator"
            )
        else:
            positions[role] = fields.index(column)
    if len(set(positions.values())) != len(positions):
        raise ConfigError(f"dataset.columns: {configured} names a column twice; expected a column for each")
    return positions
