"""Ratings files -> one frame of users, items, ratings, timestamps.

Ids are kept as they stand in the file (`007` is not `7`): as integers where every one of them is written
as an integer is, else as text.
"""

import csv
import hashlib
import io
import lzma
import math
import re
import zipfile
import zlib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.catalogue import CatalogueEntry, Member, entry
from tasks.core.config import Columns, DatasetConfig
from tasks.core.errors import ConfigError, DataError
from tasks.core.fetch import OnBytes, fetch
from tasks.core.store import StoredFile, file_sha256, home, replacing
from tasks.core.synthetic import titles, write_ratings

if TYPE_CHECKING:
    import pandas as pd

RawId = int | str


@dataclass(frozen=True)
class Ratings:
    """What a data set holds.

    frame : columns `user`, `item` (categorical, categories are raw ids), `rating` (float64) and
        `timestamp` (float64); the last two only where the file has them. Rows in the file's order.
    titles : raw item id -> title; empty where the data set has none.
    """

    frame: "pd.DataFrame"
    titles: dict[RawId, str]


def locate(config: DatasetConfig, *, on_bytes: OnBytes | None = None) -> StoredFile:
    """The file or directory of the data set on this machine: made, downloaded, or the copy that `path` names.

    The digest is that of the ratings' bytes; for a catalogued data set it, or its archive's, is the pinned one.

    Raises
    ------
    ConfigError
        An unknown data set.
    DataError
        A path that is not there, bytes that are not those published, a failed download.
    """
    if config.name == "file":
        path = Path(str(config.path)).expanduser().absolute()
        if not path.is_file():
            raise DataError(f"dataset.path: {path} is not a file; expected a CSV, TSV or Parquet file of ratings")
        return StoredFile(str(path), _digest_of(path))
    known = entry(config.name)
    if config.path is not None:
        path = Path(config.path).expanduser().absolute()
        if not path.exists():
            raise DataError(f"dataset.path: {path} does not exist; remove the key to have the data set downloaded")
    elif known.archive:
        path = fetch(known.archive, home() / "datasets", on_bytes=on_bytes)
    else:
        path = home() / "datasets" / known.ratings.member
        if not path.exists() or file_sha256(path) != known.ratings.sha256:
            with replacing(path) as temporary:
                write_ratings(temporary, known.seed or 0)
    return StoredFile(str(path), _sha256(_member(path, known.ratings)))


def read(config: DatasetConfig, located: StoredFile) -> Ratings:
    """The ratings at a located path, whole.

    Raises
    ------
    DataError
        Naming file, line, what was found and what was expected: a missing column, a text where a number
        belongs, a rating that is not finite, an empty file; or the file is no longer the one located.
    """
    path = Path(located.path)
    if config.name == "file":
        return Ratings(_read_own(path, config, located), {})
    known = entry(config.name)
    data = _member(path, known.ratings)
    if _sha256(data) != located.sha256:
        raise DataError(f"{path}: changed while it was used; run the same command again")
    name = f"{path.name}/{known.ratings.member}"
    frame = _read_text(data, name, known.ratings.columns, separator=known.ratings.separator, header=False)
    if len(frame) != known.rows:
        raise DataError(f"{name}: {len(frame):,} ratings but {known.rows:,} were published; use a whole copy")
    return Ratings(frame, _titles(path, known))


def _titles(path: Path, known: CatalogueEntry) -> dict[RawId, str]:
    if known.seed is not None:
        return dict(enumerate(titles(), start=1))
    if known.titles is None:
        return {}
    name = f"{path.name}/{known.titles.member}"
    try:
        lines = _member(path, known.titles).decode(known.titles.encoding).split("\n")
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{name}: not {known.titles.encoding} text: {error}") from None
    rows = (line.rstrip("\r").split(known.titles.separator) for line in lines)
    return {int(row[0]) if _is_canonical_integer(row[0]) else row[0]: row[1] for row in rows if len(row) > 1}


