"""Processes that are interrupted, crash, run out of memory, stop, or run at the same time."""

import json
import re
import signal
import socket
import time

import psutil
import pytest
from mlflow.entities import Run

from tasks.tracking.runs import run_ref
from tasks.tracking.search import our_runs
from tests.faults.workspace import (
    CHECKPOINTS,
    CONFIG,
    RECORDS,
    WORKING_DIRECTORIES,
    Digests,
    Workspace,
    ended,
    kill,
    one_line,
    wait_until,
    worker_of,
)

LONG = {
    "models": {**CONFIG["models"], "k8": {"factors": 8, "iterations": 1_000_000}},
    "execution": {**CONFIG["execution"], "workers": 1},  # one fit after the other
}
"""A config whose first two fits, of k2, are complete soon, and whose third does not end within a test."""
CHECKPOINTS_OF_LONG = f"{WORKING_DIRECTORIES}/*/checkpoints/[0-9][0-9][0-9][0-9]*.npz"
"""Those after 1,000 iterations or more, which only the long fit has."""


def statuses(workspace: Workspace) -> list[str]:
    return sorted(run.info.status for run in our_runs(workspace.client))


def reasons(workspace: Workspace) -> list[str]:
    """Return the reasons of the runs that failed."""
    tags = (run.data.tags.get("latentlab.reason") for run in our_runs(workspace.client))
    return [reason for reason in tags if reason]


def is_open(run: Run, model: str) -> bool:
    return run.info.status == "RUNNING" and run.data.tags.get("latentlab.model") == model


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_training_within_5_s_and_the_next_start_resumes_it(
    workspace: Workspace, number: signal.Signals, code: int
) -> None:
    workspace.configure(**LONG)
    process = workspace.start()
    wait_until(workspace.appears(CHECKPOINTS_OF_LONG), process)
    begun = time.monotonic()
    process.send_signal(number)
    done = ended(process, timeout=20)
    assert time.monotonic() - begun < 5
    assert done.returncode == code
    assert statuses(workspace) == ["FINISHED", "FINISHED", "KILLED", "KILLED"]
    checkpoints = list(workspace.folder.glob(CHECKPOINTS_OF_LONG))
    assert len({path.parent for path in checkpoints}) == 1
    reached = max(int(path.stem) for path in checkpoints)
    logged = workspace.increases("select count(distinct run_uuid) from metrics where key = 'elapsed_seconds'")
    only_first = ("--set", "replicates=1", "--set", "evaluation=null")
    process = workspace.start("run", "config.yaml", "--json", *only_first)
    wait_until(logged, process)
    (fit,) = [run for run in our_runs(workspace.client) if is_open(run, "k8")]
    history = workspace.client.get_metric_history(fit.info.run_id, "elapsed_seconds")
    process.kill()
    err = one_line(process.communicate()[1])
    steps = [metric.step for metric in history]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > min(reached, 400), "the metrics up to the checkpoint are logged at once"
    assert f"k8 #0: resumed after iteration {reached}, from the checkpoint of an earlier run" in err


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, ["SIGSEGV", "resumes from the last checkpoint"]),
        (signal.SIGKILL, ["SIGKILL", "memory has probably run out"]),  # as by the kernel if memory runs out
    ],
)
def test_a_crash_of_the_training_process_is_a_failed_run(
    workspace: Workspace, number: signal.Signals, words: list[str]
) -> None:
    workspace.configure(**LONG)
    process = workspace.start()
    wait_until(workspace.appears(CHECKPOINTS_OF_LONG), process)
    worker_of(process).send_signal(number)
    workspace.check_failure(ended(process, timeout=60), 4, "the training process ended", *words)
    assert statuses(workspace) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    assert sum("the training process ended" in reason for reason in reasons(workspace)) == 2


