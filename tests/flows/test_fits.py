"""Fits of one experiment: which of them are under way at a time, what a failure or an interrupt does to the others."""

import os
import signal
import time
from collections.abc import Callable
from threading import BoundedSemaphore, Event, Lock

import pytest
from mlflow import MlflowClient

from flows import fits
from flows.experiment import experiment
from flows.fits import in_threads
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import DataError, Stopped, TrackingError, TrainingError
from tasks.core.models import als
from tasks.core.planning.runs import PlannedRun, planned_runs
from tasks.reporting import progress
from tasks.reporting.progress import listening
from tasks.tracking.search import our_runs
from tests.flows.finished_experiment import FinishedExperiment
from tests.flows.listeners import SECONDS, interrupt
from tests.flows.same_lists import check_same_lists


class Recording:
    """A listener that records the parts of which a step was reported, and calls a function at each step."""

    def __init__(self, on_step: Callable[[str], None] = lambda label: None) -> None:
        self.labels: list[str] = []
        self._on_step = on_step
        self._lock = Lock()

    def plan(self, title: str, work: dict[str, float]) -> None:
        pass

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        with self._lock:
            if label not in self.labels:
                self.labels.append(label)
        self._on_step(label)

    def trained(self) -> list[str]:
        """Return the labels of trainings, in the order in which they began."""
        return [label for label in self.labels if label.startswith("train ")]


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
    next_trains = Event()

    def on_step(label: str) -> None:
        if label == "train k2 #1":
            next_trains.set()
        if label == "lists of k2 #0":
            assert next_trains.wait(SECONDS), "the next fit waits for the end of the evaluation"

    with listening(recording := Recording(on_step)):
        experiment(one_worker)
    assert recording.labels.index("train k2 #1") < recording.labels.index("lists of k2 #1")


@pytest.mark.usefixtures("api_url", "client")
def test_one_fit_trains_at_a_time(one_worker: ExperimentConfig) -> None:
    steps: list[str] = []
    with listening(recording := Recording(lambda label: steps.append(label))):
        experiment(one_worker)
    trained = [label for label in steps if label.startswith("train ")]
    changes = 1 + sum(label != before for before, label in zip(trained, trained[1:], strict=False))
    assert changes == len(recording.trained()) == 4


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
    slot = BoundedSemaphore(1)
    begun: list[str] = []

    def fit(run: PlannedRun, failed: Event) -> None:
        with slot:
            if not failed.is_set():
                begun.append(run.label)
                failed.set()
                raise TrainingError(f"{run.label} failed")

    with pytest.raises(TrainingError, match=f"{planned[0].label} failed"):
        in_threads(fit, planned, 2)
    assert begun == [planned[0].label]


def test_fits_under_way_are_finished_after_one_has_failed(planned: list[PlannedRun]) -> None:
    begun, both_run = [], Event()
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
    """The first fit fails. The second one, which trains meanwhile, is finished; the others never begin."""
    failure = {"train": TrainingError, "evaluate": DataError, "upload": TrackingError}[step]("the disk is full")
    second_trains = Event()
    failed: list[Event] = []
    run_step = getattr(fits, step)

    def failing(run: PlannedRun, **parameters: object) -> object:
        if run.label != "k2 #0":
            return run_step(run=run, **parameters)
        assert step == "train" or second_trains.wait(SECONDS)
        raise failure

    def on_step(label: str) -> None:
        if label == "train k2 #1":
            second_trains.set()
            assert failed[0].wait(SECONDS)

    def watched(
        fit: Callable[[PlannedRun, Event], object], runs: list[PlannedRun], threads: int, **more: object
    ) -> list[object]:
        def remember(run: PlannedRun, event: Event) -> object:
            failed.append(event)
            return fit(run, event)

        return in_threads(remember, runs, threads, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(fits, step, failing)
    monkeypatch.setattr(fits, "in_threads", watched)
    with pytest.raises(type(failure), match="the disk is full"), listening(recording := Recording(on_step)):
        experiment(one_worker)
    statuses = {run.info.run_name: run.info.status for run in our_runs(client)}
    if step == "train":  # it failed before it opened a run, and before the second fit began
        assert recording.trained() == []
        assert statuses == {"k2 vs k8": "FAILED"}
    else:
        assert recording.trained() == ["train k2 #0", "train k2 #1"]
        assert statuses == {"k2 vs k8": "FAILED", "k2 #0": "FAILED", "k2 #1": "FINISHED"}


def test_an_interrupt_stops_the_fits_in_every_thread(planned: list[PlannedRun]) -> None:
    begun: list[str] = []
    stopped: list[str] = []

    def fit(run: PlannedRun, failed: Event) -> None:
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

    def on_step(label: str) -> None:
        if len(recording.labels) == 2 and not interrupted:
            interrupted.append(time.monotonic())
            interrupt()

    recording = Recording(on_step)
    with pytest.raises(KeyboardInterrupt), listening(recording):
        experiment(endless)
    assert time.monotonic() - interrupted[0] < 30
    assert len(recording.trained()) == 2
    assert [run.info.status for run in our_runs(client)] == ["KILLED"] * 3