def _member(path: Path, member: Member) -> bytes:
    """A member's bytes, from a zip by its name or from a directory, checked against its pins."""
    try:
        if path.is_dir():
            # with or without the archive's own top folder
            candidates = [path / member.member, path / Path(member.member).name]
            file = next((candidate for candidate in candidates if candidate.is_file()), None)
            if file is None:
                raise DataError(f"{path}: has no {Path(member.member).name}; expected the unpacked archive's folder")
            data = file.read_bytes()
        elif zipfile.is_zipfile(path):
            data = _from_zip(path, member)
        elif path.name == Path(member.member).name:
            data = path.read_bytes()
        else:
            raise DataError(f"{path}: neither a directory nor a zip; expected one that holds {member.member}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if member.sha256 and _sha256(data) != member.sha256:
        raise DataError(
            f"{path}: {Path(member.member).name} has sha256 {_sha256(data)[:12]}… ({len(data):,} bytes) but "
            f"{member.sha256[:12]}… was published; it is truncated or altered: use another copy, "
            "or `name: file` for data of your own"
        )
    return data


def _from_zip(path: Path, member: Member) -> bytes:
    """Read one member without extracting anything, and never more than it may be."""
    limit = member.bytes or 2**31
    try:
        with zipfile.ZipFile(path) as archive:
            named = [info for info in archive.infolist() if info.filename == member.member]
            if len(named) != 1:
                raise DataError(f"{path}: holds {member.member} {len(named)} times; expected once")
            if named[0].file_size > limit or (member.bytes and named[0].file_size != member.bytes):
                raise DataError(
                    f"{path}: {member.member} claims {named[0].file_size:,} bytes; expected {limit:,}; use another copy"
                )
            with archive.open(named[0]) as file:
                data = file.read(limit + 1)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path}: damaged zip ({error}); use another copy") from None
    if len(data) > limit:
        raise DataError(f"{path}: {member.member} is larger than the {limit:,} bytes expected; use another copy")
    return data


def _read_own(path: Path, config: DatasetConfig, located: StoredFile) -> "pd.DataFrame":
    data = path.read_bytes()
    if _sha256(data) != located.sha256:
        raise DataError(f"{path}: changed while it was used; run the same command again")
    if config.layout == "lists":
        return _read_lists(data, path.name, config.separator)
    columns = config.columns or Columns()
    if path.suffix in {".parquet", ".pq"}:
        return _read_parquet(data, path.name, columns)
    separator = config.separator or ("\t" if path.suffix in {".tsv", ".tab"} else ",")
    header = True if config.header is None else config.header
    return _read_text(data, path.name, columns, separator=separator, header=header)


def _read_lists(data: bytes, name: str, separator: str | None) -> "pd.DataFrame":
    """A line a user: the user, then items. A user without items is a user without interactions."""
    import pandas as pd

    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        at = data[: error.start].count(b"\n") + 1
        raise DataError(f"{name}:{at}: not UTF-8 text; save the file as UTF-8") from None
    users: list[str] = []
    items: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        user, *listed = line.split(separator)
        if not (user.strip() and all(map(str.strip, listed))):
            raise DataError(f"{name}:{number}: an id is empty; expected `user item item ...`")
        users += [user] * len(listed)
        items += listed
    if not users:
        raise DataError(f"{name}: no interactions; expected a line a user: `user item item ...`")
    frame = pd.DataFrame({"user": pd.Categorical(users), "item": pd.Categorical(items)})
    return _checked(frame, lambda reason: DataError(f"{name}: {reason}"))


