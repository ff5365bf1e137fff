"""Parquet files and folders, opened: their parts, and the columns that are read, checked before any row is."""

from pathlib import Path

from tasks.core.config.dataset import Columns
from tasks.core.data.readers.delimited import changed_while_read, column_positions
from tasks.core.data.readers.parquet.columns import plain_type
from tasks.core.data.readers.parquet.folder import folder_digest, local_files, partition_names
from tasks.core.data.readers.parquet.table import ParquetRatings, Part, file_state
from tasks.core.errors import DataError
from tasks.core.files import file_sha256
from tasks.core.formatting import shown


def open_ratings(path: Path, columns: Columns, sha256: str) -> ParquetRatings:
    """Return the ratings of a Parquet file or folder, without reading the rows.

    Parameters
    ----------
    path : Path
        The file or the folder.
    columns : Columns
        The columns to read. Dates and times of the timestamps, and texts of ISO 8601, become seconds since 1970, in
        UTC. Columns that stand in the names of folders (`year=2024`) come after those of the files; their values are
        texts.
    sha256 : str
        What the file or folder was located with.

    Returns
    -------
    ParquetRatings

    Raises
    ------
    ConfigError
        See `tasks.core.data.readers.delimited.column_positions`.
    DataError
        If a file is not Parquet or lacks a column, the files have a column in several types, or there are no rows.
    """
    files = _files(path)
    states = [file_state(file) for file in files]  # before the digest: what changes afterwards is noticed
    if (folder_digest(path) if path.is_dir() else file_sha256(path)) != sha256:
        raise changed_while_read(path)
    parts, partitions = _parts(path, files, states)
    names = _names(parts[0], columns, partitions)
    for part in parts:
        _check_columns(part, parts[0], names, partitions)
    rows = sum(part.rows for part in parts)
    if rows == 0:
        raise DataError(f"{path.name}: no rows; expected a row for each rating")
    return ParquetRatings(path.name, names, rows, tuple(part for part in parts if part.rows))


def first_rows(path: Path, count: int) -> tuple[list[str], list[list[str]]]:
    """Return the first rows of a Parquet file or folder as texts.

    Parameters
    ----------
    path : Path
        The file or the folder.
    count : int
        Most rows.

    Returns
    -------
    names : list of str
        Of the columns, those in the names of folders at the end.
    columns : list of list of str
        The texts of each column.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    files = _files(path)
    parts, partitions = _parts(path, files, [file_state(file) for file in files])
    part = next((part for part in parts if part.rows), parts[0])
    try:
        with pq.ParquetFile(part.path) as file:
            names = file.schema_arrow.names
            batch = next(file.iter_batches(batch_size=count), None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{part.name}: not readable as Parquet: {error}") from error
    columns = (
        [[str(value) for value in column.to_pylist()] for column in batch.columns] if batch else [[] for _ in names]
    )
    values = ds.get_partition_keys(part.fragment.partition_expression)
    constants = [[str(values.get(name))] * (batch.num_rows if batch else 0) for name in partitions]
    return [*names, *partitions], [*columns, *constants]


def _files(path: Path) -> list[Path]:
    return [path / file for file in local_files(path)] if path.is_dir() else [path]


def _parts(path: Path, files: list[Path], states: list[tuple[int, int]]) -> tuple[list[Part], list[str]]:
    """Return the files of a table, and the columns whose values stand in the names of folders."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    folder = path if path.is_dir() else path.parent
    names = [file.relative_to(folder).as_posix() for file in files]
    partitions = partition_names(names, str(path)) if path.is_dir() else []
    fields = pa.schema([(name, pa.string()) for name in partitions])
    data = ds.dataset(
        [str(file) for file in files],
        schema=pa.schema([]),  # else that of the first file is taken for all
        format="parquet",
        partitioning=ds.HivePartitioning(fields) if partitions else None,
        partition_base_dir=str(folder),
    )
    parts = []
    for file, name, state, fragment in zip(files, names, states, data.get_fragments(), strict=True):
        try:
            parts.append(Part(file, name, fragment, fragment.metadata.num_rows, state))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{name}: not readable as Parquet: {error}") from error
    return parts, partitions


def _names(part: Part, columns: Columns, partitions: list[str]) -> dict[str, str]:
    """Return the name of each column that is read, by the columns of the first file."""
    names = [*part.fragment.physical_schema.names, *partitions]
    return {role: names[at] for role, at in column_positions(columns, names, part.name, header=True).items()}


def _check_columns(part: Part, first: Part, names: dict[str, str], partitions: list[str]) -> None:
    """Refuse a part that lacks a column, has it twice, or has it in another type than the first part."""
    schema = part.fragment.physical_schema
    for role, name in names.items():
        count = schema.names.count(name) + partitions.count(name)
        if count == 0:
            raise DataError(
                f"{part.name}: has no column {shown(name)!r} for {role}, which {first.name} has; its columns are "
                f"{shown(', '.join(schema.names))}: expected files of one table; write it anew, or give the path of "
                "one file"
            )
        if count > 1:
            raise DataError(f"{part.name}: has the column {shown(name)!r} for {role} {count} times; expected it once")
        if name in partitions:
            continue
        kinds = [plain_type(each.fragment.physical_schema.field(name).type) for each in (first, part)]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"{part.name}: the column {shown(name)!r} for {role} is {kinds[1]}, but {kinds[0]} in {first.name}; "
                "expected files of one table; write it anew with one type"
            )
