"""Ratings files -> one frame of users, items, ratings, timestamps.

Text is read block by block, and little is kept of a block: memory is that of the frame. Ids are kept as they stand in
the file (`007` is not `7`): as integers where every one of them is written as an integer is, else as text.
"""

import csv
import hashlib
import io
import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.catalogue import CatalogueEntry, entry
from tasks.core.config import Columns, DatasetConfig
from tasks.core.errors import ConfigError, DataError
from tasks.core.fetch import OnBytes, fetch
from tasks.core.store import StoredFile, file_digest, file_sha256, home, replacing
from tasks.core.streams import Seen, Text, blocks_of, head, member_sha256, stream
from tasks.core.synthetic import titles, write_ratings

if TYPE_CHECKING:
    import pandas as pd

RawId = int | str

_IDS = ("user", "item")
_ROWS = 1 << 18  # rows parsed at a time: as many as pandas parses at once


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

    The digest is that of the ratings' bytes; for a catalogued data set it, or its archive's, is the pinned one. Where
    the archive alone is pinned, nothing vouches for a folder but its number of ratings.

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
        _check_archive(path, known)
    elif known.archive:
        path = fetch(known.archive, home() / "datasets", on_bytes=on_bytes)
    else:
        path = home() / "datasets" / known.ratings.member
        if not path.exists() or file_sha256(path) != known.ratings.sha256:
            with replacing(path) as temporary:
                write_ratings(temporary, known.seed or 0)
    return StoredFile(str(path), member_sha256(path, known.ratings))


def _check_archive(path: Path, known: CatalogueEntry) -> None:
    """Refuse a zip that is not the published one, where no digest of what is in it is known."""
    if known.archive and not known.ratings.sha256 and path.suffix == ".zip" and path.is_file():
        algorithm, expected = known.archive.pin
        found = file_digest(path, algorithm)
        if found != expected:
            raise DataError(
                f"{path}: its {algorithm} is {found[:12]}… but {expected[:12]}… was published; it is truncated, "
                "altered or packed anew: use another copy, or the folder that it unpacks to"
            )


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
    member = known.ratings
    text = Text(path, f"{path.name}/{member.member}", member.separator, member.header, member)
    frame = _read_text(text, member.columns, located)
    if len(frame) != known.rows:
        raise DataError(f"{text.name}: {len(frame):,} ratings but {known.rows:,} were published; use a whole copy")
    return Ratings(frame, _titles(path, known))


def _titles(path: Path, known: CatalogueEntry) -> dict[RawId, str]:
    if known.seed is not None:
        return dict(enumerate(titles(), start=1))
    if known.titles is None:
        return {}
    member = known.titles
    name = f"{path.name}/{member.member}"
    member_sha256(path, member)
    with blocks_of(path, member) as blocks:
        data = b"".join(blocks)
    try:
        text = data.decode(member.encoding)
        rows = list(_comma_separated(text) if member.separator == "," else _separated(text, member.separator))
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{name}: not {member.encoding} text: {error}") from None
    except csv.Error as error:
        raise DataError(f"{name}: {error}") from None
    found = (row for row in rows[member.header :] if len(row) > 1)
    return {int(row[0]) if _is_canonical_integer(row[0]) else row[0]: row[1] for row in found}


def _comma_separated(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""))


def _separated(text: str, separator: str) -> Iterator[list[str]]:
    return (line.rstrip("\r").split(separator) for line in text.split("\n"))


def _read_own(path: Path, config: DatasetConfig, located: StoredFile) -> "pd.DataFrame":
    columns = config.columns or Columns()
    if config.layout == "lists":
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != located.sha256:
            raise _changed(path)
        return _read_lists(data, path.name, config.separator)
    if path.suffix in {".parquet", ".pq"}:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != located.sha256:
                raise _changed(path)
            return _read_parquet(file, path.name, columns)
    separator = config.separator or ("\t" if path.suffix in {".tsv", ".tab"} else ",")
    header = True if config.header is None else config.header
    return _read_text(Text(path, path.name, separator, header), columns, located)


def _changed(path: Path) -> DataError:
    return DataError(f"{path}: changed while it was used; run the same command again")


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
    columns = {"user": pd.Categorical(users), "item": pd.Categorical(items)}
    return _checked(columns, lambda reason: DataError(f"{name}: {reason}"))


