"""One Prefect server for all tests of this folder, and workspaces of their own for each."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock

from tasks.tracking.store import open_store
from tests.faults.workspace import GOOD, Digests, Workspace
from tests.serving import Server, refused_port, reply, serving, start_server


def start_prefect(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a Prefect server with a database of its own, and wait until it answers."""
    env = {**os.environ, "PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env = {key: value for key, value in env.items() if key != "PREFECT_API_URL"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return start_server([*command, "--no-ui"], folder, env, f"http://127.0.0.1:{port}/api/health")


def make_workspace(folder: Path, server: Server, prefect_api: str) -> Workspace:
    """Return a workspace without a home, whose commands use the shared Prefect server."""
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
    workspace = Workspace(folder, server, inherited | own)
    workspace.configure()
    workspace.serve(reply(GOOD))
    return workspace


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test session, which all pytest workers share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    (folder / "faults").mkdir(exist_ok=True)
    return folder / "faults"


@pytest.fixture(scope="session")
def prefect_api(shared: Path) -> Iterator[str]:
    """The address of the API of the shared Prefect server: the first worker starts it, the last one ends it."""
    folder, users = shared / "prefect", shared / "users"
    own, address = users / str(os.getpid()), shared / "server.json"
    with FileLock(shared / "server.lock"):
        users.mkdir(exist_ok=True)
        own.touch()
        if not address.exists():
            folder.mkdir(exist_ok=True)
            port = refused_port()
            server = start_prefect(folder, port)
            address.write_text(json.dumps({"pid": server.pid, "api": f"http://127.0.0.1:{port}/api"}))
    yield json.loads(address.read_text())["api"]
    with FileLock(shared / "server.lock"):
        own.unlink()
        if not list(users.iterdir()):
            with suppress(ProcessLookupError):
                os.kill(json.loads(address.read_text())["pid"], signal.SIGTERM)
            address.unlink()


@pytest.fixture(scope="session")
def empty_store(shared: Path) -> Path:
    """An MLflow store without runs. Making one takes seconds, a copy none."""
    with FileLock(shared / "store.lock"):
        if not (shared / "mlflow.db").exists():
            open_store(f"sqlite:///{shared / 'mlflow.db'}")
    return shared / "mlflow.db"


@pytest.fixture(scope="session")
def undisturbed(shared: Path, prefect_api: str, empty_store: Path) -> Workspace:
    """A workspace in which the command has run without a fault, for tests that only read it."""
    folder = shared / "undisturbed"
    folder.mkdir(exist_ok=True)
    with FileLock(shared / "undisturbed.lock"), serving(Server()) as server:
        workspace = make_workspace(folder, server, prefect_api)
        if not (folder / "mlflow.db").exists():
            shutil.copy(empty_store, folder / "mlflow.db")
            done = workspace.run()
            assert done.returncode == 0, done.stderr
    return workspace


@pytest.fixture(scope="session")
def expected(undisturbed: Workspace) -> Digests:
    """The results of a run without a fault."""
    return undisturbed.digests()


@pytest.fixture
def new_workspace(
    tmp_path: Path, prefect_api: str, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Workspace]]:
    """Makes workspaces of the test's own, with an empty store and no home."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with ExitStack() as stack:

        def make() -> Workspace:
            folder = tmp_path / str(uuid4())[:8]
            folder.mkdir()
            shutil.copy(empty_store, folder / "mlflow.db")
            monkeypatch.setenv("LATENTLAB_HOME", str(folder / "home"))
            workspace = make_workspace(folder, stack.enter_context(serving(Server())), prefect_api)
            stack.callback(workspace.close)
            return workspace

        yield make


@pytest.fixture
def workspace(new_workspace: Callable[[], Workspace]) -> Workspace:
    """A workspace of the test's own."""
    return new_workspace()
