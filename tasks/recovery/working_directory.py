"""The working directory of a fit: everything that it has computed and that is not yet complete in MLflow.

`work/IDENTITY/` under the home holds

- `checkpoints/`, see `tasks.core.training.checkpoint`,
- `run/`, the files that become the run's artifacts,
- `model/`, the files that become its logged model,
- `fit.json`, the record of what is finished, with digests: written after training, and again after evaluation.

The lock of the fit (`tasks.recovery.lock`) keeps it to one process at a time. The next run of the same fit continues
from here, whatever has ended the last one.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.core.files import StoredFile, home, write_text
from tasks.core.planning.runs import RunRef

_RECORD, _FACTORS = "fit.json", "factors.npz"


@dataclass(frozen=True)
class WorkingDirectory:
    """Where the files of a fit are.

    Attributes
    ----------
    identity : str
        See `tasks.core.planning.runs.PlannedRun`.
    """

    identity: str

    @property
    def path(self) -> Path:
        """The directory."""
        return _root() / self.identity

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def artifacts(self) -> Path:
        """The folder of files that become the run's artifacts."""
        return self.path / "run"

    @property
    def model(self) -> Path:
        """The folder of files that become the logged model."""
        return self.path / "model"

    @property
    def factors(self) -> Path:
        """The file of factors."""
        return self.artifacts / _FACTORS

    def trained_fit(self) -> "TrainedFit | None":
        """Return what an earlier process trained here, if the factors are intact.

        Returns
        -------
        TrainedFit or None
            Without the results of the evaluation if one of its files is damaged.
        """
        try:
            fit = _read(self.path / _RECORD)
            fit.stored_files()[0].check()
        except (OSError, ValueError, TypeError, KeyError, DataError):
            return None
        try:
            fit.check()
        except DataError:
            fit = replace(fit, files=None, results=None)
        return fit

    def remove(self) -> None:
        """Remove everything of the fit."""
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True)
class TrainedFit:
    """A fit whose factors are in its working directory. It travels between tasks in place of the arrays.

    Attributes
    ----------
    identity : str
    metrics : list of (key, value, milliseconds since 1970, iteration)
        Every metric of the training.
    factors : str
        sha256 of the file of factors.
    files : list of dict or None
        The files that become artifacts (`tasks.core.files.listing`), once the fit is evaluated.
    results : dict of str to float or None
        Final metrics, once the fit is evaluated.
    """

    identity: str
    metrics: list[tuple[str, float, int, int]]
    factors: str
    files: list[dict[str, Any]] | None = None
    results: dict[str, float] | None = None

    @property
    def directory(self) -> WorkingDirectory:
        """Where the files are."""
        return WorkingDirectory(self.identity)

    def stored_files(self) -> list[StoredFile]:
        """Return each file that becomes an artifact, the factors first."""
        digests = {_FACTORS: self.factors} | {entry["path"]: entry["sha256"] for entry in self.files or ()}
        return [StoredFile(str(self.directory.artifacts / path), digest) for path, digest in digests.items()]

    def check(self) -> None:
        """Compare every file with its digest.

        Raises
        ------
        DataError
            If a file is missing or differs.
        """
        for file in self.stored_files():
            file.check()

    def save(self) -> None:
        """Write the record of the fit.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        write_text(self.directory.path / _RECORD, json.dumps(asdict(self)))


@dataclass(frozen=True)
class CompletedFit:
    """A fit that is complete in MLflow.

    Attributes
    ----------
    ref : RunRef
    directory : WorkingDirectory or None
        Where its files still are, if this flow run has trained it.
    """

    ref: RunRef
    directory: WorkingDirectory | None = None

    def remove_local_files(self) -> None:
        """Remove the working directory."""
        if self.directory:
            self.directory.remove()


def working_directories() -> list[WorkingDirectory]:
    """Return all working directories under the home."""
    return [WorkingDirectory(path.name) for path in sorted(_root().glob("*"))]


def recorded_files() -> Iterator[StoredFile]:
    """Yield every file of a recorded fit, with its digest; an unreadable record with an empty one."""
    for directory in working_directories():
        record = directory.path / _RECORD
        if record.exists():
            try:
                yield from _read(record).stored_files()
            except (OSError, ValueError, TypeError, KeyError):
                yield StoredFile(str(record), "")


def _root() -> Path:
    return home() / "work"


def _read(record: Path) -> TrainedFit:
    return TrainedFit(**json.loads(record.read_text(encoding="utf-8")))