class _Rows:
    """A column whose rows come in parts: one array that grows, for parts and their whole would be twice the memory."""

    def __init__(self, dtype: type) -> None:
        self._rows: npt.NDArray[Any] = np.empty(0, dtype=dtype)
        self._used = 0

    def take(self, part: "pd.Series[Any]") -> None:
        """Add rows."""
        self._add(part.to_numpy())

    def _add(self, part: npt.NDArray[Any]) -> None:
        end = self._used + len(part)
        if end > len(self._rows):
            self._rows.resize(max(end, self._used * 9 // 8), refcheck=False)
        self._rows[self._used : end] = part
        self._used = end

    def column(self) -> Any:
        """All rows, (n,); none can be added any more."""
        self._rows.resize(self._used, refcheck=False)
        return self._rows


class _Ids(_Rows):
    """A column of ids as codes of the texts that they are, whatever codes its parts come with."""

    def __init__(self) -> None:
        super().__init__(np.int32)
        self._places: dict[str, int] = {}

    def take(self, part: "pd.Series[Any]") -> None:
        """Add rows of a categorical part."""
        self.take_coded(part.cat.codes.to_numpy(), part.cat.categories)

    def take_coded(self, codes: npt.NDArray[Any], texts: Iterable[str | None]) -> None:
        """Add rows; a code of -1, and one whose text is None, is no id."""
        places = self._places
        of_code = [-1 if text is None else places.setdefault(text, len(places)) for text in texts]
        self._add(np.array([*of_code, -1], dtype=np.int32)[codes])

    def column(self) -> Any:
        """All rows, categorical."""
        import pandas as pd

        return pd.Categorical.from_codes(super().column(), pd.Index(list(self._places), dtype=object))


def _read_text(text: Text, columns: Columns, located: StoredFile) -> "pd.DataFrame":
    seen = Seen()
    try:
        frame = _parse(text, columns, seen)
    except (DataError, ConfigError):
        if text.digest() != located.sha256:
            raise _changed(text.path) from None
        raise
    if seen.hasher.hexdigest() != located.sha256:
        raise _changed(text.path)
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
    positions = _positions(wanted, fields, text.name, header=text.header)
    if text.header and not more:
        raise DataError(f"{text.name}: a header and no ratings; expected a line for each rating")
    types: dict[Hashable, Any] = {at: "category" if role in _IDS else "float64" for role, at in positions.items()}
    blank: Any = {at: [""] for role, at in positions.items() if role in _IDS}
    rows = {role: _Ids() if role in _IDS else _Rows(np.float64) for role in positions}
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
    return _checked(found, lambda reason: _blame(text, positions, reason))


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


def _read_parquet(file: Any, name: str, columns: Columns) -> "pd.DataFrame":
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = {role: column for role, column in columns.model_dump().items() if column is not None}
    found: dict[str, Any] = {}
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        positions = _positions(wanted, names, name, header=True)
        if table.metadata.num_rows == 0:
            raise DataError(f"{name}: no rows; expected a row for each rating")
        for role, at in positions.items():
            column = table.read(columns=[names[at]]).column(0)
            try:
                found[role] = _id_column(column) if role in _IDS else column.to_pandas().astype("float64").to_numpy()
            except (ValueError, TypeError) as error:
                raise DataError(f"{name}: column {names[at]!r} for {role}: {error}") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not readable as Parquet: {error}") from None
    return _checked(found, lambda reason: DataError(f"{name}: {reason}"))


def _id_column(column: Any) -> Any:
    """An Arrow column as ids: each different value becomes text once."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    ids = _Ids()
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


def _checked(columns: dict[str, Any], blame: Any) -> "pd.DataFrame":
    """The frame, once every id is there and every rating is finite; ids as integers where they are written so."""
    import pandas as pd

    for role in _IDS:
        texts, codes = columns[role].categories, columns[role].codes
        no_id = np.array([*(not text.strip() for text in texts), True])  # the last is that of code -1
        if no_id[:-1].any() or codes.min() < 0:
            absent = np.flatnonzero(no_id[codes])
            if len(absent):
                raise blame(f"no {role} id in row {int(absent[0]) + 1}")
        if all(_is_canonical_integer(text) for text in texts):
            columns[role] = pd.Categorical.from_codes(codes, pd.Index([int(text) for text in texts]))
    for role in ("rating", "timestamp"):
        if role in columns and not (finite := np.isfinite(columns[role])).all():
            row = int(np.flatnonzero(~finite)[0])
            raise blame(f"the {role} in row {row + 1} is {columns[role][row]}; expected a finite number")
    return pd.DataFrame(columns, copy=False)  # nothing of which is held twice


def _is_canonical_integer(raw: str) -> bool:
    digits = raw.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(raw)) == raw


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
                    if role in _IDS:
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


def _digest_of(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
