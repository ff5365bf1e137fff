"""Files that are written atomically, and a store of files named by their sha256."""

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
"""How the names of files begin that are being written, or whose writing was cut off."""


@dataclass(frozen=True)
class StoredFile:
    """A file and the sha256 of its bytes: what travels between tasks in place of its content."""

    path: str
    sha256: str

    def check(self) -> Path:
        """The path, once its bytes are shown to be those that were written.

        Raises
        ------
        DataError
            The file is missing or differs.
        """
        path = Path(self.path)
        try:
            found = file_sha256(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}; run the same command again") from None
        if found != self.sha256:
            raise DataError(
                f"{path}: sha256 {found[:12]}… but {self.sha256[:12]}… expected: the file was damaged; "
                "delete it and run the same command again"
            )
        return path


def home() -> Path:
    """`LATENTLAB_HOME`, else `.latentlab` in the current directory; absolute."""
    return Path(os.environ.get("LATENTLAB_HOME") or ".latentlab").absolute()


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hex."""
    return file_digest(path, "sha256")


def file_digest(path: Path, algorithm: str) -> str:
    """The digest of a file, in hex, by an algorithm that hashlib has."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def listing(folder: Path) -> list[dict[str, Any]]:
    """What is in a folder, by path: `path`, `size` in bytes, `sha256`."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": file_sha256(path)}
        for path in found
    ]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    Raises
    ------
    DataError
        The folder cannot be written, or the disk is full.
    """
    with _temporary(path.parent, path.suffix) as temporary:
        yield temporary
        _settle(temporary, path)


def put(folder: str, suffix: str, write: Callable[[Path], None]) -> StoredFile:
    """Store what `write` writes, under its own digest."""
    with _temporary(home() / folder, suffix) as temporary:
        write(temporary)
        digest = file_sha256(temporary)
        path = home() / folder / f"{digest}{suffix}"
        _settle(temporary, path)
    return StoredFile(str(path), digest)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make a folder, and write in it within the block.

    Raises
    ------
    DataError
        It cannot be written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written: {error.strerror or error}; free space, or set LATENTLAB_HOME elsewhere"
        ) from error


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    with writing(folder):
        handle, name = tempfile.mkstemp(dir=folder, prefix=TEMPORARY, suffix=suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _settle(temporary: Path, path: Path) -> None:
    """Flush a finished file to the disk, give it its name, and flush the name."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remember(folder: str, key: str, file: StoredFile) -> None:
    """Note that the inputs with digest `key` gave `file`."""
    write_text(home() / folder / "made-from" / f"{key}.json", json.dumps({"name": Path(file.path).name}))


def recall(folder: str, key: str) -> StoredFile | None:
    """What `remember` noted for `key`, if its bytes are still what its name says; else None."""
    note = home() / folder / "made-from" / f"{key}.json"
    try:
        path = home() / folder / Path(json.loads(note.read_text(encoding="utf-8"))["name"]).name
        file = StoredFile(str(path), path.name.partition(".")[0])
        file.check()
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    return file


def combined_sha256(*parts: object) -> str:
    """One digest of several JSON-able values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
