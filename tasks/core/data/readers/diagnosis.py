"""A delimited text that is read again, line by line, to find its first fault."""

import csv
import math
from collections.abc import Iterator

from tasks.core.data.readers.columns import ID_ROLES
from tasks.core.data.readers.streams import as_file
from tasks.core.data.readers.text import DelimitedText
from tasks.core.data.timestamps import ISO_8601, is_iso
from tasks.core.errors import DataError
from tasks.core.formatting import shown

_ON_QUOTES = (
    "if quotes are part of the text, set dataset.quote: none; else write a quote within a quoted field twice, and "
    "close each quoted field"
)


def find_fault(
    text: DelimitedText, positions: dict[str, int], n_columns: int, *, iso_times: bool = False
) -> DataError | None:
    """Return the error for the first line that cannot be read as a rating.

    Parameters
    ----------
    text : DelimitedText
        The text.
    positions : dict of str to int
        See `tasks.core.data.readers.delimited.column_positions`.
    n_columns : int
        Of the first row.
    iso_times : bool
        Whether the first timestamp is a date or time of ISO 8601, as all others must be then. Otherwise all are
        numbers.

    Returns
    -------
    DataError or None
        The message names the line on which the row begins. None: every row is a rating.
    """
    name = text.name
    if line := _first_line_not_utf8(text):
        return DataError(f"{name}:{line}: not UTF-8 text; save the file as UTF-8")
    try:
        for begin, end, fields in _rows(text):
            if reason := _fault_of(
                fields, positions, n_columns, text.parsed_separator, begin, end, iso_times=iso_times
            ):
                return DataError(f"{name}:{begin}: {reason}")
    except DataError as error:
        return error
    return None


def quoting_fault(name: str, begin: int, end: int) -> DataError:
    """Return the error for a row whose quoting is not well-formed.

    Parameters
    ----------
    name : str
        The file's.
    begin, end : int
        Its first line, and the line on which the fault shows.

    Returns
    -------
    DataError
    """
    at = "in this line" if begin == end else f"up to line {end}"
    return DataError(f"{name}:{begin}: a quoted field is not closed before a separator {at}: {_ON_QUOTES}")


def is_finite(text: str) -> bool:
    """Return whether pandas reads the text as a finite number: unlike Python, without underscores, in ASCII digits."""
    try:
        return text.isascii() and "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def _fault_of(
    fields: list[str],
    positions: dict[str, int],
    n_columns: int,
    separator: str,
    begin: int,
    end: int,
    *,
    iso_times: bool,
) -> str:
    for role, at in positions.items():
        if at >= len(fields):
            return f"{len(fields)} columns; {role} is column {at} (from 0)"
        value = fields[at].strip()
        if role == "timestamp" and iso_times:
            if not is_iso(value):
                return f"the timestamp is '{shown(value)}'; expected {ISO_8601}, as in the first row"
        elif role not in ID_ROLES:
            if not is_finite(value):
                otherwise = ", as in the first row" if is_iso(value) else f", or {ISO_8601}, in all rows"
                return f"the {role} is '{shown(value)}'; expected a finite number" + otherwise * (role == "timestamp")
        elif not value:
            return f"the {role} id is empty; expected a number or a text"
        elif _merges_lines(fields[at], separator):
            return f"the {role} id '{shown(fields[at])}' spans lines {begin} to {end}: {_ON_QUOTES}"
    if len(fields) != n_columns:
        return (
            f"{len(fields)} columns, but the first line has {n_columns}; expected lines of equal length: quote fields "
            "that contain a separator, or set dataset.separator"
        )
    return ""


def _rows(text: DelimitedText) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the first and last line of each row, from 1, and its fields, without blank lines and the header."""
    with text.rows() as rows:
        begin, header = 1, text.has_header
        try:
            for fields in rows:
                if fields and not header:
                    yield begin, rows.line_num, fields
                header = header and not fields
                begin = rows.line_num + 1
        except csv.Error as error:
            raise quoting_fault(text.name, begin, rows.line_num) from error


def _first_line_not_utf8(text: DelimitedText) -> int:
    """Return the number of the first line that is not UTF-8, from 1; 0 if there is none."""
    with text.blocks() as blocks:
        for number, line in enumerate(as_file(blocks), start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _merges_lines(raw_id: str, separator: str) -> bool:
    """Return whether an id spans lines that a stray quote may have merged.

    Each line of a file has a separator. Without one, quotes around several lines were written on purpose. A carriage
    return alone is refused too: the parsers would make another character of it.
    """
    spans_lines = "\n" in raw_id or "\r" in raw_id
    return spans_lines and (separator in raw_id or "\r" in raw_id.replace("\r\n", ""))
