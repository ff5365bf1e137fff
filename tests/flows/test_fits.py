"""The same config under each runner, cancelled, and with a store that dies: the same lists, nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from flows.fits import Places, in_threads
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, OrchestrationError, TrainingError
from tasks.core.models import als
from tasks.core.models.threads import cores
from tasks.core.planning.runs import MODEL, PARENT, PlannedRun, RunRef, planned_runs
from tasks.reporting import progress
from tasks.reporting.result import Result
from tasks.tracking import artifacts, experiments, metrics, runs, search, store
from tasks.tracking.metrics import StepMetrics

pytestmark = pytest.mark.usefixtures("api_url")


@pytest.fixture
def client(config: ExperimentConfig) -> MlflowClient:
    return store.open_store(store.resolve_uri())


@pytest.fixture
def cluster(api_url: str, workdir: Path) -> Iterator[str]:
    """A Dask scheduler and two workers, each a process of its own; the scheduler's address."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
        yield str(local.scheduler_address)


def execution(config: ExperimentConfig, **settings: object) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**config.model_dump(), "execution": settings})


def neighbours(client: MlflowClient, result: Result) -> dict[tuple[str, int], pd.DataFrame]:
    return {
        (run.model, run.replicate): pd.read_parquet(
            artifacts.read_artifact(client, run.run_id, "neighbours/users.parquet")
        )
        for run in result.runs  # type: ignore[attr-defined]
        if run.role == MODEL
    }


def check_same(config: ExperimentConfig, other: ExperimentConfig, client: MlflowClient) -> None:
    """Trained by each anew: the same lists, and one complete run an identity."""
    expected = neighbours(client, experiment(config).result)
    outcome = experiment(other, fresh=True)
    assert outcome.trained == 6
    found = neighbours(client, outcome.result)
    assert found.keys() == expected.keys()
    assert all(found[key].equals(expected[key]) for key in expected)
    complete = [run for run in search.our_runs(client) if runs.is_complete(run) and runs.run_ref(run).role != PARENT]
    identities = [run.data.tags["latentlab.identity"] for run in complete]
    assert sorted(identities) == sorted(run.identity for run in outcome.result.runs)


