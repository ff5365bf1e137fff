"""The files under the home against their digests."""

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.core.data.catalogue import catalogue
from tasks.core.data.locate import downloads
from tasks.core.data.prepared import INTERACTIONS
from tasks.core.data.remote import copies
from tasks.core.data.remote import recorded_files as files_of_copy
from tasks.core.data.splits.held_out import SPLITS
from tasks.core.errors import DataError
from tasks.core.files import TEMPORARY, home
from tasks.core.training import checkpoint
from tasks.recovery.working_directory import recorded_files, working_directories
from tasks.tracking.verify import FileCheck

_SUFFIXES = (".npz", ".parquet")
"""Of interactions and splits, and of the tables of them that Spark reads."""


def verify_home() -> FileCheck:
    """Hash data sets, interactions, splits, checkpoints and working directories.

    Returns
    -------
    FileCheck
    """
    check = FileCheck("home")
    for path, algorithm, expected in _pinned_files():
        check.compare(_relative(path), path, expected, algorithm)
    for directory in working_directories():
        for path in sorted(directory.checkpoints.glob("*.npz")):
            check.files += 1
            try:
                checkpoint.read(path)
            except DataError:
                check.add_problem(_relative(path), "damaged")
    for stored in recorded_files():
        check.compare(_relative(Path(stored.path)), Path(stored.path), stored.sha256)
    for path in sorted(path for folder in (INTERACTIONS, SPLITS) for path in (home() / folder).glob("*")):
        if path.is_file() and path.suffix not in _SUFFIXES and not path.name.startswith(TEMPORARY):
            check.add_problem(_relative(path), "extra")
    return check


def _relative(path: Path) -> str:
    return str(path.relative_to(home()))


def _pinned_files() -> Iterator[tuple[Path, str, str]]:
    """Yield path, algorithm and digest of each file that is there, or that a note of the store names."""
    for entry in catalogue().values():
        algorithm, digest = entry.archive.pin if entry.archive else ("sha256", entry.ratings.sha256)
        name = entry.archive.urls[0].rpartition("/")[2] if entry.archive else entry.ratings.member
        if digest and (path := home() / "datasets" / name).exists():
            yield path, algorithm, digest
    for path in downloads().glob("*/*"):
        if path.suffix:  # else it is what a download left that was killed
            yield path, "sha256", path.parent.name
    for record in sorted(copies().glob("*.json")):
        try:
            files = files_of_copy(record)
        except (OSError, ValueError):
            yield record, "sha256", ""  # an unreadable record is damaged
            continue
        for name, digest in files.items():
            yield record.with_suffix("") / name, "sha256", digest
    for folder in (home() / INTERACTIONS, home() / SPLITS):
        stored = (path for path in folder.glob("*") if path.suffix in _SUFFIXES)
        names = {path.name for path in stored if not path.name.startswith(TEMPORARY)}
        for note in sorted((folder / "made-from").glob("*.json")):
            try:
                names.add(Path(json.loads(note.read_text(encoding="utf-8"))["name"]).name)
            except (OSError, ValueError, KeyError, TypeError):
                yield note, "sha256", ""  # an unreadable note is damaged
        for name in sorted(names):
            yield folder / name, "sha256", name.partition(".")[0]
