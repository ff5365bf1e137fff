"""SIGKILL at any moment: complete runs stay as they are, and the same command completes the rest."""

import os
import random
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest

from tasks.tracking.runs import run_ref
from tests.faults.workspace import (
    CHECKPOINTS,
    RECORDS,
    WORKING_DIRECTORIES,
    Digests,
    Workspace,
    ended,
    ends,
    kill,
    wait_until,
)

ROUNDS = int(os.environ.get("LATENTLAB_ROUNDS", "3"))
"""Random moments that are tried: make test-faults ROUNDS=100."""


def tagged(workspace: Workspace, key: str, role: str) -> Callable[[], bool]:
    """Return a condition: one more run of a role has a tag."""
    query = (
        "select count(*) from tags a join tags b on a.run_uuid = b.run_uuid "
        "where a.key = ? and b.key = 'latentlab.role' and b.value = ?"
    )
    return workspace.increases(query, key, role)


STEPS: dict[str, Callable[[Workspace], Callable[[], object]]] = {
    "the archive is downloaded": lambda w: w.appears("home/datasets/tiny.zip"),
    "the interactions are written": lambda w: w.appears("home/interactions/*.npz"),
    "the parent run is open": lambda w: tagged(w, "latentlab.role", "parent"),
    "a fit is open": lambda w: tagged(w, "latentlab.role", "model"),
    "a checkpoint is written": lambda w: w.appears(CHECKPOINTS),
    "factors are in the working directory": lambda w: w.appears(RECORDS),
    "lists are written": lambda w: w.appears(f"{WORKING_DIRECTORIES}/*/run/recommendations.parquet"),
    "a model is written": lambda w: w.appears(f"{WORKING_DIRECTORIES}/*/model"),
    "a file is uploaded": lambda w: w.appears("mlartifacts/faults/*/artifacts/factors.npz"),
    "a manifest is uploaded": lambda w: w.appears("mlartifacts/faults/*/artifacts/manifest.json"),
    "a fit is complete": lambda w: tagged(w, "latentlab.complete", "model"),
    "a held-out fit is open": lambda w: tagged(w, "latentlab.role", "evaluation"),
    "the report is uploaded": lambda w: w.appears("mlartifacts/faults/*/artifacts/report.html"),
    "the comparison is complete": lambda w: tagged(w, "latentlab.complete", "parent"),
}


@pytest.mark.timeout(900)
def test_kill_9_at_each_step(new_workspace: Callable[[], Workspace], expected: Digests) -> None:
    """The steps follow each other in one store, so that each start meets what all kills before it have left.

    If the command completes before a step is noticed, that step and the following ones get another store.
    """
    workspace, steps, unnoticed = new_workspace(), list(STEPS), list[str]()
    while steps:
        complete: dict[str, str] = {}
        with workspace.reader():
            while steps and killed_at(workspace, steps[0]):
                files = workspace.complete_files()
                assert complete.items() <= files.items(), f"after {steps[0]}, files of complete runs have changed"
                complete = files
                del steps[0]
            workspace.completes(expected)
        assert complete.items() <= workspace.complete_files().items()
        if steps:
            unnoticed.append(steps[0])
            assert unnoticed.count(steps[0]) < 5, unnoticed
            workspace = new_workspace()


def killed_at(workspace: Workspace, step: str) -> bool:
    """Start the command and kill it at a step; return False if it completed before the step was noticed."""
    reached = STEPS[step](workspace)
    process = workspace.start(stdout=subprocess.DEVNULL)  # nobody reads a pipe, and a full one would block the command
    while process.poll() is None and not reached():
        time.sleep(0.004)
    if process.poll() is not None:
        assert process.returncode == 0, process.communicate()
        return False
    child = next(iter(psutil.Process(process.pid).children()), None)
    kill(process)
    assert child is None or ends(child.pid), "the training process outlives the command"
    return True


def test_kill_before_the_comparison_leaves_a_working_directory_which_the_next_start_removes(
    workspace: Workspace, expected: Digests
) -> None:
    process = workspace.start()
    wait_until(workspace.increases("select count(*) from runs where status = 'FINISHED'"), process)
    kill(process)
    complete = {run_ref(run).identity for run in workspace.complete_runs()}
    directories = {path.parent.name for path in workspace.folder.glob(RECORDS)}
    assert complete
    assert complete <= directories
    printed = workspace.completes(expected)  # no working directory is left
    assert (printed["trained"], printed["reused"]) == (6 - len(complete), len(complete))


@pytest.mark.long
@pytest.mark.timeout(200 * ROUNDS)
def test_kill_9_at_random_moments(new_workspace: Callable[[], Workspace], expected: Digests) -> None:
    """In each round a new home and store, a kill, and the same command again.

    In every third round a second process runs the same config from the start, and is not killed.
    """
    seed = int(os.environ.get("LATENTLAB_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"LATENTLAB_SEED={seed}")  # noqa: T201
    moments = random.Random(seed)
    begun = time.monotonic()
    undisturbed = new_workspace()
    assert ended(undisturbed.start()).returncode == 0
    undisturbed.check_results(expected)
    duration = time.monotonic() - begun
    kills = 0
    for number in range(ROUNDS):
        workspace = new_workspace()
        with workspace.reader():
            process = workspace.start()
            second = workspace.start() if number % 3 == 2 else None
            moment = moments.uniform(0, duration)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                kill(process)
                kills += 1
            complete = workspace.complete_files()
            if second:
                done = ended(second)
                assert done.returncode == 0, f"round {number}, {moment:.3f} s: {done.stderr}"
            workspace.completes(expected)
            assert complete.items() <= workspace.complete_files().items(), f"round {number}, {moment:.3f} s"
    print(f"{kills} kills in {ROUNDS} rounds")  # noqa: T201
