"""Fits on a Dask cluster: the same lists, failures with their reason, and a cluster that cannot be used."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, OrchestrationError, TrainingError
from tasks.tracking.search import our_runs
from tests.flows.finished_experiment import FinishedExperiment
from tests.flows.prefect_api import Api
from tests.flows.same_lists import check_same_lists, with_execution

pytestmark = pytest.mark.usefixtures("api_url")


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the workers and of the tests that use them."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running_cluster(api_url: str, shared_home: Path) -> Iterator[str]:
    """A Dask scheduler and two workers, each a process of its own; the scheduler's address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLAB_HOME", str(shared_home))
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
            yield str(local.scheduler_address)


@pytest.fixture
def cluster(running_cluster: str, shared_home: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the cluster, whose home is that of the test."""
    monkeypatch.setenv("LATENTLAB_HOME", str(shared_home))
    return running_cluster


def test_a_dask_cluster_gives_the_same_lists(
    finished: FinishedExperiment, copy_of_finished: MlflowClient, cluster: str
) -> None:
    check_same_lists(finished, copy_of_finished, runner="dask", address=cluster)


def test_the_task_runs_of_a_cluster_carry_tags(
    config: ExperimentConfig, client: MlflowClient, cluster: str, api_url: str
) -> None:
    small = config.model_copy(update={"name": "tagged", "replicates": 1, "evaluation": None})
    experiment(with_execution(small, runner="dask", address=cluster))
    api = Api(api_url)
    task_runs = {run["name"]: set(run["tags"]) for run in api.of_flow_run("task_runs", api.flow_runs("tagged")[0])}
    for step in ("train", "evaluate", "upload"):
        assert task_runs[f"{step} k2 #0"] == {"experiment:tagged", "model:k2", "role:model"}


def test_a_fit_that_fails_on_a_cluster_raises_its_error(
    config: ExperimentConfig, client: MlflowClient, cluster: str
) -> None:
    huge = config.models["k2"].model_copy(update={"alpha": 1e12, "regularization": 1e38})
    failing = config.model_copy(update={"models": {"huge": huge}, "replicates": 1, "evaluation": None})
    with pytest.raises(TrainingError):
        experiment(with_execution(failing, runner="dask", address=cluster))
    assert {run.info.status for run in our_runs(client)} == {"FAILED"}


def test_a_cluster_that_does_not_answer_is_reported_with_its_address(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.fits._CLUSTER_SECONDS", 1)
    with pytest.raises(OrchestrationError, match=r"tcp://127\.0\.0\.1:1 cannot be used"):
        experiment(with_execution(config, runner="dask", address="tcp://127.0.0.1:1"))
    assert [run.info.status for run in our_runs(client)] == ["FAILED"]


@pytest.mark.usefixtures("client")
def test_without_dask_the_command_that_installs_it_is_named(
    config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with pytest.raises(ConfigError, match=r"pip install --editable '\.\[dask\]'"):
        experiment(with_execution(config, runner="dask", address="tcp://127.0.0.1:1"))
