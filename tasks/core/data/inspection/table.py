"""Separator, header, quoting and columns of a ratings file, from its start."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.core.data.inspection.sample import Sample
from tasks.core.data.readers.parquet.opening import first_rows
from tasks.core.data.timestamps import is_iso
from tasks.core.errors import DataError
from tasks.core.formatting import shown

SAMPLE_ROWS = 5000
"""Number of rows that are looked at."""
_SEPARATORS = ("\t", ",", ";", "|", "::", " ")
_SHARE_OF_EQUAL_LINES = 0.99
"""Of the lines, that must have the same number of columns. A line that has another one is refused with its number when
the file is read."""
_LEAST_ROWS_OF_LINES = 0.5
"""Rows of a text, as a fraction of its lines. Fewer are a sign of a quote that is part of the text: it merges lines."""
_STAND_IN = "\x1f"  # for a separator of several characters: csv takes one only


@dataclass(frozen=True)
class Table:
    """The first rows of a ratings file.

    Attributes
    ----------
    format : str
        `parquet`, `pairs` (a text with a line for each rating), or `lists` or `counted_lists` (with a line for each
        user, see `tasks.core.data.readers.user_lists`).
    encoding : str or None
    separator : str or None
        None for Parquet and for lists, whose ids stand between white space.
    header : bool or None
        Whether the first line names the columns; None if that cannot be known, because all columns are text.
    quoting : str or None
        `none`, `fields` (some fields stand within quotes), or `stray` (quotes are part of the text: if they were taken
        for quoting, lines would be merged). None for Parquet and for lists.
    names : list of str
        Of the columns; without a header their positions from 0.
    columns : list of list of str
        Texts of each column.
    """

    format: str
    encoding: str | None
    separator: str | None
    header: bool | None
    quoting: str | None
    names: list[str]
    columns: list[list[str]]


def table_of_parquet(path: Path) -> Table:
    """Return the first rows of a Parquet file or folder.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    names, columns = first_rows(path, SAMPLE_ROWS)
    return Table("parquet", None, None, True, None, names, columns)


def table_of_text(path: Path, sample: Sample, known_names: Iterable[str]) -> Table:
    """Return the first rows of a text file.

    Parameters
    ----------
    path : Path
        The file, for messages.
    sample : Sample
        Its start.
    known_names : iterable of str
        Usual names of columns, in lower case without punctuation: a line with one of them is a header.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If no separator divides all lines into the same number of columns, nor is it a list of items for each user.
    """
    lines = sample.lines[:SAMPLE_ROWS]
    # csv.Sniffer knows no separator of two characters, and takes letters and colons of timestamps for separators
    found = [(width, separator) for separator in _SEPARATORS if (width := _width(lines, separator)) > 1]
    if not found:
        if _are_user_lists(lines):
            layout = "counted_lists" if _are_counted(lines) else "lists"
            return Table(layout, sample.encoding, None, False, None, [], [])
        raise DataError(
            f"{path.name}: neither tab nor , ; | :: or space divides its lines into columns; the first line is "
            f"{shown(lines[0])!r}; expected a column of users, one of items, and perhaps ratings and times"
        )
    width, separator = max(found, key=lambda pair: pair[0])
    rows, quoting = _rows_and_quoting(lines, separator)
    columns = [list(column) for column in zip(*(row for row in rows if len(row) == width), strict=True)]
    header = _has_header(columns, set(known_names))
    names = [column[0] for column in columns] if header else [str(position) for position in range(width)]
    if header:
        columns = [column[1:] for column in columns]
    return Table("pairs", sample.encoding, separator, header, quoting, names, columns)


def plain_name(name: str) -> str:
    """Return the name of a column in lower case without punctuation: `userid` for `user_id` and `userId:token`."""
    without_type = name.partition(":")[0]  # RecBole's atomic files have types behind the names
    return "".join(character for character in without_type.lower() if character.isalnum())


def are_numbers(texts: Iterable[str]) -> bool:
    """Return whether all texts are numbers; False if there are none."""
    try:
        return len([float(text) for text in texts]) > 0
    except ValueError:
        return False


def _split(lines: list[str], separator: str, *, quoted: bool) -> list[list[str]]:
    parsed = separator if len(separator) == 1 else _STAND_IN
    texts = lines if len(separator) == 1 else [line.replace(separator, _STAND_IN) for line in lines]
    return list(csv.reader(texts, delimiter=parsed, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE))


def _width(lines: list[str], separator: str) -> int:
    """Return the number of columns of (nearly) all lines, or 0 if they have different numbers."""
    widths = []
    for quoted in (True, False):
        try:
            rows = _split(lines, separator, quoted=quoted)
        except csv.Error:  # a field that is longer than csv allows
            continue
        (width, count), *_ = Counter(map(len, rows)).most_common(1)
        if count >= _SHARE_OF_EQUAL_LINES * len(rows) and len(rows) >= _LEAST_ROWS_OF_LINES * len(lines):
            widths.append(width)
    return max(widths, default=0)


def _rows_and_quoting(lines: list[str], separator: str) -> tuple[list[list[str]], str]:
    plain = _split(lines, separator, quoted=False)
    if not any('"' in line for line in lines):
        return plain, "none"
    try:
        quoted = _split(lines, separator, quoted=True)
    except csv.Error:  # a field that is longer than csv allows: it is several lines
        return plain, "stray"
    (_, equal), *_ = Counter(map(len, plain)).most_common(1)
    merges_lines = len(quoted) < len(lines) and equal >= _SHARE_OF_EQUAL_LINES * len(lines)
    return (plain, "stray") if merges_lines else (quoted, "fields")


def _has_header(columns: list[list[str]], known_names: set[str]) -> bool | None:
    """Return whether the first row of some columns names them; None if no column has numbers that would say so."""
    first = [column[0] for column in columns]
    if any(are_numbers([text]) or is_iso(text.strip()) for text in first):
        return False
    if any(plain_name(text) in known_names for text in first):
        return True
    return True if any(are_numbers(column[1:]) for column in columns) else None


def _are_user_lists(lines: list[str]) -> bool:
    """Return whether lines look like `user item item ...`, with different numbers of ids that are whole numbers."""
    tokens = [line.split() for line in lines]
    return len({len(ids) for ids in tokens}) > 1 and all(text.isdecimal() for ids in tokens for text in ids)


def _are_counted(lines: list[str]) -> bool:
    """Return whether the first number of every line is that of the numbers after it.

    If all first numbers are different, as in `1 5` and `2 5 6`, they may be users whose ids are the numbers of their
    items by chance.
    """
    tokens = [line.split() for line in lines if line.strip()]
    firsts = [ids[0] for ids in tokens]
    return len(set(firsts)) < len(firsts) and firsts == [str(len(ids) - 1) for ids in tokens]
