"""kill -9, signals, memory, native crashes, processes that stop: what is complete stays, the rest is gone on with."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tasks.recovery import reconcile
from tasks.tracking import runs, search
from tests.faults.conftest import prefect_server
from tests.faults.lab import CONFIG, Digests, Lab, child_of, gone, kill, until
from tests.serving import refused_port, started

if TYPE_CHECKING:
    from mlflow.entities import Run

ROUNDS = int(os.environ.get("LATENTLAB_ROUNDS", "3"))
"""Of the loop over random moments: make test-faults ROUNDS=100."""
LONG = {**CONFIG["models"], "k8": {"factors": 8, "iterations": 1_000_000}}
CHECKPOINT = "home/checkpoints/*/[0-9]*.npz"
LATE = "home/checkpoints/*/[0-9][0-9][0-9][0-9]*.npz"
"""A checkpoint that only the long fit can have."""


def some(lab: Lab, pattern: str) -> Callable[[], set[Path]]:
    """Which files of a pattern have come since, whole."""

    def found() -> set[Path]:
        return {path for path in lab.folder.glob(pattern) if not path.name.startswith(".tmp")}

    before = found()
    return lambda: found() - before


def statuses(lab: Lab) -> list[str]:
    return sorted(run.info.status for run in search.our_runs(lab.client()))


def tagged(lab: Lab, key: str, role: str) -> Callable[[], bool]:
    """Whether one more run of some role has a tag, asked of the database itself."""

    def found() -> int:
        with sqlite3.connect(f"file:{lab.folder / 'mlflow.db'}?mode=ro", uri=True, timeout=0.1) as store:
            try:
                rows = store.execute(
                    "select count(*) from tags a join tags b on a.run_uuid = b.run_uuid "
                    "where a.key = ? and b.key = 'latentlab.role' and b.value = ?",
                    (key, role),
                )
                return int(rows.fetchone()[0])
            except sqlite3.OperationalError:
                return 0

    before = found()
    return lambda: found() > before


STEPS: dict[str, Callable[[Lab], Callable[[], object]]] = {
    "the archive is there": lambda lab: some(lab, "home/datasets/tiny.zip"),
    "the interactions are there": lambda lab: some(lab, "home/interactions/*.npz"),
    "the parent is open": lambda lab: tagged(lab, "latentlab.role", "parent"),
    "a fit is open": lambda lab: tagged(lab, "latentlab.role", "model"),
    "a checkpoint is there": lambda lab: some(lab, CHECKPOINT),
    "factors are staged": lambda lab: some(lab, "home/staging/*/*/staged.json"),
    "lists are being staged": lambda lab: some(lab, "home/staging/*/*/run/recommendations.parquet"),
    "a model is being made": lambda lab: some(lab, "home/staging/*/*/model"),
    "a file is uploaded": lambda lab: some(lab, "mlartifacts/faults/*/artifacts/factors.npz"),
    "the manifest is uploaded": lambda lab: some(lab, "mlartifacts/faults/*/artifacts/manifest.json"),
    "a fit is complete": lambda lab: tagged(lab, "latentlab.complete", "model"),
    "the held-out fits are open": lambda lab: tagged(lab, "latentlab.role", "evaluation"),
    "the report is uploaded": lambda lab: some(lab, "mlartifacts/faults/*/artifacts/report.html"),
    "the comparison is complete": lambda lab: tagged(lab, "latentlab.complete", "parent"),
}


@pytest.mark.timeout(900)
def test_kill_9_at_each_step(labs: Callable[[], Lab], undisturbed: Digests) -> None:
    """One after the other on one store: each start finds what all those before it have left.

    A step that the command has passed unseen is met in a store of its own, with those that follow.
    """
    lab, steps, unseen = labs(), list(STEPS), []
    while steps:
        complete: dict[str, str] = {}
        with lab.polled():
            while steps and killed_at(lab, steps[0]):
                now = lab.files()
                assert complete.items() <= now.items(), f"after {steps[0]}, what was complete has changed"
                complete = now
                del steps[0]
            lab.completes(undisturbed)
        assert complete.items() <= lab.files().items()
        if steps:
            unseen.append(steps[0])
            assert unseen.count(steps[0]) < 5, unseen
            lab = labs()


def killed_at(lab: Lab, step: str) -> bool:
    """Kill the command at a step; whether it was still there to be killed."""
    found = STEPS[step](lab)
    process = lab.start(stdout=subprocess.DEVNULL)  # a pipe that nobody reads would stop it in the end
    while process.poll() is None and not found():
        time.sleep(0.001)
    if process.poll() is not None:
        assert process.returncode == 0, process.communicate()
        return False
    child = next(iter(psutil.Process(process.pid).children()), None)
    kill(process)
    assert child is None or gone(child.pid), "the training process ends with the command"
    return True


@pytest.mark.long
@pytest.mark.timeout(200 * ROUNDS)
def test_kill_9_at_random_moments(
    labs: Callable[[], Lab], undisturbed: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round: a new home and store, a kill, and the same command again."""
    seed = int(os.environ.get("LATENTLAB_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"LATENTLAB_SEED={seed}")  # noqa: T201
    moments = random.Random(seed)
    begun = time.monotonic()
    labs().completes(undisturbed)
    whole = time.monotonic() - begun
    for number in range(ROUNDS):
        lab = labs()
        with lab.polled():
            process = lab.start()
            moment = moments.uniform(0, whole)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                kill(process)
            before = lab.files()
            lab.completes(undisturbed)
            assert before.items() <= lab.files().items(), f"round {number}, {moment:.3f} s"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_training_is_killed_within_5_s_and_gone_on_with(
    lab: Lab, sent: signal.Signals, code: int
) -> None:
    lab.configure(models=LONG)
    process = lab.start()
    until(some(lab, LATE), process)
    begun = time.monotonic()
    process.send_signal(sent)
    process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert process.returncode == code
    assert statuses(lab) == ["FINISHED", "FINISHED", "KILLED", "KILLED"]
    (folder,) = (lab.home / "checkpoints").iterdir()
    reached = max(int(path.stem) for path in folder.glob("*.npz"))
    process = lab.start()
    (fit,) = until(lambda: [run for run in search.our_runs(lab.client()) if is_open(run, "k8")], process)
    until(lambda: lab.client().get_metric_history(fit.info.run_id, "factor_change"), process)
    history = lab.client().get_metric_history(fit.info.run_id, "factor_change")
    process.kill()
    err = " ".join(process.communicate()[1].split())
    steps = [metric.step for metric in history]
    assert steps == list(range(2, len(steps) + 2))
    assert len(steps) > min(reached, 400), "those before the checkpoint are sent at once"
    assert "goes on after iteration" in err


def is_open(run: "Run", model: str) -> bool:
    return run.info.status == "RUNNING" and run.data.tags.get("latentlab.model") == model


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (signal.SIGSEGV, ["SIGSEGV", "goes on from the last checkpoint"]),
        (signal.SIGKILL, ["SIGKILL", "memory has probably run out"]),  # what the kernel does where memory runs out
    ],
)
def test_a_crash_of_the_training_process_is_a_failed_run(
    lab: Lab, undisturbed: Digests, sent: signal.Signals, words: list[str]
) -> None:
    lab.configure(models=LONG)
    process = lab.start()
    until(some(lab, LATE), process)
    child_of(process).send_signal(sent)
    out, err = process.communicate(timeout=60)
    lab.failed(subprocess.CompletedProcess([], process.returncode, out, err), 4, "the training process ended", *words)
    assert statuses(lab) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    reasons = [run.data.tags.get("latentlab.reason", "") for run in search.our_runs(lab.client())]
    assert sum("the training process ended" in reason for reason in reasons) == 2


