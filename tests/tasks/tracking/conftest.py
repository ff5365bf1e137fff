"""A real sqlite store for each test, an experiment in it, and runs of fits with files."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tasks.core.config.als import AlsConfig
from tasks.core.data.interactions import Summary
from tasks.core.data.prepared import PreparedData
from tasks.core.files import StoredFile
from tasks.core.planning.runs import MODEL, PlannedRun
from tasks.tracking.artifacts import upload, write_table
from tasks.tracking.experiments import open_experiment
from tasks.tracking.runs import ParentRun, start_fit
from tasks.tracking.store import open_store, resolve_uri
from tests.tasks.tracking.helpers import TABLE, Fit, Opening

OPEN_STORE_AND_EXPERIMENT = """
import sys
from tasks.tracking.experiments import open_experiment
from tasks.tracking.store import open_store
print(open_experiment(open_store(sys.argv[1]), sys.argv[1], "shared"))
"""


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Opening]]:
    """A store that four processes made at once, and how each of them ended."""
    database = tmp_path_factory.mktemp("store") / "new" / "mlflow.db"
    command = [sys.executable, "-c", OPEN_STORE_AND_EXPERIMENT, f"sqlite:///{database}"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=200) for process in processes]
    return database, [Opening(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


@pytest.fixture(autouse=True)
def uri(tmp_path: Path, new_store: tuple[Path, list[Opening]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The test's own store and home. The store is a copy: making one takes seconds."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    database, _ = new_store
    shutil.copy(database, tmp_path / "mlflow.db")
    return resolve_uri()


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return open_store(uri)


@pytest.fixture
def experiment_id(client: MlflowClient, uri: str) -> str:
    return open_experiment(client, uri, "blocks")


@pytest.fixture
def data() -> PreparedData:
    """Interactions without a file: only their digest is logged."""
    return PreparedData(StoredFile("", ""), "data", Summary(1, 1, 1, 1.0, 1.0, 1, 1, 1, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that a fit uploads: an array, and a table of two rows."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    with (folder / "factors.npz").open("wb") as file:
        np.savez(file, user_factors=np.eye(3, dtype=np.float32))
    write_table(folder, TABLE, pd.DataFrame({"rank": [1, 2], "index": [7, 4]}))
    return folder


@pytest.fixture
def fit(client: MlflowClient, uri: str, experiment_id: str, folder: Path, data: PreparedData) -> Fit:
    """Makes a nested run: complete unless `uploaded` is false, and ended at `end` (ms) with `status`."""

    def make(
        identity: str = "same",
        *,
        model: str = "k2",
        replicate: int = 0,
        role: str = MODEL,
        uploaded: bool = True,
        status: str | None = "FINISHED",
        end: int | None = None,
        flow_run_id: str = "flow-1",
    ) -> str:
        parent = ParentRun(uri, experiment_id, "parent", {"prefect.flow_run_id": flow_run_id})
        planned = PlannedRun(model, replicate, role, AlsConfig(factors=2, iterations=3), 7, identity)
        run_id = start_fit(client, parent, planned, data)
        if uploaded:
            upload(client, run_id, folder, tables=[TABLE])
        if status:
            client.set_terminated(run_id, status, end)
        return run_id

    return make
