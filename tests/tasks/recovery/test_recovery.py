"""Which open runs are dead, what is closed and what is left alone; leases between processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from tasks.core.config.als import AlsConfig
from tasks.core.errors import DataError, Stopped
from tasks.core.files import home, write_text
from tasks.core.planning.runs import MODEL, PlannedRun
from tasks.core.training import checkpoint
from tasks.recovery import heartbeat, lock, reconcile, working_directory
from tasks.recovery.interrupts import stoppable
from tasks.recovery.lock import lock
from tasks.recovery.process_identity import is_gone, this_process
from tasks.tracking import experiments, runs, search, store

HOLD = """
import sys, time
from tasks.lease import lock
with lock("work", "the work"):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def client(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    return store.open_store(store)


@pytest.fixture
def begin(client: MlflowClient, store: str, tmp_path: Path) -> Callable[..., str]:
    """Starts a run of ours, with tags that may say that another process holds it."""
    experiment_id = experiments.open_experiment(client, store, tmp_path.name)

    def start(**tags: str) -> str:
        planned = PlannedRun("k2", 0, MODEL, AlsConfig(factors=2, iterations=3), 7, "same")
        run_id = runs.start_fit(client, experiment_id, planned, {})
        for key, value in tags.items():
            client.set_tag(run_id, f"latentlab.{key}", value)
        return run_id

    return start


def ago(seconds: float) -> str:
    return f"{time.time() - seconds:.0f}"


def of_another_machine(**more: object) -> str:
    return json.dumps({**this_process(), "machine": "another", "host": "far", **more})


def dead_process() -> str:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    return json.dumps({**this_process(), "pid": ended.pid})


def status(client: MlflowClient, run_id: str) -> str:
    return str(client.get_run(run_id).info.status)


def test_a_run_whose_process_is_here_and_speaks_is_left_alone(client: MlflowClient, begin: Callable[..., str]) -> None:
    run_id = begin()
    assert reconcile.reconcile(client) == []
    assert status(client, run_id) == "RUNNING"


def test_a_run_whose_process_is_gone_is_closed_at_once_with_the_reason(
    client: MlflowClient, begin: Callable[..., str]
) -> None:
    alive, dead = begin(), begin(process=dead_process())
    assert [run.info.run_id for run in reconcile.reconcile(client)] == [dead]
    assert (status(client, alive), status(client, dead)) == ("RUNNING", "FAILED")
    assert "ended without a word; it was last heard of at" in client.get_run(dead).data.tags["latentlab.reason"]


def test_a_process_number_that_another_process_has_got_is_not_the_same_process() -> None:
    assert not is_gone(this_process())
    assert is_gone({**this_process(), "started": 1.0})
    assert not is_gone({"machine": "another", "pid": 1, "started": 1.0})
    assert not is_gone({})


def test_of_another_machine_only_silence_tells(client: MlflowClient, begin: Callable[..., str]) -> None:
    speaks = begin(process=of_another_machine(pid=1), heartbeat=ago(heartbeat.SILENT_SECONDS - 10))
    silent = begin(process=of_another_machine(pid=1), heartbeat=ago(heartbeat.SILENT_SECONDS + 10))
    assert [run.info.run_id for run in reconcile.reconcile(client)] == [silent]
    assert status(client, speaks) == "RUNNING"
    assert "its process on far ended" in client.get_run(silent).data.tags["latentlab.reason"]


def test_what_has_ended_is_left_as_it_is(client: MlflowClient, begin: Callable[..., str]) -> None:
    run_id = begin(process=dead_process())
    client.set_terminated(run_id, "KILLED")
    assert reconcile.reconcile(client) == []
    assert status(client, run_id) == "KILLED"


def test_runs_of_other_programs_are_left_alone(client: MlflowClient, store: str, tmp_path: Path) -> None:
    run = client.create_run(experiments.open_experiment(client, store, tmp_path.name), start_time=1)
    assert reconcile.reconcile(client) == []
    assert status(client, run.info.run_id) == "RUNNING"


def test_a_run_that_is_alive_says_so(
    client: MlflowClient, begin: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    run_id = begin(heartbeat="1", process="")
    with heartbeat.alive(client, run_id):
        time.sleep(0.5)
        assert heartbeat.is_alive(client.get_run(run_id))
    client.set_tag(run_id, "latentlab.heartbeat", "1")
    time.sleep(0.3)
    assert not heartbeat.is_alive(client.get_run(run_id)), "it says so no more"


def test_what_lies_about_of_complete_fits_is_removed_unless_one_trains_them_anew(
    client: MlflowClient, begin: Callable[..., str]
) -> None:
    def leave(identity: str) -> None:
        write_text(working_directory.factors_path(identity, "a run"), "factors")
        write_text(checkpoint.folder(identity) / "3.npz", "a checkpoint")

    client.set_terminated(begin(complete="x", identity="complete"), "FINISHED")
    client.set_terminated(begin(complete="x", identity="anew"), "FINISHED")
    begin(identity="anew")
    client.set_terminated(begin(identity="failed"), "FAILED")
    for identity in ("complete", "anew", "failed", "elsewhere"):
        leave(identity)
    reconcile.reconcile(client)
    assert working_directory.identities() == checkpoint.identities() == {"anew", "failed", "elsewhere"}


# Leases


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """A process that holds the lock for a minute."""
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    return hold(60)


def hold(seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lease_that_nobody_holds_is_had_at_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    with lock("work", "the work") as waited:
        assert not waited
        assert [path.name for path in (tmp_path / "locks").iterdir()] == ["work"]
    assert list((tmp_path / "locks").iterdir()) == []


def test_one_waits_for_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    process, begun = hold(1.5), time.monotonic()
    with lock("work", "the work") as waited:
        assert waited
        assert time.monotonic() - begun > 1
    process.wait()


def test_a_lease_whose_process_was_killed_is_free_at_once(held: subprocess.Popen[str]) -> None:
    held.kill()
    held.wait()
    begun = time.monotonic()
    with lock("work", "the work") as waited:
        assert not waited
    assert time.monotonic() - begun < 1


def test_what_is_left_of_a_lease_goes_with_what_a_crash_left(client: MlflowClient, held: subprocess.Popen[str]) -> None:
    """A fit that is complete is not begun again, so that nobody would take its lock."""
    (left,) = (home() / "locks").iterdir()
    reconcile.reconcile(client)
    assert left.exists(), "it is held"
    held.kill()
    held.wait()
    assert left.exists()
    reconcile.reconcile(client)
    assert not left.exists()


def test_a_lease_that_is_let_go_of_between_two_looks_is_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    looks = iter([False, True])

    def acquired(lock: FileLock, path: Path) -> bool:
        return next(looks) and acquire(lock, path)  # held at the first look, and its file gone at once

    acquire = lock._acquired
    monkeypatch.setattr(lock, "_acquired", acquired)
    with lock("work", "the work") as waited:
        assert waited


def test_a_lease_whose_process_has_stopped_is_passed_over(
    held: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "EXPIRES_SECONDS", 2.0)
    os.kill(held.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with lock("work", "the work") as waited:
            assert waited
        assert time.monotonic() - begun < 15
        assert "does not go on; it is begun again here" in caplog.text
    finally:
        held.kill()
        held.wait()


def test_waiting_can_be_called_off(held: subprocess.Popen[str]) -> None:
    with stoppable() as stop:
        stop.set()
        with pytest.raises(Stopped), lock("work", "the work"):
            pass
    held.kill()
    held.wait()


def test_a_folder_of_locks_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    with pytest.raises(DataError, match="cannot be written"), lock("work", "the work"):
        pass


def test_two_complete_runs_of_an_identity_are_settled_once(client: MlflowClient, begin: Callable[..., str]) -> None:
    first, second = begin(complete="x"), begin(complete="x")
    client.set_terminated(first, "FINISHED", 2000)
    client.set_terminated(second, "FINISHED", 1000)
    experiment_id = str(client.get_run(first).info.experiment_id)
    for _ in range(2):
        assert {ref.run_id for ref in search.resolve_duplicates(client, experiment_id, "same").values()} == {second}
    assert client.get_run(first).data.tags["latentlab.superseded"] == second
