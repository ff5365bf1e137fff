"""A finished experiment that many tests read, and copies of it for tests that change its store."""

import contextlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from mlflow import MlflowClient

from flows.experiment import Outcome, experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.store import open_store

OWN_VARIABLES = ("LATENTLAB_HOME", "LATENTLAB_CATALOGUE", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
"""Variables of the machine that would lead a test to another home or store."""


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

    @classmethod
    def run(
        cls, folder: Path, config: ExperimentConfig, register_as: str | None = None, *, consensus: bool = False
    ) -> "FinishedExperiment":
        """Run an experiment in a folder."""
        env = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
        with contextlib.chdir(folder), mock.patch.dict(os.environ, env, clear=True):
            return cls(folder, config, experiment(config, register_as=register_as, consensus=consensus))

    @property
    def client(self) -> MlflowClient:
        """A client of the store."""
        return open_store(f"sqlite:///{self.folder / 'mlflow.db'}")

    def copy_to(self, folder: Path) -> None:
        """Copy store, artifacts and home. The store names its artifacts by absolute paths, which are replaced."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("mlflow.db*"))
        with contextlib.closing(sqlite3.connect(self.folder / "mlflow.db")) as store:
            statements = "\n".join(store.iterdump()).replace(self.folder.as_uri(), folder.as_uri())
        with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as copy:
            copy.executescript(statements)
