"""What a ratings file contains: its format from its start, and counts of the whole file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.dataset import LISTS, DatasetConfig, scheme_of
from tasks.core.data.inspection.roles import KNOWN_NAMES, find_roles
from tasks.core.data.inspection.sample import read_sample
from tasks.core.data.inspection.scale import Scale, scale_of
from tasks.core.data.inspection.table import Table, table_of_parquet, table_of_text
from tasks.core.data.locate import locate
from tasks.core.data.readers.formats import is_parquet, recognise
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.timestamps import TimeSpan, time_span
from tasks.core.errors import DataError
from tasks.core.types import OnProgress

if TYPE_CHECKING:
    import pandas as pd

_STEPS = 4


@dataclass(frozen=True)
class Inspection:
    """What a ratings file contains.

    Attributes
    ----------
    path : str
        As it was given.
    format : str
        `parquet`, `pairs`, `lists` or `counted_lists`, see `tasks.core.data.inspection.table.Table`.
    encoding, separator, header, quoting
        See there.
    columns : dict of str to int or str
        `user`, `item` and, if the file has them, `rating` and `timestamp`: the name of the column, or its position
        from 0 if there is no header or the name stands twice. Empty for lists.
    columns_by_name : bool
        Whether the names of the columns say which are the users and the items.
    other_columns : list of str
        Names of the columns that are not used; without a header their positions.
    time_problem : str
        Why a column of times cannot be read; empty if it can, or if there is none.
    rows, users, items : int
        Of the whole file.
    repeated_pairs, repeated_rows : int
        Pairs of user and item that occur more than once, and their rows.
    scale : Scale or None
        None if the file has no ratings.
    times : TimeSpan or None
        None if the file has no timestamps.
    """

    path: str
    format: str
    encoding: str | None
    separator: str | None
    header: bool | None
    quoting: str | None
    columns: dict[str, int | str]
    columns_by_name: bool
    other_columns: list[str]
    time_problem: str
    rows: int
    users: int
    items: int
    repeated_pairs: int
    repeated_rows: int
    scale: Scale | None
    times: TimeSpan | None


def inspect_file(location: Path | str, *, on_step: OnProgress | None = None) -> Inspection:
    """Return what a ratings file contains.

    Parameters
    ----------
    location : Path or str
        The file, a folder of Parquet files, or the address of one in an object store, see
        `tasks.core.data.remote.fetch_remote`.
    on_step : OnProgress, optional
        Called with the number of steps that are done and of all steps. Reading takes most of the time.

    Returns
    -------
    Inspection

    Raises
    ------
    DataError
        If the file cannot be read as ratings; the message says what to do.
    """

    def done(step: int) -> None:
        if on_step:
            on_step(step, _STEPS)

    remote = locate(DatasetConfig(name="file", path=str(location))) if scheme_of(str(location)) else None
    path = Path(remote.path if remote else location)
    if not path.exists():
        raise DataError(
            f"{path}: is not a file; expected a CSV, TSV or Parquet file of ratings, or a folder of Parquet files"
        )
    if is_parquet(path):
        table = table_of_parquet(path)
    else:
        table = table_of_text(path, read_sample(path, recognise(path).compression), KNOWN_NAMES)
    columns: dict[str, int | str] = {}
    positions: dict[str, int | None] = {}
    by_name = counts = False
    if table.format not in LISTS:
        roles = find_roles(table, path.name)
        by_name, counts = roles.by_name, roles.counts
        positions = {role: getattr(roles, role) for role in ("user", "item", "rating", "timestamp")}
        columns = {role: _column(table, at) for role, at in positions.items() if at is not None}
    done(1)
    located = remote or locate(DatasetConfig(name="file", path=str(path)))
    done(2)
    time_problem = ""
    try:
        frame = read_ratings(dataset_config(path, table, columns), located).frame
    except DataError as error:
        if "timestamp" not in columns:
            raise
        del columns["timestamp"]
        time_problem = str(error)
        frame = read_ratings(dataset_config(path, table, columns), located).frame
    done(3)
    repeated_pairs, repeated_rows = _repeats(frame)
    scale = scale_of(frame["rating"].to_numpy(), named_as_counts=counts) if "rating" in frame else None
    done(4)
    return Inspection(
        path=str(location),
        format=table.format,
        encoding=table.encoding,
        separator=table.separator,
        header=table.header,
        quoting=table.quoting,
        columns=columns,
        columns_by_name=by_name,
        other_columns=[name for at, name in enumerate(table.names) if at not in positions.values()],
        time_problem=time_problem,
        rows=len(frame),
        users=len(frame["user"].cat.categories),
        items=len(frame["item"].cat.categories),
        repeated_pairs=repeated_pairs,
        repeated_rows=repeated_rows,
        scale=scale,
        times=time_span(frame["timestamp"].to_numpy()) if "timestamp" in frame else None,
    )


def quotes_can_be_text() -> bool:
    """Return whether a config can say that quotes are part of the text (`dataset.quote: none`)."""
    return "quote" in DatasetConfig.model_fields


def dataset_config(path: Path, table: Table, columns: dict[str, int | str]) -> DatasetConfig:
    """Return the section `dataset` with which a file is read.

    Parameters
    ----------
    path : Path
        The file.
    table : Table
        Its format.
    columns : dict of str to int or str
        See `Inspection`.

    Returns
    -------
    DatasetConfig
    """
    settings: dict[str, Any] = {"name": "file", "path": str(path)}
    if table.format in LISTS:
        settings["layout"] = table.format
    else:
        settings["columns"] = {"rating": None, **columns}
    if table.format == "pairs":
        settings |= {"separator": table.separator, "header": bool(table.header)}
        if table.quoting == "stray" and quotes_can_be_text():
            settings["quote"] = "none"
    return DatasetConfig.model_validate(settings)


def _column(table: Table, at: int) -> int | str:
    """Return how a config names a column: by its name if that is clear."""
    name = table.names[at]
    return name if table.header and name.strip() and table.names.count(name) == 1 else at


def _repeats(frame: "pd.DataFrame") -> tuple[int, int]:
    """Return how many pairs of user and item occur more than once, and how many rows these have."""
    users, items = (frame[side].cat.codes.to_numpy().astype(np.int64) for side in ("user", "item"))
    pairs = users * len(frame["item"].cat.categories) + items
    pairs.sort()
    counts = np.diff(np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1], [True]])))  # rows of each pair
    return int((counts > 1).sum()), int(counts[counts > 1].sum())
