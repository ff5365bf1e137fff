"""A located data set, read into one frame of users, items, ratings and timestamps.

The format follows from the catalogue or, for a file of one's own, from its content and the config. Ids stay as they
are written in the file (`007` is not `7`): integers if all ids of the column are written as integers, else text.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.config.dataset import LISTS, Columns, DatasetConfig
from tasks.core.data.catalogue import CatalogueEntry, catalogue_entry
from tasks.core.data.readers.archives import member_sha256, open_blocks
from tasks.core.data.readers.columns import is_canonical_integer
from tasks.core.data.readers.delimited import changed_while_read, read_delimited
from tasks.core.data.readers.formats import Format, is_parquet, recognise
from tasks.core.data.readers.parquet.opening import open_ratings
from tasks.core.data.readers.parquet.table import ParquetRatings
from tasks.core.data.readers.scan import Scan
from tasks.core.data.readers.streams import decompressed
from tasks.core.data.readers.text import DelimitedText
from tasks.core.data.readers.user_lists import read_user_lists
from tasks.core.data.synthetic import item_titles
from tasks.core.data.timestamps import mixed_units, with_order
from tasks.core.errors import DataError
from tasks.core.files import StoredFile
from tasks.core.types import RawId

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ratings:
    """The content of a data set.

    Attributes
    ----------
    frame : pd.DataFrame
        Columns `user` and `item` (categorical, the categories are raw ids), `rating` and `timestamp` (float64, only if
        the data set has them). The rows are in the file's order. With `order: time`, the timestamp is the number of
        the row from 1, or for a layout of lists, the position from 1 among the items of the user.
    titles : dict of raw id to str
        Of the items; empty if the data set has no titles.
    """

    frame: "pd.DataFrame"
    titles: dict[RawId, str]


def read_ratings(config: DatasetConfig, located: StoredFile) -> Ratings:
    """Return the ratings of a located data set.

    Parameters
    ----------
    config : DatasetConfig
        The data set that was located.
    located : StoredFile
        See `tasks.core.data.locate.locate`.

    Returns
    -------
    Ratings

    Raises
    ------
    ConfigError
        See `tasks.core.data.readers.delimited.column_positions`.
    DataError
        If the file is empty, is corrupt, lacks a column, has a missing id, a number that is not finite or timestamps
        of several units, or has changed since it was located. The message names the file and the line or row.
    """
    path = Path(located.path)
    if config.name == "file":
        frame = _read_own_file(path, config, located)
        return Ratings(with_order(frame, by_user=config.layout in LISTS) if config.order else frame, {})
    entry = catalogue_entry(config.name)
    member = entry.ratings
    text = DelimitedText(path, f"{path.name}/{member.member}", member.separator, member.header, member)
    frame = read_delimited(text, member.columns, located)
    if len(frame) != entry.rows:
        raise DataError(f"{text.name}: {len(frame):,} ratings but {entry.rows:,} were published; use a complete copy")
    _refuse_mixed_units(frame, text.name)
    return Ratings(frame, _read_titles(path, entry))


def parquet_ratings(config: DatasetConfig, located: StoredFile) -> ParquetRatings:
    """Return the ratings of a located Parquet file or folder, to be read batch by batch.

    Parameters
    ----------
    config : DatasetConfig
        The data set that was located, a file of one's own.
    located : StoredFile
        See `tasks.core.data.locate.locate`.

    Returns
    -------
    ParquetRatings

    Raises
    ------
    ConfigError, DataError
        See `tasks.core.data.readers.parquet.opening.open_ratings`.
    """
    path = Path(located.path)
    if config.layout in LISTS:
        kind = "a folder of Parquet files" if path.is_dir() else "a Parquet file"
        raise DataError(f"{path.name}: {kind}; `layout: {config.layout}` is for text")
    return open_ratings(path, config.columns or Columns(), located.sha256)


def _refuse_mixed_units(frame: "pd.DataFrame", name: str) -> None:
    if "timestamp" in frame and (problem := mixed_units(frame["timestamp"].to_numpy())):
        raise DataError(f"{name}: {problem}")


def _read_titles(path: Path, entry: CatalogueEntry) -> dict[RawId, str]:
    if entry.seed is not None:
        return dict(enumerate(item_titles(), start=1))
    if entry.titles is None:
        return {}
    member = entry.titles
    name = f"{path.name}/{member.member}"
    member_sha256(path, member)
    with open_blocks(path, member) as blocks:
        data = b"".join(blocks)
    try:
        text = data.decode(member.encoding)
        if member.separator == ",":
            rows = list(csv.reader(io.StringIO(text, newline="")))
        else:
            # str.splitlines would split at characters that occur in titles, and csv would take a quote as one
            rows = [line.rstrip("\r").split(member.separator) for line in text.split("\n")]
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{name}: not {member.encoding} text: {error}") from error
    except csv.Error as error:
        raise DataError(f"{name}: {error}") from error
    titles = (row[:2] for row in rows[member.header :] if len(row) > 1)
    return {int(raw_id) if is_canonical_integer(raw_id) else raw_id: title for raw_id, title in titles}


def _read_own_file(path: Path, config: DatasetConfig, located: StoredFile) -> "pd.DataFrame":
    columns = config.columns or Columns()
    if is_parquet(path):
        return parquet_ratings(config, located).frame()
    file_format = recognise(path)
    if config.layout in LISTS:
        return _read_lists(path, config, file_format, located)
    text = DelimitedText(
        path,
        path.name,
        config.separator or ("\t" if file_format.suffix in {".tsv", ".tab"} else ","),
        config.header,
        has_quotes=config.quote != "none",
        compression=file_format.compression,
    )
    frame = read_delimited(text, columns, located)
    _refuse_mixed_units(frame, path.name)
    return frame


def _read_lists(path: Path, config: DatasetConfig, file_format: Format, located: StoredFile) -> "pd.DataFrame":
    scan = Scan()
    with open_blocks(path, None) as blocks:
        data = b"".join(decompressed(scan.hash_blocks(blocks), file_format.compression, path.name))
    if scan.hasher.hexdigest() != located.sha256:
        raise changed_while_read(path)
    return read_user_lists(data, path.name, config.layout, config.separator)
