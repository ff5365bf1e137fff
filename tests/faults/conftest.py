"""One Prefect server for all tests of this folder, and workspaces of their own for each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tasks.tracking.store import open_store
from tests.faults.workspace import Digests, Workspace
from tests.serving import Server, refused_port, serving, start_server


def start_prefect(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a Prefect server with a database of its own, and wait until it answers."""
    env = {**os.environ, "PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env = {key: value for key, value in env.items() if key != "PREFECT_API_URL"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return start_server([*command, "--no-ui"], folder, env, f"http://127.0.0.1:{port}/api/health")


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the API of the shared Prefect server."""
    port = refused_port()
    server = start_prefect(tmp_path_factory.mktemp("prefect"), port)
    yield f"http://127.0.0.1:{port}/api"
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs. Making one takes seconds, a copy none."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_store(f"sqlite:///{database}")
    return database


def make_workspace(folder: Path, server: Server, prefect_api: str, empty_store: Path) -> Workspace:
    """Return a workspace with an empty store and no home, whose commands use the shared Prefect server."""
    shutil.copy(empty_store, folder / "mlflow.db")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LATENTLAB", "MLFLOW", "PREFECT", "REQUESTS", "CURL"))
    }
    own = {
        "LATENTLAB_HOME": str(folder / "home"),
        "LATENTLAB_CATALOGUE": str(folder / "catalogue.yaml"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": prefect_api,
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "200",
    }
    return Workspace(folder, server, inherited | own)


@pytest.fixture
def new_workspace(
    tmp_path: Path, prefect_api: str, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Workspace]]:
    """Makes workspaces of the test's own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with ExitStack() as stack:

        def make() -> Workspace:
            folder = tmp_path / str(uuid4())[:8]
            folder.mkdir()
            monkeypatch.setenv("LATENTLAB_HOME", str(folder / "home"))
            workspace = make_workspace(folder, stack.enter_context(serving(Server())), prefect_api, empty_store)
            stack.callback(workspace.close)
            return workspace

        yield make


@pytest.fixture
def workspace(new_workspace: Callable[[], Workspace]) -> Workspace:
    """A workspace of the test's own."""
    return new_workspace()


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory, prefect_api: str, empty_store: Path) -> Digests:
    """The results of a run without a fault."""
    with serving(Server()) as server:
        workspace = make_workspace(tmp_path_factory.mktemp("undisturbed"), server, prefect_api, empty_store)
        done = workspace.run()
        assert done.returncode == 0, done.stderr
        return workspace.digests()