def test_a_limit_of_memory_is_told(lab: Lab) -> None:
    """The kernel refuses the training process any more memory."""
    lab.configure(models={"k2": CONFIG["models"]["k2"], "huge": {"factors": 9000, "iterations": 2}})
    one_complete = tagged(lab, "latentlab.complete", "model")
    process = lab.start()
    child = child_of(process)
    until(one_complete, process)
    child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms,) * 2)
    out, err = process.communicate(timeout=60)
    lab.failed(subprocess.CompletedProcess([], process.returncode, out, err), 4, "memory")
    assert statuses(lab)[:2] == ["FAILED", "FAILED"]


@pytest.mark.long
def test_a_process_that_stopped_and_goes_on_when_another_has_taken_over(lab: Lab, undisturbed: Digests) -> None:
    first = lab.start()
    until(some(lab, CHECKPOINT), first)
    first.send_signal(signal.SIGSTOP)
    second = lab.run(timeout=200)
    assert second.returncode == 0, second.stderr
    assert "does not go on; it is begun again here" in " ".join(second.stderr.split())
    before = lab.files()
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    lab.agrees(undisturbed)
    assert before.items() <= lab.files().items()


def test_what_is_alive_is_not_reconciled_and_what_is_dead_is(lab: Lab) -> None:
    lab.configure(models=LONG)
    process = lab.start()
    until(some(lab, LATE), process)
    assert json.loads(lab.run("reconcile", "--json").stdout) == {"closed": []}
    assert statuses(lab) == ["FINISHED", "FINISHED", "RUNNING", "RUNNING"]
    kill(process)
    assert len(json.loads(lab.run("reconcile", "--json").stdout)["closed"]) == 2
    assert statuses(lab) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    (reason,) = {run.data.tags.get("latentlab.reason", "")[:12] for run in search.our_runs(lab.client())} - {""}
    assert reason == "its process "


