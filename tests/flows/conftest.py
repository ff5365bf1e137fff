"""One real Prefect server for all flow tests, and a home of their own for each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import environment

environment.prepare()


@pytest.fixture(scope="session")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server with a database of its own."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; home and MLflow store are made in it."""
    for name in ("LATENTLAB_HOME", "LATENTLAB_CATALOGUE", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command_env(workdir: Path, api_url: str) -> dict[str, str]:
    """The environment of a command that runs in `workdir` and uses the shared Prefect server."""
    return {**os.environ, "PREFECT_API_URL": api_url, "PREFECT_HOME": str(workdir / "prefect"), "COLUMNS": "120"}
