"""Atomic writes, and a store of files that are named by their sha256.

A file of the store is `FOLDER/SHA256SUFFIX` in the home. It is written under a temporary name in the same folder,
flushed to the disk and renamed, so that a crash leaves no incomplete file under a final name. The store is also a
cache: `remember` records which file was made from which inputs, and `recall` returns it. Readers check a file's sha256.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError

TEMPORARY = ".tmp-"
"""First characters of the names of files that are being written, or whose writing was interrupted."""


@dataclass(frozen=True)
class StoredFile:
    """A file and the sha256 of its bytes. Tasks exchange these records instead of the contents.

    Attributes
    ----------
    path, sha256 : str
    """

    path: str
    sha256: str

    def check(self) -> Path:
        """Return the path, after checking that the file has the expected sha256.

        Raises
        ------
        DataError
            If the file is missing or differs.
        """
        path = Path(self.path)
        try:
            sha256 = file_sha256(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}; run the same command again") from error
        if sha256 != self.sha256:
            raise DataError(
                f"{path}: sha256 {sha256[:12]}… but {self.sha256[:12]}… expected: the file was damaged; "
                "delete it and run the same command again"
            )
        return path


def home() -> Path:
    """Return the absolute path of `LATENTLAB_HOME`, by default `.latentlab` in the current directory."""
    return Path(os.environ.get("LATENTLAB_HOME") or ".latentlab").absolute()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    return file_digest(path, "sha256")


def file_digest(path: Path, algorithm: str) -> str:
    """Return a digest of a file.

    Parameters
    ----------
    path : Path
        The file.
    algorithm : str
        Name of the digest in hashlib.

    Returns
    -------
    str
        In hex.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def listing(folder: Path) -> list[dict[str, Any]]:
    """Return the files in a folder and its subfolders, sorted by path.

    Returns
    -------
    list of dict
        `path` relative to the folder, `size` in bytes, `sha256`.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": file_sha256(path)}
        for path in paths
    ]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a file atomically by what the block writes; an exception in the block leaves the file as it was.

    Yields
    ------
    Path
        A temporary path in the same folder, for the block to write.

    Raises
    ------
    DataError
        If the folder cannot be written or the disk is full.
    """
    with _temporary(path.parent, path.suffix) as temporary:
        yield temporary
        _rename(temporary, path)


def put(folder: str, suffix: str, write: Callable[[Path], None]) -> StoredFile:
    """Write a file into the store and name it by its sha256.

    Parameters
    ----------
    folder : str
        In the home.
    suffix : str
        Of the file's name, such as `.npz`.
    write : callable
        Writes the file at the path that it is given.

    Returns
    -------
    StoredFile

    Raises
    ------
    DataError
        If the folder cannot be written or the disk is full.
    """
    with _temporary(home() / folder, suffix) as temporary:
        write(temporary)
        sha256 = file_sha256(temporary)
        path = home() / folder / f"{sha256}{suffix}"
        _rename(temporary, path)
    return StoredFile(str(path), sha256)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Create a folder, and report an OSError of the block, which writes in it, as a DataError.

    Raises
    ------
    DataError
        If the folder cannot be written or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written: {error.strerror or error}; free space, or set LATENTLAB_HOME elsewhere"
        ) from error


def home_error(error: BaseException) -> DataError | None:
    """Return what an OSError about a file of the home means: a folder was removed or cannot be used.

    Parameters
    ----------
    error : BaseException
        Any exception.

    Returns
    -------
    DataError or None
        None for another exception, or an OSError that names no file under the home.
    """
    if not isinstance(error, OSError) or not isinstance(error.filename, str):
        return None
    path = Path(error.filename).absolute()
    if not path.is_relative_to(home()):
        return None
    return DataError(
        f"{path}: cannot be read or written: {error.strerror or error}; "
        "check the folder that LATENTLAB_HOME names, and run the same command again"
    )


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically.

    Parameters
    ----------
    path : Path
        The file, which is replaced if it exists.
    text : str
        Its new content.

    Raises
    ------
    DataError
        If the folder cannot be written or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remember(folder: str, key: str, file: StoredFile) -> None:
    """Record that a file of the store was made from the inputs with digest `key`.

    Parameters
    ----------
    folder : str
        In the home.
    key : str
        Digest of everything that the file was made from.
    file : StoredFile
        In that folder.
    """
    write_text(_record(folder, key), json.dumps({"name": Path(file.path).name}))


def recall(folder: str, key: str) -> StoredFile | None:
    """Return the file that was made from the inputs with digest `key`.

    Parameters
    ----------
    folder : str
        In the home.
    key : str
        Digest of everything that the file was made from.

    Returns
    -------
    StoredFile or None
        None if there is no record, or the file is missing or damaged.
    """
    try:
        # only the last part of the recorded name counts: a damaged record cannot lead out of the folder
        name = Path(json.loads(_record(folder, key).read_text(encoding="utf-8"))["name"]).name
        file = StoredFile(str(home() / folder / name), name.partition(".")[0])
        file.check()
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    return file


def combined_sha256(*parts: object) -> str:
    """Return one sha256 for several values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """Create a temporary file in a folder, and remove it after the block unless the block has renamed it."""
    with writing(folder):
        handle, name = tempfile.mkstemp(dir=folder, prefix=TEMPORARY, suffix=suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _rename(temporary: Path, path: Path) -> None:
    """Give a temporary file its final name, durably."""
    # the content has to be on the disk before the name, or a power failure could leave an empty file of that name
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _record(folder: str, key: str) -> Path:
    """Return the path of the record of which file was made from the inputs with digest `key`."""
    return home() / folder / "made-from" / f"{key}.json"
