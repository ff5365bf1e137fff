"""A store that is a sqlite file: its path and its address, and the artifacts beside it.

New experiments keep their files in `mlartifacts/NAME` beside the file. MLflow stores absolute locations, so a folder
that was renamed, moved or copied would still write to and read from its former place.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

log = logging.getLogger(__name__)

_SQLITE, _ARTIFACTS = "sqlite:///", "mlartifacts"
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns in which MLflow stores where files are."""
_LOCK_SECONDS = 20


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a sqlite store; None for another kind of store."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(unquote(uri.removeprefix(_SQLITE).partition("?")[0]))


def sqlite_uri(path: Path, query: str = "") -> str:
    """Return the address of a sqlite file.

    Parameters
    ----------
    path : Path
        The file.
    query : str
        What follows the question mark of an address.

    Returns
    -------
    str
        SQLAlchemy decodes `%` and ends the path at `?`, so a path with one of them is quoted. Its slashes are, too:
        MLflow makes the folder that the address names without decoding it.
    """
    text = str(path)
    if "%" in text or "?" in text:
        text = quote(text, safe="")
    return f"{_SQLITE}{text}" + (f"?{query}" if query else "")


def file_path(uri: str) -> Path | None:
    """Return the path that the URI of artifacts means; None if they are not on this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(uri)


def artifact_folder(database: Path, experiment: str) -> Path:
    """Return where a sqlite store keeps the files of an experiment.

    Parameters
    ----------
    database : Path
        The file of the store.
    experiment : str
        Its name.

    Returns
    -------
    Path
    """
    # the name may be an absolute path
    return database.absolute().parent.joinpath(_ARTIFACTS, *filter(None, experiment.split("/")))


def is_lost(database: Path, location: str) -> bool:
    """Return whether an experiment's files were beside the store, and the store was moved without them.

    Parameters
    ----------
    database : Path
        The file of the store.
    location : str
        URI of the experiment's artifacts.

    Returns
    -------
    bool
    """
    folder, here = file_path(location), folder_beside(database, location)
    return folder is not None and here is not None and folder != here and not folder.exists()


def folder_beside(database: Path, location: str) -> Path | None:
    """Return where the files of an experiment are if they are beside the store now.

    The folder keeps its name where the experiment was renamed.

    Parameters
    ----------
    database : Path
        The file of the store.
    location : str
        URI of the experiment's artifacts.

    Returns
    -------
    Path or None
        None if they were never beside a store.
    """
    parts = (file_path(location) or Path()).parts
    if _ARTIFACTS not in parts[:-1]:
        return None
    _, *below = parts[len(parts) - 1 - parts[::-1].index(_ARTIFACTS) :]
    return artifact_folder(database, str(Path(*below))) if below else None


def follow_move(database: Path) -> None:
    """Correct the locations in a store whose folder was renamed, moved or copied together with its artifacts.

    An experiment is corrected if its files were beside the store, and its folder is beside the store now.

    Parameters
    ----------
    database : Path
        The file of the store.
    """
    with closing(sqlite3.connect(database, timeout=_LOCK_SECONDS, isolation_level=None)) as store:
        moved = moved_experiments(store, database)
        if not moved:
            return
        store.execute("BEGIN IMMEDIATE")
        for location, here in moved.items():
            for table, column in _LOCATIONS:
                store.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (here.as_uri(), len(location) + 1, location, len(location) + 1, f"{location}/"),
                )
            log.warning("the files of %s were moved; the store now names them in %s", file_path(location), here)
        store.execute("COMMIT")


def moved_experiments(store: sqlite3.Connection, database: Path) -> dict[str, Path]:
    """Return the experiments whose files were beside the store, and are beside it now in another place.

    Parameters
    ----------
    store : Connection
        Of the database.
    database : Path
        Its file.

    Returns
    -------
    dict of str to Path
        The location that the store has of an experiment -> the folder in which its files are.
    """
    moved = {}
    for (location,) in store.execute("SELECT artifact_location FROM experiments"):
        folder, here = file_path(location or ""), folder_beside(database, location or "")
        if folder and here and here.is_dir() and not _are_same(folder, here):
            moved[location] = here
    return moved


def _are_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one folder: a link may be on the way."""
    return one == other or (one.exists() and one.samefile(other))