def _read_text(data: bytes, name: str, columns: Columns, *, separator: str, header: bool) -> "pd.DataFrame":
    import pandas as pd

    wanted = {role: column for role, column in columns.model_dump().items() if column is not None}
    if len(separator) > 1:  # pandas' fast parser takes one character
        data = data.replace(separator.encode(), b"\x1f")
        separator = "\x1f"
    if not data.strip():
        raise DataError(f"{name}: empty; expected a line for each rating")
    line, *rest = re.split(rb"\r\n?|\n", data, maxsplit=1)
    try:
        fields = next(csv.reader([line.decode("utf-8", "replace").lstrip("\ufeff")], delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{name}:1: {error}; expected columns with {separator!r} between them") from None
    positions = _positions(wanted, fields, name, header=header)
    if header and not b"".join(rest).strip():
        raise DataError(f"{name}: a header and no ratings; expected a line for each rating")
    types: dict[Hashable, Any] = {
        at: "category" if role in {"user", "item"} else "float64" for role, at in positions.items()
    }
    blank: Any = {at: [""] for role, at in positions.items() if role in {"user", "item"}}
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=separator,
            header=None,
            skiprows=1 if header else 0,
            usecols=list(types),
            dtype=types,
            keep_default_na=False,
            na_values=blank,
            encoding="utf-8-sig",
        )
    except (ValueError, pd.errors.ParserError) as error:  # UnicodeDecodeError is a ValueError
        raise _blame(data, name, positions, separator, header, str(error)) from None
    # the fast parser passes over surplus columns: as many separators as lines of equal length have is no such line
    if data.count(separator.encode()) != (len(frame) + header) * (len(fields) - 1):
        _refuse_unequal_lines(data, name, separator)
    frame = frame.rename(columns={at: role for role, at in positions.items()})[list(positions)]
    return _checked(frame, lambda reason: _blame(data, name, positions, separator, header, reason))


def _positions(wanted: dict[str, Any], fields: list[str], name: str, *, header: bool) -> dict[str, int]:
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


def _read_parquet(data: bytes, name: str, columns: Columns) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = {role: column for role, column in columns.model_dump().items() if column is not None}
    try:
        names = pq.read_schema(pa.BufferReader(data)).names
        positions = _positions(wanted, names, name, header=True)
        frame = pq.read_table(pa.BufferReader(data), columns=[names[at] for at in positions.values()]).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not readable as Parquet: {error}") from None
    frame.columns = pd.Index(list(positions))
    for role in positions:
        try:
            column = frame[role]
            if role in {"user", "item"}:
                text = column.astype(object).astype(str)
                frame[role] = text.where(column.notna()).astype("category")
            else:
                frame[role] = column.astype("float64")
        except (ValueError, TypeError) as error:
            raise DataError(f"{name}: column {names[positions[role]]!r} for {role}: {error}") from None
    if frame.empty:
        raise DataError(f"{name}: no rows; expected a row for each rating")
    return _checked(frame, lambda reason: DataError(f"{name}: {reason}"))


def _checked(frame: "pd.DataFrame", blame: Any) -> "pd.DataFrame":
    """The frame, once every id is there and every rating is finite; ids as integers where they are written so."""
    import numpy as np

    for role in ("user", "item"):
        categories = frame[role].cat.categories
        blank = [code for code, raw in enumerate(categories) if not raw.strip()]
        absent = frame[role].cat.codes.isin([-1, *blank]).to_numpy()
        if absent.any():
            raise blame(f"no {role} id in row {int(np.flatnonzero(absent)[0]) + 1}")
        if all(_is_canonical_integer(raw) for raw in categories):
            frame[role] = frame[role].cat.rename_categories([int(raw) for raw in categories])
    for role in ("rating", "timestamp"):
        if role in frame and not np.isfinite(frame[role].to_numpy()).all():
            row = int(np.flatnonzero(~np.isfinite(frame[role].to_numpy()))[0])
            raise blame(f"the {role} in row {row + 1} is {frame[role].iloc[row]}; expected a finite number")
    return frame


def _is_canonical_integer(raw: str) -> bool:
    digits = raw.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(raw)) == raw


def _blame(data: bytes, name: str, positions: dict[str, int], separator: str, header: bool, reason: str) -> DataError:
    """Read again, slowly, for the first line that is wrong and what is wrong with it."""
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator)
        for number, fields in _numbered(lines, header=header):
            for role, at in positions.items():
                found = fields[at].strip() if at < len(fields) else None
                if found is None:
                    return DataError(f"{name}:{number}: {len(fields)} columns; {role} is column {at} (from 0)")
                if role in {"user", "item"}:
                    if not found:
                        return DataError(f"{name}:{number}: the {role} id is empty; expected a number or a text")
                elif not _is_finite(found):
                    return DataError(f"{name}:{number}: the {role} is {found!r}; expected a finite number")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return DataError(f"{name}:{line}: not UTF-8 text; save the file as UTF-8")
    except csv.Error as error:
        return DataError(f"{name}: {error}")
    return DataError(f"{name}: {reason.strip()}; expected lines of equal form")


def _refuse_unequal_lines(data: bytes, name: str, separator: str) -> None:
    """Read again, slowly: a separator may stand within quotes, which is no fault."""
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator)
    expected = None
    try:
        for number, fields in _numbered(reader, header=False):
            expected = expected or len(fields)
            if len(fields) != expected:
                raise DataError(
                    f"{name}:{number}: {len(fields)} columns, but the first line has {expected}; expected lines of "
                    "equal form: quote what holds a separator, or set dataset.separator"
                )
    except csv.Error as error:
        raise DataError(f"{name}: {error}") from None


def _numbered(lines: Any, *, header: bool) -> Iterator[tuple[int, list[str]]]:
    for index, fields in enumerate(lines):
        if fields and not (header and index == 0):
            yield lines.line_num, fields


def _is_finite(text: str) -> bool:
    try:
        return "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def _digest_of(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
