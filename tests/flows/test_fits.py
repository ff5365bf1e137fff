"""Fits of one experiment: which of them are under way at a time, what a failure or an interrupt does to the others."""

import itertools
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from threading import Event

import pytest
from mlflow import MlflowClient

from flows import fits
from flows.experiment import experiment
from flows.fits import in_threads
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import Stopped, TrackingError, TrainingError
from tasks.core.models import als
from tasks.core.planning.runs import PlannedRun, planned_runs
from tasks.reporting import progress
from tasks.reporting.progress import listening
from tasks.tracking.runs import last_heartbeat
from tasks.tracking.search import our_runs
from tasks.train import OpenFit
from tests.flows.finished_experiment import FinishedExperiment
from tests.flows.listeners import SECONDS, Recording, interrupt, wait_until
from tests.flows.same_lists import check_same_lists


@pytest.fixture
def planned(blocks_config: ExperimentConfig) -> list[PlannedRun]:
    return planned_runs(blocks_config, "data")


@pytest.fixture
def one_worker(config: ExperimentConfig) -> ExperimentConfig:
    """One fit trains at a time: four fits in the order of the config, without evaluation."""
    return ExperimentConfig.model_validate({**config.model_dump(), "evaluation": None, "execution": {"workers": 1}})


@pytest.mark.parametrize(("workers", "threads"), [(1, 5), (2, 2)])
def test_fits_at_a_time_share_the_cores_and_give_the_same_lists(
    finished: FinishedExperiment,
    copy_of_finished: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    threads: int,
) -> None:
    """With five cores, one fit has five threads, and each of two fits has two."""
    used: list[int] = []
    fit = als.fit

    def recorded(*args: object, **kwargs: object) -> object:
        used.append(int(str(kwargs["threads"])))
        return fit(*args, **kwargs)  # type: ignore[arg-type]

    for module in ("tasks.core.planning.capacity", "tasks.train"):
        monkeypatch.setattr(f"{module}.cores", lambda: 5)
    monkeypatch.setattr(als, "fit", recorded)
    check_same_lists(finished, copy_of_finished, isolate=False, workers=workers)
    assert used == [threads] * 6


@pytest.mark.usefixtures("api_url", "client")
def test_the_next_fit_trains_while_one_is_evaluated(one_worker: ExperimentConfig) -> None:
    training_steps: list[str] = []
    evaluated: list[str] = []

    def on_step(label: str, done: int) -> None:
        if label.startswith("train "):
            training_steps.append(label)
        elif not evaluated:
            evaluated.append(label)
            before = len(training_steps)
            wait_until(lambda: len(training_steps) > before)

    with listening(Recording(on_step)):
        experiment(one_worker)
    assert len(evaluated) == 1


@pytest.mark.usefixtures("api_url", "client")
def test_one_fit_trains_at_a_time(one_worker: ExperimentConfig) -> None:
    trained: list[str] = []
    with listening(Recording(lambda label, done: trained.append(label) if label.startswith("train ") else None)):
        experiment(one_worker)
    assert len([label for label, _ in itertools.groupby(trained)]) == len(set(trained)) == 4


def test_results_are_returned_in_the_order_in_which_the_fits_ended(planned: list[PlannedRun]) -> None:
    second_ended = Event()
    completed: list[int] = []

    def fit(run: PlannedRun, failed: Event) -> str | None:
        if run is planned[0]:
            assert second_ended.wait(SECONDS)
            time.sleep(0.5)  # the main thread takes the second one's result first
        elif run is planned[1]:
            second_ended.set()
        else:
            return None
        return run.label

    results = in_threads(fit, planned[:3], 2, on_complete=completed.append)
    assert results == [planned[1].label, planned[0].label]
    assert completed == [1, 2]


def test_no_fit_begins_after_one_has_failed(planned: list[PlannedRun]) -> None:
    begun: list[str] = []

    def fit(run: PlannedRun, failed: Event) -> None:
        if not failed.is_set():
            begun.append(run.label)
            raise TrainingError(f"{run.label} failed")

    with pytest.raises(TrainingError, match=f"{planned[0].label} failed"):
        in_threads(fit, planned, 1)
    assert begun == [planned[0].label]


def test_fits_under_way_are_finished_after_one_has_failed(planned: list[PlannedRun]) -> None:
    both_run = Event()
    begun: list[str] = []
    ended: list[str] = []

    def fit(run: PlannedRun, failed: Event) -> None:
        begun.append(run.label)
        if len(begun) == 2:
            both_run.set()
        assert both_run.wait(SECONDS)
        if run is planned[0]:
            raise TrainingError("the first failed")
        assert failed.wait(SECONDS)
        time.sleep(0.3)
        progress.check_stop("a failure does not stop the other fits")
        ended.append(run.label)

    with pytest.raises(TrainingError, match="the first failed"):
        in_threads(fit, planned[:2], 2)
    assert ended == [planned[1].label]


