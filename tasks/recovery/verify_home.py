"""The local store against its digests."""

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.core.data.catalogue import catalogue
from tasks.core.errors import DataError
from tasks.core.files import TEMPORARY, home
from tasks.core.training import checkpoint
from tasks.preprocess import FOLDER, SPLITS
from tasks.recovery import working_directory
from tasks.tracking.verify import FileCheck


def verify_home() -> FileCheck:
    check = FileCheck("home")
    for path, algorithm, expected in _expected():
        check.digest(str(path.relative_to(home())), path, expected, algorithm)
    for path in checkpoint.all_paths():
        check.files += 1
        try:
            checkpoint.read(path)
        except DataError:
            check.note(str(path.relative_to(home())), "damaged")
    for stored in working_directory.stored_files():
        path = Path(stored.path)
        check.digest(str(path.relative_to(home())), path, stored.sha256)
    for path in sorted(path for folder in (FOLDER, SPLITS) for path in (home() / folder).glob("*")):
        if path.is_file() and path.suffix != ".npz" and not path.name.startswith(TEMPORARY):
            check.note(str(path.relative_to(home())), "extra")
    return check


def _expected() -> Iterator[tuple[Path, str, str]]:
    """Files of our home, those that are there and those that notes mean; the algorithm and the digest that each has."""
    for known in catalogue().values():
        algorithm, digest = known.archive.pin if known.archive else ("sha256", known.ratings.sha256)
        name = known.archive.urls[0].rpartition("/")[2] if known.archive else known.ratings.member
        if digest and (path := home() / "datasets" / name).exists():
            yield path, algorithm, digest
    for folder in (home() / FOLDER, home() / SPLITS):
        names = {path.name for path in folder.glob("*.npz") if not path.name.startswith(TEMPORARY)}
        for note in sorted((folder / "made-from").glob("*.json")):
            try:
                names.add(Path(json.loads(note.read_text(encoding="utf-8"))["name"]).name)
            except (OSError, ValueError, KeyError, TypeError):
                yield note, "sha256", ""
        for name in sorted(names):
            yield folder / name, "sha256", name.partition(".")[0]
