"""Fits in child processes: the same factors; crashes, signals and a parent that is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.data.interactions import Interactions
from tasks.core.errors import DataError, Stopped, TrainingError
from tasks.core.files import put
from tasks.core.training import checkpoint
from tasks.core.training.run_fit import FitRequest
from tasks.core.training.step import Step
from tasks.recovery import interrupts, worker_process
from tasks.recovery.worker_process import grant, isolated, perform

ENDLESS = AlsConfig(factors=4, iterations=1_000_000)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def order(home: Path) -> FitRequest:
    dense = (np.random.default_rng(5).random((40, 25)) < 0.3).astype(np.float32)
    interactions = Interactions(csr_array(dense), np.arange(40), np.arange(25), None)
    data = put("interactions", ".npz", interactions.save)
    return FitRequest("a" * 64, data, AlsConfig(factors=4, iterations=20), 7, (1,), (3,), 5, 1, 1e9)


def children() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # gone, or a zombie of another test's
            while not (words := each.cmdline()):  # it has only just begun
                time.sleep(0.01)
            if "tasks.recovery.worker_process" in words:
                found.append(each)
    return found


def once(act: Callable[[], object]) -> Callable[[list[Step]], None]:
    """Something that is done when the first step is told."""
    done: list[object] = []

    def tell(_: list[Step]) -> None:
        if not done:
            done.append(act())

    return tell


def test_a_child_trains_one_fit_after_another_to_the_same_factors(order: FitRequest, home: Path) -> None:
    here: list[Step] = []
    expected = perform(replace(order, identity="b" * 64), home / "here.npz", here.extend)
    there: list[Step] = []
    with isolated(1):
        pids = {child.pid for child in children()}
        for identity in ("c" * 64, "d" * 64):
            there.clear()
            found = perform(replace(order, identity=identity), home / "there.npz", there.extend)
            assert found.factors.sha256 == expected.factors.sha256
            assert found.overlaps == expected.overlaps
        assert {child.pid for child in children()} == pids
        assert len(pids) == 1
    np.testing.assert_array_equal([step[2:5] for step in there], [step[2:5] for step in here])
    assert children() == []


@pytest.mark.parametrize("before", [True, False])
def test_a_fit_goes_on_with_the_threads_that_it_is_granted(order: FitRequest, home: Path, before: bool) -> None:
    """The last one of several takes over the cores of those that have ended, which may be before its order is sent."""
    granting = once(lambda: before or grant(40))

    def tell(steps: list[Step]) -> None:
        granting(steps)
        (child,) = children()
        if child.num_threads() >= 40:
            raise Stopped

    with isolated(1):
        if before:
            grant(40)
        with pytest.raises(Stopped):
            perform(replace(order, settings=ENDLESS), home / "f.npz", tell)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (
            signal.SIGSEGV,
            r"the training process ended \(SIGSEGV\) after iteration \d+ of 1000000; run the same command",
        ),
        (signal.SIGABRT, r"ended \(SIGABRT\)"),
        (signal.SIGKILL, r"ended \(SIGKILL\).*memory has probably run out: lower factors or execution\.workers"),
    ],
)
def test_a_crash_is_a_failed_fit_and_the_next_has_a_child_of_its_own(
    order: FitRequest, home: Path, sent: signal.Signals, told: str
) -> None:
    with isolated(1):
        (child,) = children()
        with pytest.raises(TrainingError, match=told):
            perform(replace(order, settings=ENDLESS), home / "f.npz", once(lambda: os.kill(child.pid, sent)))
        perform(replace(order, identity="b" * 64), home / "f.npz", lambda _: None)
    assert children() == []


def test_a_child_that_died_before_its_fit_is_a_failed_fit(order: FitRequest, home: Path) -> None:
    with isolated(1):
        children()[0].kill()
        with pytest.raises(TrainingError, match="after iteration 0 of 20"):
            perform(order, home / "f.npz", lambda _: None)


def test_a_limit_of_memory_is_a_failed_fit(order: FitRequest, home: Path) -> None:
    """The kernel refuses the child's next large piece of memory."""
    with isolated(1):
        (child,) = children()
        perform(order, home / "f.npz", lambda _: None)  # everything is imported by now
        child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + (64 << 20),) * 2)
        with pytest.raises(TrainingError, match="memory"):
            perform(
                replace(order, identity="b" * 64, settings=AlsConfig(factors=8000, iterations=2)),
                home / "f.npz",
                lambda _: None,
            )


def test_errors_of_a_fit_are_its_own(order: FitRequest, home: Path) -> None:
    huge = AlsConfig(factors=4, iterations=20, alpha=1e12, regularization=1e38)
    with isolated(1):
        with pytest.raises(TrainingError, match="regularization"):
            perform(replace(order, settings=huge), home / "f.npz", lambda _: None)
        Path(order.data.path).unlink()
        with pytest.raises(DataError, match="cannot be read"):
            perform(order, home / "f.npz", lambda _: None)


def test_what_is_called_off_ends_within_a_sweep_with_a_checkpoint(order: FitRequest, home: Path) -> None:
    def stop() -> None:
        raise Stopped

    with isolated(1):
        begun = time.monotonic()
        with pytest.raises(Stopped):
            perform(replace(order, settings=ENDLESS), home / "f.npz", once(stop))
        assert time.monotonic() - begun < worker_process._GRACE_SECONDS
        assert checkpoint.latest(order.identity) is not None
    assert children() == []


def test_a_stopped_child_is_killed(order: FitRequest, home: Path) -> None:
    """A sweep that does not end in time: here since the child is not running at all."""
    with isolated(1), interrupts.stoppable() as stop:
        (child,) = children()

        def suspend() -> None:
            child.suspend()
            threading.Timer(0.5, stop.set).start()

        begun = time.monotonic()
        with pytest.raises(Stopped):
            perform(replace(order, settings=ENDLESS), home / "f.npz", once(suspend))
        assert time.monotonic() - begun < worker_process._GRACE_SECONDS + 3
    assert children() == []


def test_a_child_ends_with_its_parent_whatever_ended_that(order: FitRequest, home: Path) -> None:
    code = (
        "import sys, pickle, time; from pathlib import Path; from tasks.recovery.worker_process import grant, isolated, perform\n"
        "order = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "with isolated(1):\n"
        "    perform(order, Path(sys.argv[2]), lambda steps: print(steps[-1].iteration, flush=True))\n"
    )
    import pickle

    endless = pickle.dumps(replace(order, settings=ENDLESS)).hex()
    parent = subprocess.Popen(
        [sys.executable, "-c", code, endless, str(home / "f.npz")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    child.wait(5)


def test_the_folder_one_stands_in_is_not_taken_for_ours(
    order: FitRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("raise SystemExit('another project')")
    monkeypatch.chdir(tmp_path)
    with isolated(1):
        perform(order, home / "f.npz", lambda _: None)