@pytest.mark.parametrize("step", ["train", "evaluate", "upload"])
@pytest.mark.usefixtures("api_url")
def test_no_fit_begins_after_a_step_of_one_has_failed(
    one_worker: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The first of four fits fails. One that trains meanwhile is finished; the others never begin."""
    steps = {name: getattr(fits, name) for name in ("train", "evaluate", "upload")}
    failed: list[Event] = []
    begun: list[str] = []

    def run_step(name: str, run: PlannedRun, **parameters: object) -> object:
        if name == "train":
            begun.append(run.label)
            if len(begun) > 1:
                assert failed[0].wait(SECONDS)
        if name == step and run.label == begun[0]:
            wait_until(lambda: step == "train" or len(begun) == 2)
            raise TrackingError("the disk is full")
        return steps[name](run=run, **parameters)

    def watched_threads(
        fit: Callable[[PlannedRun, Event], object], runs: list[PlannedRun], threads: int, **more: object
    ) -> list[object]:
        def run_fit(run: PlannedRun, event: Event) -> object:
            failed.append(event)
            return fit(run, event)

        return in_threads(run_fit, runs, threads, **more)  # type: ignore[arg-type]

    for name in steps:
        monkeypatch.setattr(fits, name, partial(run_step, name))
    monkeypatch.setattr(fits, "in_threads", watched_threads)
    with pytest.raises(TrackingError, match="the disk is full"):
        experiment(one_worker)
    statuses = {run.info.run_name: run.info.status for run in our_runs(client)}
    if step == "train":  # before a run is opened
        assert len(begun) == 1
        assert statuses == {"k2 vs k8": "FAILED"}
    else:
        first, second = begun
        assert statuses == {"k2 vs k8": "FAILED", first: "FAILED", second: "FINISHED"}


@pytest.mark.parametrize("step", ["evaluate", "upload"])
@pytest.mark.usefixtures("api_url")
def test_a_fit_whose_next_step_waits_to_begin_sends_heartbeats(
    one_worker: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """As in the queue of a cluster. A run without heartbeats is taken for dead, and closed."""
    one = one_worker.model_copy(update={"models": {"k2": one_worker.models["k2"]}, "replicates": 1})
    monkeypatch.setattr("tasks.recovery.heartbeat.BEAT_SECONDS", 0.2)
    begin = getattr(fits, step)

    def wait_and_begin(*, open_fit: OpenFit, **parameters: object) -> object:
        waiting_since = last_heartbeat(client.get_run(open_fit.run_id))
        wait_until(lambda: last_heartbeat(client.get_run(open_fit.run_id)) > waiting_since)
        return begin(open_fit=open_fit, **parameters)

    monkeypatch.setattr(fits, step, wait_and_begin)
    experiment(one)


def test_an_interrupt_stops_the_fits_in_every_thread(planned: list[PlannedRun]) -> None:
    begun: list[str] = []
    stopped: list[str] = []

    def fit(run: PlannedRun, failed: Event) -> None:
        progress.check_stop(f"{run.label} was stopped before it began")
        begun.append(run.label)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + SECONDS
        try:
            while time.monotonic() < deadline:
                progress.check_stop(f"{run.label} was stopped")
                time.sleep(0.01)
        except Stopped:
            stopped.append(run.label)
            raise

    with pytest.raises(KeyboardInterrupt):
        in_threads(fit, planned, 2)
    assert sorted(stopped) == sorted(begun) == sorted(run.label for run in planned[:2])


@pytest.mark.usefixtures("api_url")
def test_an_interrupt_stops_fits_that_train_in_every_thread(
    config: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two fits train at a time in child processes, and both end at their next step."""
    long = {name: {**model.model_dump(), "iterations": 1_000_000} for name, model in config.models.items()}
    endless = ExperimentConfig.model_validate({**config.model_dump(), "models": long, "execution": {"workers": 2}})
    monkeypatch.setattr("tasks.core.planning.capacity.cores", lambda: 2)
    interrupted: list[float] = []

    def on_step(label: str, done: int) -> None:
        if len(recording.trained) == 2 and not interrupted:
            interrupted.append(time.monotonic())
            interrupt()

    recording = Recording(on_step)
    with pytest.raises(KeyboardInterrupt), listening(recording):
        experiment(endless)
    assert time.monotonic() - interrupted[0] < 30
    assert len(recording.trained) == 2
    assert [run.info.status for run in our_runs(client)] == ["KILLED"] * 3
