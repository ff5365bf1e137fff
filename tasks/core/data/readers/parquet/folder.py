"""Folders of Parquet files, as Spark writes them: which files are the table, in which order, and its digest."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tasks.core.errors import DataError
from tasks.core.files import combined_sha256, file_sha256
from tasks.core.formatting import shown

_SUFFIXES = (".parquet", ".parq", ".pq")
_FORMATS_WITH_VERSIONS = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table", "metadata": "an Iceberg table"}
"""Folders of table formats whose Parquet files include those of earlier versions."""


def table_files(paths: Iterable[str], name: str) -> list[str]:
    """Return the files of a folder that are its table, in the order in which they are read.

    Parameters
    ----------
    paths : iterable of str
        All files in the folder and its subfolders, relative to it, with `/` between the parts.
    name : str
        The folder's, for messages.

    Returns
    -------
    list of str
        Sorted by the code points of the path. Left out are what Spark does not read either, files and folders whose
        name begins with `.` or `_` (`_SUCCESS`, `_committed_...`), and checksums (`.crc`). A folder such as
        `_year=2024` is read.

    Raises
    ------
    DataError
        If there is no Parquet file, a file of another kind, or what belongs to a Delta, Iceberg or Hudi table.
    """
    paths = sorted(paths)
    for path in paths:
        for part in PurePosixPath(path).parts[:-1]:
            found = _FORMATS_WITH_VERSIONS.get(part)
            if found and (part != "metadata" or path.endswith(".metadata.json")):
                raise DataError(
                    f"{name}: {found}, whose files include those of earlier versions; expected a folder of Parquet "
                    "files: write the current version with Spark's DataFrame.write.parquet(FOLDER)"
                )
    read = [path for path in paths if not _is_ignored(path)]
    others = [path for path in read if not path.lower().endswith(_SUFFIXES)]
    if read and len(others) == len(read):  # probably meant as a file
        raise DataError(
            f"{name}: is not a file; expected a CSV, TSV or Parquet file of ratings, or a folder of Parquet files, and "
            f"found {shown(others[0])} in it"
        )
    if others:
        raise DataError(
            f"{name}: found {shown(others[0])}; expected Parquet files only, whose names end in .parquet, in a folder "
            "that is read as one table: remove the file, or give the path of one file"
        )
    if not read:
        raise DataError(f"{name}: a folder without Parquet files; expected files such as part-00000.parquet")
    return read


def _is_ignored(path: str) -> bool:
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts)
    return hidden or path.lower().endswith(".crc")


def local_files(folder: Path) -> list[str]:
    """Return the files of a folder of this machine that are its table; see `table_files`.

    Raises
    ------
    DataError
        See `table_files`; or if the folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error

    found = os.walk(folder, onerror=refuse, followlinks=True)
    return table_files(
        ((Path(at) / file).relative_to(folder).as_posix() for at, _, names in found for file in names), str(folder)
    )


def folder_digest(folder: Path) -> str:
    """Return the digest of a table in a folder: of the path in the folder, the size and the sha256 of each file.

    Another name of a file is another digest, because names say the order, and values of partitions.

    Raises
    ------
    DataError
        See `local_files`.
    """
    rows = []
    for path in local_files(folder):
        try:
            rows.append((path, (folder / path).stat().st_size, file_sha256(folder / path)))
        except OSError as error:
            raise DataError(f"{folder / path}: cannot be read: {error.strerror}") from error
    return digest_of_files(rows)


def digest_of_files(files: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a table.

    Parameters
    ----------
    files : iterable of (str, int, str)
        Path in the folder, size in bytes and sha256 of each file, sorted by path.

    Returns
    -------
    str
    """
    return combined_sha256("folder of Parquet files", [list(file) for file in files])


def partition_names(paths: list[str], name: str) -> list[str]:
    """Return the columns whose values stand in the names of folders, such as `year` for `year=2024/part-0.parquet`.

    Parameters
    ----------
    paths : list of str
        See `table_files`.
    name : str
        The folder's, for messages.

    Returns
    -------
    list of str
        From the outermost folder to the innermost.

    Raises
    ------
    DataError
        If the files do not all have the same ones.
    """

    def keys(path: str) -> list[str]:
        return [unquote(part.partition("=")[0]) for part in PurePosixPath(path).parts[:-1] if "=" in part]

    first = keys(paths[0])
    for path in paths:
        if keys(path) != first:
            raise DataError(
                f"{name}: partitioned by {_columns(first)} in {shown(paths[0])}, but by {_columns(keys(path))} in "
                f"{shown(path)}; expected one table: give the path of one of its parts, or write it anew"
            )
    return first


def _columns(names: list[str]) -> str:
    return shown(", ".join(names)) if names else "no column"