def test_a_fit_that_runs_out_of_memory_is_a_failed_run(workspace: Workspace) -> None:
    """The kernel refuses further memory to the training process."""
    huge = {"k2": CONFIG["models"]["k2"], "huge": {"factors": 9000, "iterations": 2}}
    workspace.configure(**(LONG | {"models": huge}))
    records = workspace.appears(RECORDS)
    process = workspace.start()
    wait_until(lambda: len(records()) == 2, process)  # both fits of k2 are trained
    worker = worker_of(process)
    worker.rlimit(psutil.RLIMIT_AS, (worker.memory_info().vms,) * 2)
    workspace.check_failure(ended(process, timeout=60), 4, "memory")
    assert statuses(workspace) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]


@pytest.mark.long
def test_a_stopped_process_keeps_its_lock_and_another_waits_for_it(workspace: Workspace, expected: Digests) -> None:
    """The stop is longer than the silence after which the runs of an unknown process count as dead."""
    first = workspace.start()
    wait_until(workspace.appears(CHECKPOINTS), first)
    first.send_signal(signal.SIGSTOP)
    log = workspace.folder / "second.txt"
    with log.open("w") as file:
        second = workspace.start(stderr=file)
    holder = (
        rf"experiment faults: waiting for process {first.pid} on host {re.escape(socket.gethostname())}, "
        r"which holds the lock since \d\d:\d\d:\d\d"
    )
    wait_until(lambda: re.search(holder, one_line(log.read_text())), second)
    runs = {run.info.run_id for run in our_runs(workspace.client)}
    time.sleep(35)
    assert second.poll() is None
    assert {run.info.run_id for run in our_runs(workspace.client)} == runs
    first.send_signal(signal.SIGCONT)
    results = []
    for process in (first, second):
        done = ended(process)
        assert done.returncode == 0, done.stderr or log.read_text()
        results.append(json.loads(done.stdout))
    assert [(result["trained"], result["reused"]) for result in results] == [(6, 0), (0, 6)]
    assert results[0]["parent_id"] == results[1]["parent_id"]
    assert statuses(workspace) == ["FINISHED"] * 7
    workspace.check_results(expected)


def test_reconcile_closes_runs_of_dead_processes_and_no_others(workspace: Workspace) -> None:
    workspace.configure(**LONG)
    process = workspace.start()
    wait_until(workspace.appears(CHECKPOINTS_OF_LONG), process)
    assert json.loads(workspace.run("reconcile", "--json").stdout) == {"closed": []}
    assert statuses(workspace) == ["FINISHED", "FINISHED", "RUNNING", "RUNNING"]
    kill(process)
    assert len(json.loads(workspace.run("reconcile", "--json").stdout)["closed"]) == 2
    assert statuses(workspace) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    died = f"the process on {socket.gethostname()} died; its last heartbeat was at "
    assert [reason.startswith(died) for reason in reasons(workspace)] == [True, True]


def test_four_processes_at_once_on_an_empty_home_and_no_store(workspace: Workspace, expected: Digests) -> None:
    """Three run one config, and one runs another config with the same fits."""
    (workspace.folder / "mlflow.db").unlink()
    with workspace.reader():
        processes = [workspace.start() for _ in range(3)]
        processes.append(workspace.start("run", "config.yaml", "--json", "--set", "queries.users=[5]"))
        commands = [ended(process, timeout=250) for process in processes]
    assert [done.returncode for done in commands] == [0] * 4, [done.stderr for done in commands]
    results = [json.loads(done.stdout) for done in commands]
    assert len({result["parent_id"] for result in results[:3]}) == 1
    assert sum(result["trained"] for result in results) >= 6
    complete = workspace.complete_runs()
    assert len({run.info.experiment_id for run in complete}) == 1
    identities = [run_ref(run).identity for run in complete]
    assert len(identities) == len(set(identities)) == len(expected) + 1
    digests = workspace.digests()
    held_out = [identity for identity, files in expected.items() if "accuracy.parquet" in files]
    assert {key: digests[key] for key in held_out} == {key: expected[key] for key in held_out}
