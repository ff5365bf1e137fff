"""The columns of a text, parsed by pyarrow or, where their results may differ, by pandas.

pyarrow is several times faster. Earlier versions read all files by pandas, so its result is the one that counts.
"""

import csv
import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.core.data.readers.arrow_parser import parse_with_arrow
from tasks.core.data.readers.columns import (
    CHUNK_ROWS,
    ID_ROLES,
    ColumnBuilder,
    IdColumnBuilder,
    Rows,
    TimeColumnBuilder,
)
from tasks.core.data.readers.scan import Scan
from tasks.core.data.readers.streams import as_file
from tasks.core.data.readers.text import DelimitedText


@dataclass(frozen=True)
class Parsed:
    """The columns of a text.

    Attributes
    ----------
    rows : dict
        From `user`, `item`, `rating` and `timestamp` to a pandas Categorical of text (ids) or an array of float64.
    sha256 : str
        Of the file's bytes.
    is_unusual : bool
        Whether lines may have been merged or lost: there are quotes in unusual places, or the number of separators is
        not that of lines of equal length.
    """

    rows: Rows
    sha256: str
    is_unusual: bool


def parse(
    text: DelimitedText,
    positions: dict[str, int],
    *,
    skipped: tuple[int, int],
    n_columns: int,
    iso_times: bool = False,
) -> Parsed:
    """Return the columns of a text.

    Parameters
    ----------
    text : DelimitedText
        The text.
    positions : dict of str to int
        See `tasks.core.data.readers.delimited.column_positions`.
    skipped : (int, int)
        Number of rows and of lines before the first rating. A header may span lines.
    n_columns : int
        Of the first row.
    iso_times : bool
        Whether timestamps are dates or times of ISO 8601. Otherwise they are numbers.

    Returns
    -------
    Parsed

    Raises
    ------
    DataError
        See `DelimitedText.blocks`.
    ValueError
        If the text cannot be parsed. The message does not name the line.
    """
    scan = Scan()
    try:
        rows = parse_with_arrow(text, positions, skipped[1], n_columns, scan, iso_times=iso_times)
        return Parsed(rows, scan.hasher.hexdigest(), text.has_quotes and scan.has_unusual_quotes)
    except (ValueError, OSError):
        scan = Scan()
        rows = parse_with_pandas(text, positions, skipped[0], scan, iso_times=iso_times)
    n_rows = len(rows["user"]) + text.has_header
    has_other_lengths = scan.separators != n_rows * (n_columns - 1)  # or separators within quotes
    return Parsed(rows, scan.hasher.hexdigest(), has_other_lengths or (text.has_quotes and scan.has_unusual_quotes))


def parse_with_pandas(
    text: DelimitedText, positions: dict[str, int], n_skipped: int, scan: Scan, *, iso_times: bool = False
) -> Rows:
    """Return the columns of a text, in chunks, so that memory is that of the columns.

    Lines with surplus columns are accepted.

    Parameters
    ----------
    text : DelimitedText
        The text.
    positions : dict of str to int
        See `tasks.core.data.readers.delimited.column_positions`.
    n_skipped : int
        Number of rows before the first rating.
    scan : Scan
        Updated.
    iso_times : bool
        See `parse`.

    Returns
    -------
    dict
        See `Parsed`.

    Raises
    ------
    DataError
        See `DelimitedText.blocks`.
    ValueError
        If the text cannot be parsed. The message does not name the line.
    """
    import pandas as pd

    as_texts = (*ID_ROLES, "timestamp") if iso_times else ID_ROLES
    types: dict[Hashable, Any] = {at: "category" if role in as_texts else "float64" for role, at in positions.items()}
    # only an empty id is missing: `NA` and `null` are ids like any other
    missing: Any = {at: [""] for role, at in positions.items() if role in ID_ROLES}
    builders = {role: IdColumnBuilder() if role in ID_ROLES else ColumnBuilder(np.float64) for role in positions}
    if iso_times:
        builders["timestamp"] = TimeColumnBuilder()
    quoting: Any = csv.QUOTE_MINIMAL if text.has_quotes else csv.QUOTE_NONE
    with (
        text.blocks(scan) as blocks,
        pd.read_csv(
            as_file(_with_line_feeds(blocks)),
            sep=text.parsed_separator,
            header=None,
            skiprows=n_skipped,
            usecols=list(types),
            dtype=types,
            keep_default_na=False,
            na_values=missing,
            encoding="utf-8-sig",
            quoting=quoting,
            chunksize=CHUNK_ROWS,
        ) as chunks,
    ):
        for chunk in chunks:
            for role, at in positions.items():
                builders[role].append(chunk[at])
        for _ in blocks:  # bytes that the parser did not read belong to the digest too
            pass
    return {role: builder.finish() for role, builder in builders.items()}


def _with_line_feeds(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes with a line feed in place of each carriage return that none follows.

    pandas accepts carriage returns as line ends, but repeats rows, or makes empty ones, where a line after one begins
    with a blank.
    """
    rest = b""
    for block in blocks:
        text = rest + block
        rest = b"\r" if text.endswith(b"\r") else b""  # a line feed may follow
        text = text.removesuffix(b"\r")
        yield re.sub(rb"\r(?!\n)", b"\n", text) if b"\r" in text else text
    yield rest
