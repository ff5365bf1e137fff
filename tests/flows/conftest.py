"""One Prefect server for all tests of flows, an empty MLflow store to copy, and a folder of its own for each test."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows import environment
from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.store import open_store, resolve_uri
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import OWN_VARIABLES, FinishedExperiment
from tests.flows.small_experiment import write_small_experiment

environment.prepare()


@pytest.fixture(scope="session")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server with a database of its own."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    # at the end of a flow run Prefect waits up to a second for its thread of heartbeats; processes keep theirs
    no_heartbeats = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with prefect_test_harness(server_startup_timeout=120), temporary_settings(no_heartbeats):
        yield str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs. It is copied, because making one takes seconds."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_store(f"sqlite:///{database}")
    return database


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; home and MLflow store are made in it."""
    for name in OWN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command_env(workdir: Path, api_url: str) -> dict[str, str]:
    """The environment of a command that runs in `workdir` and uses the shared Prefect server."""
    return {**os.environ, "PREFECT_API_URL": api_url, "PREFECT_HOME": str(workdir / "prefect"), "COLUMNS": "120"}


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings of two blocks of users that like two blocks of items: 40 users, 30 items."""
    rng = np.random.default_rng(7)
    pairs = [(u, i) for u in range(40) for i in range(30) if u % 2 == i % 2 and rng.random() < 0.6]
    users, items = zip(*pairs, strict=True)
    path = tmp_path_factory.mktemp("ratings") / "blocks.csv"
    pd.DataFrame({"user": users, "item": items, "rating": 5}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def blocks_config(blocks: Path) -> ExperimentConfig:
    """Two models with two seeds on the blocks, and held-out evaluation with one: six fits."""
    return ExperimentConfig.model_validate(
        {
            "name": "blocks",
            "dataset": {"name": "file", "path": str(blocks)},
            "preprocess": {"min_rating": 4.0},
            "models": {"k2": {"factors": 2, "iterations": 4}, "k8": {"factors": 8, "iterations": 6}},
            "replicates": 2,
            "snapshots": [2],
            "queries": {"users": [3], "items": [4], "recommend_for": [0]},
            "comparison": {"depths": [3, 10]},
            "evaluation": {"replicates": 1, "cutoffs": [5]},
        }
    )


@pytest.fixture
def config(workdir: Path, blocks_config: ExperimentConfig) -> ExperimentConfig:
    """The experiment on the blocks, in an empty current directory."""
    return blocks_config


@pytest.fixture
def client(workdir: Path, empty_store: Path) -> MlflowClient:
    """A client of an empty store in the current directory."""
    shutil.copy(empty_store, workdir / "mlflow.db")
    return open_store(resolve_uri())


@pytest.fixture(scope="session")
def finished(
    blocks_config: ExperimentConfig, empty_store: Path, api_url: str, tmp_path_factory: pytest.TempPathFactory
) -> FinishedExperiment:
    """The experiment on the blocks, run once. Tests only read it."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(empty_store, folder / "mlflow.db")
    return FinishedExperiment.run(folder, blocks_config)


@pytest.fixture
def copy_of_finished(workdir: Path, finished: FinishedExperiment) -> MlflowClient:
    """A client of a copy of the finished experiment, which is the current directory: a test may change it."""
    finished.copy_to(workdir)
    return open_store(resolve_uri())


@pytest.fixture
def offline(tmp_path: Path, closed: str) -> CommandLine:
    """A small experiment, and a Prefect API that is down: a command that reaches it exits with code 6."""
    write_small_experiment(tmp_path)
    return command_line(tmp_path, f"{closed}/api")


@pytest.fixture
def online(tmp_path: Path, empty_store: Path, api_url: str) -> CommandLine:
    """A small experiment, an empty store and Prefect's API."""
    write_small_experiment(tmp_path)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return command_line(tmp_path, api_url)


@pytest.fixture(scope="session")
def closed() -> Iterator[str]:
    """An address that is taken and at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(scope="session")
def small_finished(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, api_url: str) -> CommandLine:
    """The small experiment, run once. Tests only read it."""
    folder = tmp_path_factory.mktemp("small")
    write_small_experiment(folder)
    shutil.copy(empty_store, folder / "mlflow.db")
    commands = command_line(folder, api_url)
    done = commands.call("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    return commands
