"""A home of their own, an MLflow store, and runs in it that a process may have left open."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.config.als import AlsConfig
from tasks.core.data.interactions import Summary
from tasks.core.data.prepared import PreparedData
from tasks.core.files import StoredFile
from tasks.core.planning.runs import MODEL, PlannedRun
from tasks.core.process_identity import this_process
from tasks.tracking.experiments import open_experiment
from tasks.tracking.runs import ParentRun, start_fit
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def client(uri: str) -> "MlflowClient":
    return open_store(uri)


@pytest.fixture
def open_run(client: "MlflowClient", uri: str, tmp_path: Path) -> Callable[..., str]:
    """Starts a run of a fit; its tags may say that another process holds it."""
    parent = ParentRun(uri, open_experiment(client, uri, tmp_path.name), "parent", {})
    data = PreparedData(StoredFile("", ""), "data", Summary(1, 1, 1, 1.0, 1.0, 1, 1, 1, 1))

    def start(**tags: str) -> str:
        run = PlannedRun("k2", 0, MODEL, AlsConfig(factors=2, iterations=3), 7, "same")
        run_id = start_fit(client, parent, run, data)
        for key, value in tags.items():
            client.set_tag(run_id, f"latentlab.{key}", value)
        return run_id

    return start


@pytest.fixture
def ended_process() -> str:
    """The tag of a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return json.dumps({**this_process(), "pid": process.pid})