def test_two_threads_give_the_same_lists(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    fit = als.fit
    monkeypatch.setattr(threads, "cores", lambda: 5)
    monkeypatch.setattr(als, "fit", lambda *a, **k: threads.append(k["threads"]) or fit(*a, **k))  # type: ignore[func-returns-value]
    check_same(execution(config, isolate=False, workers=1), execution(config, isolate=False, workers=2), client)
    assert threads == [5] * 6 + [2] * 6, "2 threads of 2 fits at a time are within 5 cores"


def test_the_next_fit_trains_while_one_is_evaluated(config: ExperimentConfig) -> None:
    first, second, *_ = planned = planned_runs(config, "data")
    begun = Event()

    def fit(run: PlannedRun, places: Places) -> RunRef:
        with places.one():
            if run is second:
                begun.set()
        if run is first:
            assert begun.wait(30), "the second has its place while this one is at its lists"
        return RunRef(run.label, run.model, run.replicate, run.role, run.identity)

    assert {ref.run_id for ref in in_threads(fit, planned[:2], 1)} == {first.label, second.label}


def test_no_fit_begins_after_one_has_failed(config: ExperimentConfig) -> None:
    planned = planned_runs(config, "data")
    begun: list[str] = []

    def fit(run: PlannedRun, places: Places) -> RunRef | None:
        with places.one() as one:
            if one:
                begun.append(run.label)
                raise TrainingError(f"{run.label} failed")
        return None

    with pytest.raises(TrainingError, match=f"{planned[0].label} failed"):
        list(in_threads(fit, planned, 1))
    assert begun == [planned[0].label]


def test_a_dask_cluster_gives_the_same_lists(config: ExperimentConfig, client: MlflowClient, cluster: str) -> None:
    check_same(config, execution(config, runner="dask", address=cluster), client)


def test_a_fit_that_fails_on_dask_says_why(config: ExperimentConfig, client: MlflowClient, cluster: str) -> None:
    huge = config.models["k2"].model_copy(update={"alpha": 1e12, "regularization": 1e38})
    broken = config.model_copy(update={"models": {"huge": huge}, "replicates": 1, "evaluation": None})
    with pytest.raises(TrainingError):
        experiment(execution(broken, runner="dask", address=cluster))
    assert {run.info.status for run in search.our_runs(client)} == {"FAILED"}


def test_a_cluster_that_is_not_there(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import fits

    monkeypatch.setattr(fits, "_CLUSTER_SECONDS", 1)
    with pytest.raises(OrchestrationError, match=r"tcp://127\.0\.0\.1:1 cannot be used"):
        experiment(execution(config, runner="dask", address="tcp://127.0.0.1:1"))
    assert [run.info.status for run in search.our_runs(client)] == ["FAILED"]


def test_dask_that_is_not_installed(config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with pytest.raises(ConfigError, match=r"pip install --editable '\.\[dask\]'"):
        experiment(execution(config, runner="dask", address="tcp://127.0.0.1:1"))


def test_interrupting_stops_every_thread(config: ExperimentConfig, client: MlflowClient) -> None:
    """The main thread is interrupted while both fits run; they end at their next step."""
    long = {name: {**model.model_dump(), "iterations": 1_000_000} for name, model in config.models.items()}
    endless = ExperimentConfig.model_validate({**config.model_dump(), "models": long, "execution": {"workers": 2}})

    class Interrupting:
        def __init__(self) -> None:
            self.seen: set[str] = set()

        def plan(self, title: str, work: dict[str, float]) -> None:
            pass

        def step(self, label: str, done: int, total: int, unit: str) -> None:
            first = len(self.seen) < 2
            self.seen.add(label)
            if first and len(self.seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    cores = cores
    cores = lambda: 2  # type: ignore[assignment]
    try:
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt), progress.listening(Interrupting()):
            experiment(endless)
        assert time.monotonic() - begun < 30
    finally:
        cores = cores
    assert sorted(run.info.status for run in search.our_runs(client)) == ["KILLED"] * 3


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_command_within_five_seconds(
    config: ExperimentConfig, client: MlflowClient, command_env: dict[str, str], workdir: Path, sent: int, code: int
) -> None:
    (workdir / "long.yaml").write_text(config.to_yaml())
    command = [sys.executable, "-m", "flows", "run", "long.yaml", "--set", "models.k8.iterations=1000000"]
    with (workdir / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=workdir, env=command_env, stdout=log, stderr=log)
    try:
        for _ in range(600):
            if any(run.info.run_name == "k8 #0" for run in search.our_runs(client)):
                break
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(sent)
        begun = time.monotonic()
        assert process.wait(20) == code, (workdir / "log").read_text()
        assert time.monotonic() - begun < 5
    finally:
        process.kill()
    statuses = {run.info.run_name: run.info.status for run in search.our_runs(client)}
    assert (statuses["k8 #0"], statuses["k2 vs k8"]) == ("KILLED", "KILLED")


def test_a_run_that_is_ended_in_mlflow_stops(config: ExperimentConfig, client: MlflowClient) -> None:
    """How a fit on a cluster, which no signal reaches, learns that its flow was cancelled."""
    run_id = runs.start_run(client, experiments.open_experiment(client, store.resolve_uri(), "any"), "x", tags={})
    metrics = StepMetrics(client, run_id, every_seconds=0)
    metrics.add(1, objective=2.0)
    client.set_terminated(run_id, "KILLED")
    with pytest.raises(progress.Stopped, match="was ended in MLflow"):
        metrics.add(2, objective=1.0)


def test_metrics_are_not_logged_twice(config: ExperimentConfig, client: MlflowClient) -> None:
    run_id = runs.start_run(client, experiments.open_experiment(client, store.resolve_uri(), "any"), "x", tags={})
    noted = [("objective", float(10 - step), 1000 + step, step) for step in range(1, 6)]
    metrics.send_metrics(client, run_id, noted[:3])
    metrics.send_missing_metrics(client, run_id, noted)
    metrics.send_missing_metrics(client, run_id, noted)
    assert [metric.step for metric in client.get_metric_history(run_id, "objective")] == [1, 2, 3, 4, 5]


def test_system_metrics_are_logged_where_wanted(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    slow = {"k8": {"factors": 64, "iterations": 1500}}
    base = {**config.model_dump(), "models": slow, "replicates": 1, "evaluation": None}
    for wanted in (True, False):
        experiment(ExperimentConfig.model_validate({**base, "execution": {"system_metrics": wanted}}), fresh=True)
        metrics = search.find_run(client, "blocks/k8/0").data.metrics
        assert ("system/cpu_utilization_percentage" in metrics) == wanted
    assert np.isfinite(list(metrics.values())).all()
