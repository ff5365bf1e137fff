"""Fits that are trained and not yet complete in MLflow."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.core.files import StoredFile, home, write_text, writing

_RECORD = "staged.json"
_FACTORS = "factors.npz"


@dataclass(frozen=True)
class Staged:
    """A fit whose factors are staged and whose MLflow run is still open.

    metrics : every (key, value, milliseconds since 1970, iteration) of the training
    factors : sha256 of `factors.npz`
    files : what is in `run/`, see `tasks.core.files.listing`, once the lists are there too
    results : final metrics, from then on
    """

    identity: str
    run_id: str
    metrics: list[tuple[str, float, int, int]]
    factors: str
    files: list[dict[str, Any]] | None = None
    results: dict[str, float] | None = None

    @property
    def folder(self) -> Path:
        """What goes to the run's artifacts."""
        return _folder(self.identity, self.run_id) / "run"

    @property
    def model_folder(self) -> Path:
        """What goes to the run's logged model."""
        return _folder(self.identity, self.run_id) / "model"

    @property
    def stored(self) -> list[StoredFile]:
        """Each file that goes to the run's artifacts, the factors first."""
        digests = {_FACTORS: self.factors} | {entry["path"]: entry["sha256"] for entry in self.files or ()}
        return [StoredFile(str(self.folder / path), digest) for path, digest in digests.items()]

    def check(self) -> None:
        """Compare every file with its digest.

        Raises
        ------
        DataError
            A file is missing, or differs.
        """
        for file in self.stored:
            file.check()


def factors_path(identity: str, run_id: str) -> Path:
    """Where the factors of a fit are to be written."""
    return _folder(identity, run_id) / "run" / _FACTORS


def keep(staged: Staged) -> None:
    """Note what is staged of a fit."""
    write_text(_folder(staged.identity, staged.run_id) / _RECORD, json.dumps(asdict(staged)))


def find(identity: str) -> Staged | None:
    """What somebody trained and could not finish; what is damaged is not found."""
    for record in sorted(_root().glob(f"{identity}/*/{_RECORD}")):
        try:
            staged = _read(record)
            staged.stored[0].check()
        except (OSError, ValueError, TypeError, KeyError, DataError):
            continue
        try:
            staged.check()
        except DataError:
            staged = replace(staged, files=None, results=None)
        return staged
    return None


def adopt(staged: Staged, run_id: str) -> Staged:
    """The same under another run, to which its files are copied."""
    adopted = replace(staged, run_id=run_id)
    for source, target in zip(staged.stored, adopted.stored, strict=True):
        with writing(Path(target.path).parent):
            shutil.copy(source.path, target.path)
    keep(adopted)
    return adopted


def discard(identity: str) -> None:
    """Remove what is staged of a fit, by whomever."""
    shutil.rmtree(_root() / identity, ignore_errors=True)


def identities() -> set[str]:
    """The fits that have something staged."""
    return {path.name for path in _root().glob("*")}


def stored_files() -> Iterator[StoredFile]:
    """Every file that is staged for good, and what it ought to be."""
    for record in sorted(_root().glob(f"*/*/{_RECORD}")):
        try:
            yield from _read(record).stored
        except (OSError, ValueError, TypeError, KeyError):
            yield StoredFile(str(record), "")


def _root() -> Path:
    return home() / "staging"


def _folder(identity: str, run_id: str) -> Path:
    return _root() / identity / run_id


def _read(record: Path) -> Staged:
    return Staged(**json.loads(record.read_text(encoding="utf-8")))
