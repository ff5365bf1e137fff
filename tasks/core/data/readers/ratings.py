"""Ratings files -> one frame of users, items, ratings, timestamps."""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.config.dataset import Columns, DatasetConfig
from tasks.core.data.catalogue import CatalogueEntry, entry
from tasks.core.data.readers.archives import blocks_of, member_sha256
from tasks.core.data.readers.columns import is_canonical_integer
from tasks.core.data.readers.delimited import changed_while_read, read_delimited
from tasks.core.data.readers.parquet import read_parquet
from tasks.core.data.readers.text import Text
from tasks.core.data.readers.user_lists import read_user_lists
from tasks.core.data.synthetic import titles
from tasks.core.errors import DataError
from tasks.core.files import StoredFile
from tasks.core.types import RawId

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ratings:
    """What a data set holds.

    frame : columns `user`, `item` (categorical, categories are raw ids), `rating` (float64) and
        `timestamp` (float64); the last two only where the file has them. Rows in the file's order.
    titles : raw item id -> title; empty where the data set has none.
    """

    frame: "pd.DataFrame"
    titles: dict[RawId, str]


def read_ratings(config: DatasetConfig, located: StoredFile) -> Ratings:
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
    frame = read_delimited(text, member.columns, located)
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
    return {int(row[0]) if is_canonical_integer(row[0]) else row[0]: row[1] for row in found}


def _comma_separated(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""))


def _separated(text: str, separator: str) -> Iterator[list[str]]:
    return (line.rstrip("\r").split(separator) for line in text.split("\n"))


def _read_own(path: Path, config: DatasetConfig, located: StoredFile) -> "pd.DataFrame":
    columns = config.columns or Columns()
    if config.layout == "lists":
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != located.sha256:
            raise changed_while_read(path)
        return read_user_lists(data, path.name, config.separator)
    if path.suffix in {".parquet", ".pq"}:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != located.sha256:
                raise changed_while_read(path)
            return read_parquet(file, path.name, columns)
    separator = config.separator or ("\t" if path.suffix in {".tsv", ".tab"} else ",")
    header = True if config.header is None else config.header
    return read_delimited(Text(path, path.name, separator, header), columns, located)
