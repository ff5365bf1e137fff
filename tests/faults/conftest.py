"""One Prefect server for all faults, and a lab for each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tasks.tracking import store
from tests.faults.lab import Digests, Lab
from tests.serving import Server, refused_port, serving, started


def prefect_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A Prefect server of its own process that answers."""
    env = {**os.environ, "PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env = {key: value for key, value in env.items() if key != "PREFECT_API_URL"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return started([*command, "--no-ui"], folder, env, f"http://127.0.0.1:{port}/api/health")


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = refused_port()
    server = prefect_server(tmp_path_factory.mktemp("prefect"), port)
    yield f"http://127.0.0.1:{port}/api"
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs: making one takes seconds."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    store.open_store(f"sqlite:///{database}")
    return database


def made(folder: Path, server: Server, prefect_api: str, empty_store: Path) -> Lab:
    shutil.copy(empty_store, folder / "mlflow.db")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LATENTLAB", "MLFLOW", "PREFECT", "REQUESTS", "CURL"))
    }
    ours = {
        "LATENTLAB_HOME": str(folder / "home"),
        "LATENTLAB_CATALOGUE": str(folder / "catalogue.yaml"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": prefect_api,
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "200",
    }
    return Lab(folder, server, inherited | ours)


@pytest.fixture
def labs(
    tmp_path: Path, prefect_api: str, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Lab]]:
    """Makes labs of the test's own, each with an empty home and store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with ExitStack() as running:

        def make() -> Lab:
            folder = tmp_path / str(uuid4())[:8]
            folder.mkdir()
            monkeypatch.setenv("LATENTLAB_HOME", str(folder / "home"))
            lab = made(folder, running.enter_context(serving(Server())), prefect_api, empty_store)
            running.callback(lab.end)
            return lab

        yield make


@pytest.fixture
def lab(labs: Callable[[], Lab]) -> Lab:
    """One of them."""
    return labs()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, prefect_api: str, empty_store: Path) -> Digests:
    """What a run gives to which nothing is done."""
    with serving(Server()) as server:
        lab = made(tmp_path_factory.mktemp("undisturbed"), server, prefect_api, empty_store)
        done = lab.run()
        assert done.returncode == 0, done.stderr
        return lab.digests()
