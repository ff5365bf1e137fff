"""Fits in child processes: the same factors; crashes, signals, and a parent that ends."""

import os
import pickle
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
from tasks.recovery import worker_process
from tasks.recovery.worker_process import run_isolated, worker_processes
from tasks.reporting.progress import stoppable

ENDLESS = AlsConfig(factors=4, iterations=1_000_000)


@pytest.fixture
def fit_request(home: Path) -> FitRequest:
    dense = (np.random.default_rng(5).random((40, 25)) < 0.3).astype(np.float32)
    interactions = Interactions(csr_array(dense), np.arange(40), np.arange(25), None)
    return FitRequest(
        identity="a" * 64,
        data=put("interactions", ".npz", interactions.save),
        settings=AlsConfig(factors=4, iterations=20),
        seed=7,
        snapshots=(1,),
        queries=(3,),
        n=5,
        threads=1,
        checkpoint_seconds=1e9,
        checkpoints=home / "checkpoints",
        target=home / "factors.npz",
    )


@pytest.fixture
def endless(fit_request: FitRequest) -> FitRequest:
    return replace(fit_request, settings=ENDLESS)


def children() -> list[psutil.Process]:
    """The child processes that train."""
    training = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has ended, or is a zombie of another test
            while not (words := child.cmdline()):  # it has only just started
                time.sleep(0.01)
            if "tasks.recovery.worker_process" in words:
                training.append(child)
    return training


def once(act: Callable[[], object]) -> Callable[[list[Step]], None]:
    """Return a callback that acts at the first step."""
    done: list[object] = []

    def on_steps(_: list[Step]) -> None:
        if not done:
            done.append(act())

    return on_steps


def ignore(_: list[Step]) -> None:
    """A callback that does nothing."""


def test_a_child_trains_one_fit_after_another_to_the_same_factors(fit_request: FitRequest, home: Path) -> None:
    steps_here: list[Step] = []
    expected = run_isolated(fit_request, steps_here.extend)
    steps_there: list[Step] = []
    with worker_processes(1):
        pids = {child.pid for child in children()}
        for number in range(2):
            steps_there.clear()
            result = run_isolated(replace(fit_request, checkpoints=home / str(number)), steps_there.extend)
            assert result.factors.sha256 == expected.factors.sha256
            assert result.overlaps == expected.overlaps
        assert {child.pid for child in children()} == pids
        assert len(pids) == 1
    np.testing.assert_array_equal([step[2:5] for step in steps_there], [step[2:5] for step in steps_here])
    assert children() == []


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (
            signal.SIGSEGV,
            r"the training process ended \(SIGSEGV\) after iteration \d+ of 1000000; run the same command",
        ),
        (signal.SIGABRT, r"ended \(SIGABRT\)"),
        (signal.SIGKILL, r"ended \(SIGKILL\).*memory has probably run out: lower factors or execution\.workers"),
    ],
)
def test_a_crash_is_a_failed_fit_and_the_next_fit_has_a_new_child(
    fit_request: FitRequest, endless: FitRequest, sent: signal.Signals, message: str
) -> None:
    with worker_processes(1):
        (child,) = children()
        with pytest.raises(TrainingError, match=message):
            run_isolated(endless, once(lambda: os.kill(child.pid, sent)))
        run_isolated(fit_request, ignore)
    assert children() == []


def test_a_child_that_died_before_its_fit_is_a_failed_fit(fit_request: FitRequest) -> None:
    with worker_processes(1):
        children()[0].kill()
        with pytest.raises(TrainingError, match="after iteration 0 of 20"):
            run_isolated(fit_request, ignore)


def test_a_limit_of_memory_is_a_failed_fit(fit_request: FitRequest, home: Path) -> None:
    """The kernel refuses the child's next large piece of memory."""
    huge = replace(fit_request, settings=AlsConfig(factors=8000, iterations=2), checkpoints=home / "huge")
    with worker_processes(1):
        (child,) = children()
        run_isolated(fit_request, ignore)  # everything is imported by now
        child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + (64 << 20),) * 2)
        with pytest.raises(TrainingError, match="memory"):
            run_isolated(huge, ignore)


def test_an_error_of_a_fit_is_raised_as_it_was_in_the_child(fit_request: FitRequest) -> None:
    diverging = AlsConfig(factors=4, iterations=20, alpha=1e12, regularization=1e38)
    with worker_processes(1):
        with pytest.raises(TrainingError, match="regularization"):
            run_isolated(replace(fit_request, settings=diverging), ignore)
        Path(fit_request.data.path).unlink()
        with pytest.raises(DataError, match="cannot be read"):
            run_isolated(fit_request, ignore)


def test_a_fit_that_is_stopped_writes_a_checkpoint_within_the_grace_period(endless: FitRequest) -> None:
    def stop() -> None:
        raise Stopped

    with worker_processes(1):
        begun = time.monotonic()
        with pytest.raises(Stopped):
            run_isolated(endless, once(stop))
        assert time.monotonic() - begun < worker_process._GRACE_SECONDS
        assert checkpoint.latest(endless.checkpoints, endless.identity) is not None
    assert children() == []


def test_a_child_that_does_not_stop_in_time_is_killed(endless: FitRequest) -> None:
    """An iteration that does not end: here because the child is suspended."""
    stop = threading.Event()
    with worker_processes(1), stoppable(stop):
        (child,) = children()

        def suspend() -> None:
            child.suspend()
            threading.Timer(0.5, stop.set).start()

        begun = time.monotonic()
        with pytest.raises(Stopped):
            run_isolated(endless, once(suspend))
        assert time.monotonic() - begun < worker_process._GRACE_SECONDS + 3
    assert children() == []


def test_a_child_ends_with_its_parent_however_that_ends(endless: FitRequest) -> None:
    code = (
        "import pickle, sys\n"
        "from tasks.recovery.worker_process import run_isolated, worker_processes\n"
        "request = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "with worker_processes(1):\n"
        "    run_isolated(request, lambda steps: print(steps[-1].iteration, flush=True))\n"
    )
    command = [sys.executable, "-c", code, pickle.dumps(endless).hex()]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    child.wait(5)


def test_a_package_called_tasks_in_the_current_folder_is_not_imported(
    fit_request: FitRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("raise SystemExit('another project')")
    monkeypatch.chdir(tmp_path)
    with worker_processes(1):
        run_isolated(fit_request, ignore)


def test_a_file_of_the_home_that_cannot_be_used_is_an_expected_failure(fit_request: FitRequest) -> None:
    """A damaged checkpoint that cannot be set aside stands for every file operation outside a `writing` block."""
    (fit_request.checkpoints / "3.damaged/full").mkdir(parents=True)
    (fit_request.checkpoints / "3.npz").write_bytes(b"")
    message = r"checkpoints/3\.npz: cannot be read or written: Is a directory"
    with pytest.raises(DataError, match=message), worker_processes(1):
        run_isolated(fit_request, ignore)