@pytest.mark.long
def test_prefects_server_that_is_stopped_while_training(lab: Lab, undisturbed: Digests, tmp_path: Path) -> None:
    port, folder = refused_port(), tmp_path / "own"
    folder.mkdir()
    shared = lab.env["PREFECT_API_URL"]
    server = prefect_server(folder, port)
    try:
        lab.configure(models={"k8": {"factors": 8, "iterations": 60}, "k2": {"factors": 2, "iterations": 30_000}})
        lab.env |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_CLIENT_MAX_RETRIES": "1"}
        process = lab.start()
        until(lambda: [run for run in search.our_runs(lab.client()) if is_open(run, "k2")], process)
    finally:
        server.kill()
        server.wait()
    out, err = process.communicate(timeout=200)
    done = subprocess.CompletedProcess([], process.returncode, out, err)
    lab.failed(done, 6, "Prefect's API cannot be used", "check PREFECT_API_URL")
    assert "RUNNING" not in statuses(lab)
    lab.env["PREFECT_API_URL"] = shared
    lab.configure()
    again = lab.run()
    assert again.returncode == 0, again.stderr
    assert lab.digests().keys() >= undisturbed.keys()


@pytest.mark.long
def test_mlflows_server_that_is_stopped_at_an_upload(lab: Lab, undisturbed: Digests) -> None:
    port = refused_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", lab.store, "--workers", "1"]
    command += ["--artifacts-destination", str(lab.folder / "mlartifacts"), "--host", "127.0.0.1", "--port", str(port)]
    env = {**lab.env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    def serve() -> subprocess.Popen[bytes]:
        return started(command, lab.folder, env, f"{url}/health")

    def stop(server: subprocess.Popen[bytes]) -> None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

    server = serve()
    try:
        lab.env["MLFLOW_TRACKING_URI"] = url.replace("127", "me:hunter2@127")
        process = lab.start()
        until(some(lab, "mlartifacts/*/*/artifacts/factors.npz"), process)
        stop(server)
        out, err = process.communicate(timeout=250)
        done = subprocess.CompletedProcess([], process.returncode, out, err)
        server = serve()
        lab.failed(done, 5, "what is trained is kept")
        assert "hunter2" not in err
        # stopped for good, its process gone: the next start closes what could not be closed
        again = lab.run()
        assert again.returncode == 0, again.stderr
        printed = json.loads(again.stdout)
        assert printed["trained"] + printed["reused"] == 6
        assert "trained by an earlier run; it is uploaded now" in " ".join(again.stderr.split())
        assert {run.info.status for run in search.our_runs(lab.client())} == {"FINISHED", "FAILED"}
    finally:
        stop(server)
    found = [run for run in lab.complete() if runs.run_ref(run).identity in undisturbed]
    assert len(found) == len(undisturbed)
    assert reconcile.reconcile(lab.client()) == []
