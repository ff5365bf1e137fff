"""Locks between processes: one works, the others wait and say for whom."""

import errno
import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.errors import DataError, Stopped
from tasks.recovery import lock as module
from tasks.recovery.lock import lock, locks_hold_between_machines, remove_unused
from tasks.reporting.progress import stoppable

HOLD = """
import sys, time
from tasks.recovery.lock import lock
with lock("work", "the work"):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def hold(seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds the lock for so many seconds."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock for a minute."""
    process = hold(60)
    yield process
    process.kill()
    process.wait()


def test_a_free_lock_is_acquired_at_once_and_leaves_no_file(home: Path) -> None:
    with lock("work", "the work") as waited:
        assert not waited
        assert [path.name for path in (home / "locks").iterdir()] == ["work"]
    assert list((home / "locks").iterdir()) == []


def test_a_process_waits_and_says_who_holds_the_lock_since_when(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    process, begun = hold(1.5), time.monotonic()
    with lock("work", "the work") as waited:
        assert waited
        assert time.monotonic() - begun > 1
    process.wait()
    (message,) = [record.message for record in caplog.records if record.name == module.__name__]
    assert f"the work: waiting for process {process.pid} on host {os.uname().nodename}, which holds the lock" in message
    assert time.strftime("since %H:") in message


def test_the_lock_of_a_killed_process_is_free_at_once(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    begun = time.monotonic()
    with lock("work", "the work") as waited:
        assert not waited
    assert time.monotonic() - begun < 1


def test_of_many_threads_that_want_a_lock_one_at_a_time_holds_it(home: Path) -> None:
    """Each release removes the lock file, while the others open it."""
    inside, most = [], []

    def work() -> None:
        with lock("work", "the work"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_lock_whose_file_is_removed_between_open_and_flock_is_not_held(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder removes the file as it releases. A waiter that has opened it then locks a file without a name."""
    path, flock, removed = home / "locks" / "work", fcntl.flock, []

    def flock_of_a_waiter(descriptor: int, operation: int) -> None:
        if not removed and operation & fcntl.LOCK_EX:
            path.unlink()
            removed.append(path)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_of_a_waiter)
    with lock("work", "the work"):
        assert removed
        assert module._acquire(path) is None, "a second process would hold the lock, too"


def test_lock_files_that_no_process_holds_are_removed(home: Path, holder: subprocess.Popen[str]) -> None:
    (path,) = (home / "locks").iterdir()
    remove_unused()
    assert path.exists()
    holder.kill()
    holder.wait()
    assert path.exists()
    remove_unused()
    assert not path.exists()


def test_waiting_ends_when_the_work_is_to_stop(holder: subprocess.Popen[str]) -> None:
    stop = threading.Event()
    stop.set()
    with stoppable(stop), pytest.raises(Stopped, match="while it waited"), lock("work", "the work"):
        pass


def test_a_home_that_cannot_be_written_is_an_error(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(DataError, match="cannot be written"), lock("work", "the work"):
        pass


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """No such file system can be mounted here: flock answers as it does there."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DataError, match=r"has no locks.*set LATENTLAB_HOME to another disk"), lock("work", "the work"):
        pass


@pytest.mark.parametrize(
    ("file_system", "options", "hold_between_machines"),
    [
        ("ext4", "rw,relatime", True),
        ("nfs4", "rw,vers=4.2,local_lock=none,addr=10.0.0.1", True),
        ("nfs", "rw,vers=3,nolock,local_lock=all", False),
        ("nfs", "rw,vers=3,local_lock=flock", False),
        ("cifs", "rw,nobrl", False),
        ("ext4", "rw,nolock", True),
    ],
)
def test_network_file_systems_whose_locks_hold_on_one_machine_only_are_known(
    file_system: str, options: str, hold_between_machines: bool
) -> None:
    assert locks_hold_between_machines(file_system, options) is hold_between_machines


def test_a_home_on_such_a_file_system_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "locks_hold_between_machines", lambda *_: False)
    with pytest.raises(DataError, match="locks do not hold between machines"), lock("work", "the work"):
        pass
