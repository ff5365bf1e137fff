"""A finished experiment that many tests read, and copies of it for tests that change its store."""

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from flows.experiment import Outcome
from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.store import open_store


@dataclass(frozen=True)
class FinishedExperiment:
    """An experiment whose runs are all complete.

    Attributes
    ----------
    folder : Path
        Holds its store `mlflow.db`, its artifacts and its home `.latentlab`.
    config : ExperimentConfig
    outcome : Outcome
        Of the flow.
    """

    folder: Path
    config: ExperimentConfig
    outcome: Outcome

    @property
    def client(self) -> MlflowClient:
        """A client of the store."""
        return open_store(f"sqlite:///{self.folder / 'mlflow.db'}")

    def copy_to(self, folder: Path) -> None:
        """Copy everything. The store names its artifacts by absolute paths, which are replaced."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("mlflow.db*"))
        with contextlib.closing(sqlite3.connect(self.folder / "mlflow.db")) as store:
            statements = "\n".join(store.iterdump()).replace(self.folder.as_uri(), folder.as_uri())
        with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as copy:
            copy.executescript(statements)
