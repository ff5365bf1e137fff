"""Disks that are full, read-only or removed, a store that is locked, and files that are damaged."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.tracking.runs import run_ref
from tests.faults.workspace import CHECKPOINTS, CONFIG, RECORDS, Digests, Workspace, ended, kill, wait_until


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """Mount a small file system during the block; yields a function that remounts it with other options."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mount.returncode:
        pytest.skip(f"no file system can be mounted here: {mount.stderr.decode()}")

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield remount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_or_full_home(workspace: Workspace, expected: Digests) -> None:
    with mounted(workspace.home, "size=20m,ro") as remount:
        workspace.fails(3, "cannot be written: Read-only file system")
        remount("size=60k,rw")
        workspace.fails(3, "No space left on device", "free space, or set LATENTLAB_HOME elsewhere")
        assert workspace.complete_runs() == []
        remount("size=20m")
        workspace.completes(expected)


def test_a_full_artifact_store(workspace: Workspace, expected: Digests) -> None:
    with mounted(workspace.folder / "mlartifacts", "size=100k") as remount:
        workspace.fails(5, "artifacts cannot be written", "No space left on device", "what is trained is kept")
        remount("size=20m")
        workspace.completes(expected)


def test_a_home_that_is_removed_during_training(workspace: Workspace, expected: Digests) -> None:
    workspace.configure(models={**CONFIG["models"], "k8": {"factors": 8, "iterations": 4_000}})
    process = workspace.start()
    wait_until(workspace.appears(CHECKPOINTS), process)
    shutil.rmtree(workspace.home, ignore_errors=True)
    workspace.check_failure(ended(process), 3, "cannot be", str(workspace.home))
    # the longer fits have been interrupted, and the next start does not need them
    unfinished = {path for path in workspace.home.glob("work/*") if path.name not in expected}
    workspace.configure()
    workspace.completes(expected, unfinished)


def test_a_store_that_is_locked_for_longer_than_mlflow_waits(workspace: Workspace, expected: Digests) -> None:
    """MLflow waits for 20 s: the command either completes, or ends with a clear error and loses nothing."""
    process = workspace.start()
    wait_until(workspace.appears(RECORDS), process)
    with closing(sqlite3.connect(workspace.folder / "mlflow.db", timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(22)
        database.execute("ROLLBACK")
    done = ended(process, timeout=150)
    assert "Traceback" not in done.stderr
    if done.returncode:
        workspace.check_failure(done, 5, "database is locked", "what is trained is kept")
    workspace.completes(expected)


def flip(path: Path) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Remove the end."""
    path.write_bytes(path.read_bytes()[:-10])


class Pickled:
    """An object whose pickle makes a folder when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def plant(path: Path) -> None:
    """Replace an array by a pickle that runs code."""
    np.savez(path, user_factors=np.array([Pickled(path.parent / "made-by-a-pickle")], dtype=object))


def test_local_files_that_were_damaged_between_two_starts_are_made_again(
    workspace: Workspace, expected: Digests
) -> None:
    """The prepared interactions, checkpoints, and factors in the working directory, in three ways each."""
    for damage in (flip, cut, plant):
        process = workspace.start()
        wait_until(workspace.appears(CHECKPOINTS), process)
        kill(process)
        checkpoints = list(workspace.folder.glob(CHECKPOINTS))
        interactions = list(workspace.home.glob("interactions/*.npz"))
        assert checkpoints
        assert interactions
        for path in checkpoints + interactions:
            damage(path)
        process = workspace.start()
        wait_until(workspace.appears(RECORDS), process)
        kill(process)
        factors = list(workspace.home.glob("work/*/run/factors.npz"))
        assert factors
        for path in factors:
            damage(path)
    workspace.completes(expected)
    assert list(workspace.folder.rglob("made-by-a-pickle")) == []


def test_verify_names_each_damaged_missing_and_extra_file(workspace: Workspace, expected: Digests) -> None:
    workspace.completes(expected)
    intact = workspace.run("verify", "--json")
    assert intact.returncode == 0, intact.stderr
    assert json.loads(intact.stdout) == {"runs": 7, "files": json.loads(intact.stdout)["files"], "problems": []}
    fits = [run for run in workspace.complete_runs() if run_ref(run).role == "model"]
    folder = Path(fits[0].info.artifact_uri.removeprefix("file://"))
    flip(folder / "neighbours" / "users.parquet")
    (folder / "factors.npz").unlink()
    (folder / "more.txt").write_text("a file that was not uploaded")
    (interactions,) = workspace.home.glob("interactions/*.npz")
    flip(interactions)
    flip(workspace.home / "datasets" / "tiny.zip")
    (workspace.home / "datasets" / "ml-32m.zip").write_bytes(b"a download that was cut off; its digest is an md5")
    models = (workspace.folder / "mlartifacts").rglob("MLmodel")
    model = next(path for path in models if fits[1].info.run_id in path.read_text())
    cut(model)
    damaged = workspace.run("verify", "--json")
    assert damaged.returncode == 5
    assert "7 files are damaged, missing or extra" in damaged.stderr
    run_id = fits[0].info.run_id
    model_path = f"models/{model.parents[1].name}/MLmodel"
    problems = json.loads(damaged.stdout)["problems"]
    assert {(problem["place"], problem["path"], problem["problem"]) for problem in problems} == {
        (run_id, "neighbours/users.parquet", "damaged"),
        (run_id, "factors.npz", "missing"),
        (run_id, "more.txt", "extra"),
        (fits[1].info.run_id, model_path, "damaged"),
        ("home", f"interactions/{interactions.name}", "damaged"),
        ("home", "datasets/tiny.zip", "damaged"),
        ("home", "datasets/ml-32m.zip", "damaged"),
    }
    other = workspace.run("verify", fits[2].info.run_id)
    assert other.returncode == 0
    similar = workspace.run("similar", run_id, "--user", "3")
    assert similar.returncode == 5
    assert "neighbours/users.parquet has sha256" in similar.stderr
    lines = workspace.run("verify", run_id).stdout.splitlines()
    assert [line.split()[0] for line in sorted(lines[:-1])] == ["damaged", "extra", "missing"]


def test_results_are_shown_without_a_prefect_home_or_server(undisturbed: Workspace, tmp_path: Path) -> None:
    """They are read from MLflow and the home alone."""
    without_prefect = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    shown = replace(undisturbed, env=undisturbed.env | without_prefect).run("show", "faults", "--json")
    assert shown.returncode == 0, shown.stderr
