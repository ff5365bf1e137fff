"""CSV, TSV and similar text -> a frame of ratings."""

import csv
import math
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.columns import ID_ROLES, IdColumn, Rows, checked_frame
from tasks.core.data.readers.text import Seen, Text, head, stream
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import StoredFile

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 1 << 18  # rows parsed at a time: as many as pandas parses at once


def changed_while_read(path: Path) -> DataError:
    return DataError(f"{path}: changed while it was used; run the same command again")


def read_delimited(text: Text, columns: Columns, located: StoredFile) -> "pd.DataFrame":
    seen = Seen()
    try:
        frame = _parse(text, columns, seen)
    except (DataError, ConfigError):
        if text.digest() != located.sha256:
            raise changed_while_read(text.path) from None
        raise
    if seen.hasher.hexdigest() != located.sha256:
        raise changed_while_read(text.path)
    return frame


def _parse(text: Text, columns: Columns, seen: Seen) -> "pd.DataFrame":
    import pandas as pd

    with text.blocks() as blocks:
        line, more = head(blocks)
    if not (more or line.strip()):
        raise DataError(f"{text.name}: empty; expected a line for each rating")
    wanted = {role: column for role, column in columns.model_dump().items() if column is not None}
    try:
        fields = next(csv.reader([line.decode("utf-8", "replace").lstrip("\ufeff")], delimiter=text.character))
    except csv.Error as error:
        raise DataError(f"{text.name}:1: {error}; expected columns with {text.character!r} between them") from None
    positions = column_positions(wanted, fields, text.name, header=text.header)
    if text.header and not more:
        raise DataError(f"{text.name}: a header and no ratings; expected a line for each rating")
    types: dict[Hashable, Any] = {at: "category" if role in ID_ROLES else "float64" for role, at in positions.items()}
    blank: Any = {at: [""] for role, at in positions.items() if role in ID_ROLES}
    rows = {role: IdColumn() if role in ID_ROLES else Rows(np.float64) for role in positions}
    try:
        with (
            text.blocks(seen) as blocks,
            pd.read_csv(
                stream(blocks),
                sep=text.character,
                header=None,
                skiprows=1 if text.header else 0,
                usecols=list(types),
                dtype=types,
                keep_default_na=False,
                na_values=blank,
                encoding="utf-8-sig",
                chunksize=_ROWS,
            ) as parts,
        ):
            for part in parts:
                for role, at in positions.items():
                    rows[role].take(part[at])
            for _ in blocks:  # what the parser left: its bytes count too
                pass
    except (ValueError, pd.errors.ParserError) as error:  # UnicodeDecodeError is a ValueError
        raise _blame(text, positions, str(error)) from None
    found = {role: rows[role].column() for role in positions}
    # the fast parser passes over surplus columns: as many separators as lines of equal length have is no such line
    if seen.separators != (len(found["user"]) + text.header) * (len(fields) - 1):
        _refuse_unequal_lines(text)
    return checked_frame(found, lambda reason: _blame(text, positions, reason))


def column_positions(wanted: dict[str, Any], fields: list[str], name: str, *, header: bool) -> dict[str, int]:
    """Each role's column, by position."""
    positions = {}
    for role, column in wanted.items():
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
        raise ConfigError(f"dataset.columns: {wanted} names a column twice; expected a column for each")
    return positions


def _blame(text: Text, positions: dict[str, int], reason: str) -> DataError:
    """Read again, slowly, for the first line that is wrong and what is wrong with it."""
    name = text.name
    if line := _not_utf8(text):
        return DataError(f"{name}:{line}: not UTF-8 text; save the file as UTF-8")
    try:
        with text.rows() as lines:
            for number, fields in _numbered(lines, header=text.header):
                for role, at in positions.items():
                    found = fields[at].strip() if at < len(fields) else None
                    if found is None:
                        return DataError(f"{name}:{number}: {len(fields)} columns; {role} is column {at} (from 0)")
                    if role in ID_ROLES:
                        if not found:
                            return DataError(f"{name}:{number}: the {role} id is empty; expected a number or a text")
                    elif not _is_finite(found):
                        return DataError(f"{name}:{number}: the {role} is {found!r}; expected a finite number")
    except csv.Error as error:
        return DataError(f"{name}: {error}")
    return DataError(f"{name}: {reason.strip()}; expected lines of equal form")


def _not_utf8(text: Text) -> int:
    """The first line that is no UTF-8, from 1; 0 where all are."""
    with text.blocks() as blocks:
        for number, line in enumerate(stream(blocks), start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _refuse_unequal_lines(text: Text) -> None:
    """Read again, slowly: a separator may stand within quotes, which is no fault."""
    expected = None
    try:
        with text.rows() as lines:
            for number, fields in _numbered(lines, header=False):
                expected = expected or len(fields)
                if len(fields) != expected:
                    raise DataError(
                        f"{text.name}:{number}: {len(fields)} columns, but the first line has {expected}; expected "
                        "lines of equal form: quote what holds a separator, or set dataset.separator"
                    )
    except csv.Error as error:
        raise DataError(f"{text.name}: {error}") from None


def _numbered(lines: Any, *, header: bool) -> Iterator[tuple[int, list[str]]]:
    for index, fields in enumerate(lines):
        if fields and not (header and index == 0):
            yield lines.line_num, fields


def _is_finite(text: str) -> bool:
    try:
        return text.isascii() and "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False
