"""Executors in processes of their own that die, run out of memory, or never come."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from tasks.core.config.als import AlsConfig
from tasks.core.errors import OrchestrationError, TrainingError
from tasks.core.models.factors import Factors
from tasks.core.models.spark import start
from tasks.core.models.spark.als import Table, fit, write_table
from tasks.core.models.spark.session import Session
from tests.core.models.examples import confidences
from tests.core.models.spark.sessions import started
from tests.serving import refused_port

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(600),
]

SETTINGS = AlsConfig(factors=4, iterations=8, alpha=2.0, engine="spark", blocks=2)
LONG = SETTINGS.model_copy(update={"iterations": 500})


@dataclass
class Cluster:
    """A session with executors, and interactions that they read."""

    session: Session
    table: Table

    def fitted(self, of: AlsConfig = SETTINGS, on_iteration: Callable[[int], object] = id) -> Factors:
        folder = self.table.path.parent / "checkpoints"
        return fit(
            self.session, self.table, of, seed=1, checkpoints=folder, on_iteration=lambda done: on_iteration(done)
        )

    def executors(self) -> list[psutil.Process]:
        assert self.session.java is not None
        executors = []
        for child in psutil.Process(self.session.java.pid).children(recursive=True):
            with suppress(psutil.Error):  # it has ended
                if any("CoarseGrainedExecutor" in word for word in child.cmdline()):
                    executors.append(child)
        return executors

    def running_tasks(self) -> int:
        tracker = self.session.context.statusTracker()
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        return sum(stage.numActiveTasks for stage in stages if stage)

    def kill_executors(self, number: int) -> None:
        for executor in self.executors()[:number]:
            executor.kill()


def cluster(folder: Path, master: str = "local-cluster[2,1,1024]", **options: str) -> Iterator[Cluster]:
    """By default two workers with an executor each, in processes of their own."""
    matrix = confidences(120, 80)
    table = Table(folder / "table.parquet", matrix.shape)
    write_table(matrix, table.path)
    with started(folder, master, **options) as session:
        yield Cluster(session, table)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Cluster]:
    yield from cluster(tmp_path)


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Cluster]:
    """One executor; a task that fails is not tried again."""
    yield from cluster(tmp_path, "local-cluster[1,1,1024]", task_maxFailures="1")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Cluster]:
    """The executor is Spark's own process, which starts in a fraction of the time."""
    yield from cluster(tmp_path, "local[2]")


@pytest.fixture
def small_heap(tmp_path: Path) -> Iterator[Cluster]:
    """The executor is Spark's own process."""
    yield from cluster(tmp_path, "local[2]", driver_memory="600m")


def at(iteration: int, act: Callable[[], None]) -> Callable[[int], None]:
    """Return a callback that acts once, after an iteration."""
    acted: list[int] = []

    def on_iteration(done: int) -> None:
        if done >= iteration and not acted:
            acted.append(done)
            act()

    return on_iteration


def test_a_fit_survives_the_death_of_an_executor(patient: Cluster) -> None:
    """Spark repeats the tasks on another one. Only the order of sums may differ."""
    expected = patient.fitted()
    of = patient.fitted(on_iteration=at(3, lambda: patient.kill_executors(1)))
    np.testing.assert_allclose(of.users, expected.users, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(of.items, expected.items, rtol=1e-3, atol=1e-4)


def test_a_fit_whose_tasks_may_not_be_repeated_fails_with_its_executors(impatient: Cluster) -> None:
    slow = SETTINGS.model_copy(update={"factors": 250, "iterations": 500})

    def on_iteration(done: int) -> None:
        if done >= 1 and impatient.running_tasks():
            impatient.kill_executors(1)

    message = (
        r"^Spark failed: Job aborted .*ExecutorLostFailure.*raise spark\.executor\.memory, or blocks; Spark's log is "
    )
    with pytest.raises(TrainingError, match=message) as raised:
        impatient.fitted(slow, on_iteration)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_the_death_of_sparks_own_process_is_a_failed_fit(local: Cluster) -> None:
    java = local.session.java
    assert java is not None
    with pytest.raises(TrainingError, match=r"^Spark's own process ended; Spark's log is .*spark\.log$"):
        local.fitted(LONG, at(3, java.kill))


def test_a_fit_that_runs_out_of_memory_says_which_to_raise(small_heap: Cluster) -> None:
    """Its sums of squares are matrices of 8000 x 8000, and the heap is smaller than a few of them."""
    message = (
        r"^Spark failed: java\.lang\.OutOfMemoryError: .*; raise spark\.executor\.memory \(or, with a local master"
    )
    with pytest.raises(TrainingError, match=message) as raised:
        small_heap.fitted(SETTINGS.model_copy(update={"factors": 8000}))
    assert "\n" not in str(raised.value)


@pytest.mark.long
def test_executors_that_never_come_are_reported_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would need more cores than the workers have."""
    monkeypatch.setattr(start, "_START_SECONDS", 45)
    begun = time.monotonic()
    with (
        pytest.raises(OrchestrationError, match=r"no executor came within 45 s; check the master and its workers"),
        started(tmp_path, "local-cluster[1,1,1024]", executor_cores="4"),
    ):
        pass
    assert time.monotonic() - begun < 120


@pytest.mark.long
def test_a_master_that_accepts_and_never_answers_is_reported_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_START_SECONDS", 25)
    begun = time.monotonic()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(OrchestrationError, match=r"spark://127\.0\.0\.1:\d+ cannot be used: .*within 25 s"),
        started(tmp_path, f"spark://127.0.0.1:{silent.getsockname()[1]}"),
    ):
        pass
    assert time.monotonic() - begun < 80


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "no-such-host.invalid:7077"])
def test_a_master_that_nobody_runs_is_reported_at_once(address: str, tmp_path: Path) -> None:
    master = f"spark://{address.format(port=refused_port())}"
    begun = time.monotonic()
    with (
        pytest.raises(OrchestrationError, match=f"the Spark master at {master} does not answer"),
        started(tmp_path, master),
    ):
        pass
    assert time.monotonic() - begun < 15
