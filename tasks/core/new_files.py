"""Files and folders that did not exist, made for a person: whole, or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import ConfigError, DataError
from tasks.core.files import TEMPORARY


def refuse_existing(path: Path, *, option: str = "", noun: str = "one") -> None:
    """Check that a file or folder can be made.

    Parameters
    ----------
    path : Path
        What is to be made.
    option : str
        What messages begin with, such as `--write: `.
    noun : str
        What messages call it.

    Raises
    ------
    ConfigError
        If there is something of this name.
    DataError
        If it cannot be written into the folder that is to hold it.
    """
    if os.path.lexists(path):
        raise ConfigError(f"{option}{path} exists, and is not overwritten; name a new {noun}")
    if not os.access(f"{path.parent}/.", os.W_OK | os.X_OK):  # with the dot a file is no folder
        raise DataError(f"{option}{path} cannot be written: {path.parent} is no folder that can be written to")


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Make a file or a folder that does not exist. It has its name once the block has ended without an exception.

    Parameters
    ----------
    path : Path
        What is made. The folder that is to hold it exists.

    Yields
    ------
    Path
        What the block makes: a temporary path in the same folder.

    Raises
    ------
    ConfigError
        If it exists.
    DataError
        If it cannot be written.
    """
    refuse_existing(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=TEMPORARY) as folder:
            made = Path(folder) / path.name
            yield made
            for file in [made, *made.rglob("*")]:
                if file.is_file():
                    with file.open("rb") as content:  # its content is on the disk before it has its name
                        os.fsync(content.fileno())
            refuse_existing(path)
            made.rename(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}; free space, or name another") from error
