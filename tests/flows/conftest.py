"""One real Prefect server for all flow tests, and a home of their own for each."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows import environment
from tasks.core.config.experiment import ExperimentConfig

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


@pytest.fixture
def config(workdir: Path) -> ExperimentConfig:
    """Two blocks of users that like two blocks of items; two models, two seeds, held-out evaluation."""
    rng = np.random.default_rng(7)
    pairs = [(u, i) for u in range(40) for i in range(30) if u % 2 == i % 2 and rng.random() < 0.6]
    users, items = zip(*pairs, strict=True)
    frame = pd.DataFrame({"user": users, "item": items, "rating": 5})
    frame.to_csv(workdir / "blocks.csv", index=False)
    return ExperimentConfig.model_validate(
        {
            "name": "blocks",
            "dataset": {"name": "file", "path": str(workdir / "blocks.csv")},
            "models": {"k2": {"factors": 2, "iterations": 4}, "k8": {"factors": 8, "iterations": 6}},
            "replicates": 2,
            "snapshots": [2],
            "queries": {"users": [3], "items": [4], "recommend_for": [0]},
            "comparison": {"depths": [3, 10]},
            "evaluation": {"replicates": 1, "cutoffs": [5]},
        }
    )
