"""Disks that are full, read-only or gone, stores that are locked, bits that flip, and several processes at once."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tasks.tracking import runs
from tests.faults.lab import CONFIG, Digests, Lab, kill, until


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """A small file system of its own; gives a function that mounts it anew with other options."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode()}")
    try:
        yield lambda other: subprocess.run(["mount", "-o", f"remount,{other}", str(folder)], check=True)  # type: ignore
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_home_that_is_full_then_not(lab: Lab, undisturbed: Digests) -> None:
    with mounted(lab.home, "size=60k") as again:
        lab.fails(3, "No space left on device", "free space, or set LATENTLAB_HOME elsewhere")
        assert lab.complete() == []
        again("size=20m")
        lab.completes(undisturbed)


def test_a_home_that_is_read_only_then_not(lab: Lab, undisturbed: Digests) -> None:
    with mounted(lab.home, "size=20m,ro") as again:
        lab.fails(3, "cannot be written: Read-only file system")
        again("size=20m,rw")
        lab.completes(undisturbed)


def test_artifacts_that_find_no_space(lab: Lab, undisturbed: Digests) -> None:
    with mounted(lab.folder / "mlartifacts", "size=100k") as again:
        lab.fails(5, "artifacts cannot be written", "No space left on device", "what is trained is kept")
        again("size=20m")
        lab.completes(undisturbed)


def test_a_home_that_vanishes_while_training(lab: Lab, undisturbed: Digests) -> None:
    lab.configure(models={**CONFIG["models"], "k8": {"factors": 8, "iterations": 20_000}})
    process = lab.start()
    until(lambda: list(lab.home.glob("checkpoints/*/*.npz")), process)
    shutil.rmtree(lab.home, ignore_errors=True)
    out, err = process.communicate(timeout=120)
    done = subprocess.CompletedProcess([], process.returncode, out, err)
    lab.failed(done, 3, "cannot be", str(lab.home))
    lab.configure()
    lab.completes(undisturbed)


def test_a_store_that_another_process_keeps_locked_for_30_s(lab: Lab, undisturbed: Digests) -> None:
    """Longer than MLflow waits: a clear error and nothing lost, or no error at all."""
    process = lab.start()
    until(lambda: list(lab.home.glob("staging/*/*/staged.json")), process)
    holder = sqlite3.connect(lab.folder / "mlflow.db", timeout=30, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    time.sleep(30)
    holder.execute("ROLLBACK")
    holder.close()
    out, err = process.communicate(timeout=150)
    assert "Traceback" not in err
    if process.returncode:
        done = subprocess.CompletedProcess([], process.returncode, out, err)
        lab.failed(done, 5, "database is locked", "what is trained is kept")
    lab.completes(undisturbed)


def test_four_processes_at_once_on_an_empty_home_and_no_store(lab: Lab, undisturbed: Digests) -> None:
    """Three of one config and one of another that shares its fits."""
    (lab.folder / "mlflow.db").unlink()
    with lab.polled():
        same = [lab.start() for _ in range(3)]
        other = lab.start("run", "config.yaml", "--json", "--set", "queries.users=[5]")
        answers = [process.communicate(timeout=250) for process in (*same, other)]
    for process, (_, err) in zip((*same, other), answers, strict=True):
        assert process.returncode == 0, err
    results = [json.loads(out) for out, _ in answers]
    assert len({result["parent_id"] for result in results[:3]}) == 1
    assert sum(result["trained"] for result in results) >= 6
    complete = lab.complete()
    assert len({run.info.experiment_id for run in complete}) == 1
    identities = [runs.run_ref(run).identity for run in complete]
    assert len(identities) == len(set(identities)) == len(undisturbed) + 1
    found = lab.digests()
    held_out = [key for key, files in undisturbed.items() if "accuracy.parquet" in files]
    assert {key: found[key] for key in held_out} == {key: undisturbed[key] for key in held_out}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


class Planted:
    """Code that runs where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def plant(path: Path) -> None:
    np.savez(path, user_factors=np.array([Planted(path.parent / "run-by-a-pickle")], dtype=object))


@pytest.mark.parametrize("damage", [flip, cut, plant])
def test_what_was_damaged_between_two_starts_is_found_and_made_anew(
    lab: Lab, undisturbed: Digests, damage: Callable[[Path], None]
) -> None:
    """The cached interactions, a checkpoint, and factors that are staged."""
    process = lab.start()
    until(lambda: list(lab.home.glob("checkpoints/*/[0-9]*.npz")), process)
    kill(process)
    for path in [*lab.home.glob("checkpoints/*/[0-9]*.npz"), *lab.home.glob("interactions/*.npz")]:
        damage(path)
    process = lab.start()
    until(lambda: list(lab.home.glob("staging/*/*/staged.json")), process)
    kill(process)
    for path in lab.home.glob("staging/*/*/run/factors.npz"):
        damage(path)
    lab.completes(undisturbed)
    assert list(lab.folder.rglob("run-by-a-pickle")) == []


def test_verify_names_each_damaged_missing_and_extra_file(lab: Lab, undisturbed: Digests) -> None:
    lab.completes(undisturbed)
    whole = lab.run("verify", "--json")
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout) == {"runs": 7, "files": json.loads(whole.stdout)["files"], "problems": []}
    fits = [run for run in lab.complete() if runs.run_ref(run).role == "model"]
    folder = Path(fits[0].info.artifact_uri.removeprefix("file://"))
    flip(folder / "neighbours" / "users.parquet")
    (folder / "factors.npz").unlink()
    (folder / "more.txt").write_text("what nobody uploaded")
    (interactions,) = lab.home.glob("interactions/*.npz")
    flip(interactions)
    flip(lab.home / "datasets" / "tiny.zip")
    (lab.home / "datasets" / "ml-32m.zip").write_bytes(b"a download that was cut off, of an archive pinned by md5")
    models = (lab.folder / "mlartifacts").rglob("MLmodel")
    model = next(path for path in models if fits[1].info.run_id in path.read_text())
    cut(model)
    found = lab.run("verify", "--json")
    assert found.returncode == 5
    assert "7 files are damaged, missing or extra" in found.stderr
    run_id = fits[0].info.run_id
    model_path = f"models/{model.parents[1].name}/MLmodel"
    assert {(each["place"], each["path"], each["problem"]) for each in json.loads(found.stdout)["problems"]} == {
        (run_id, "neighbours/users.parquet", "damaged"),
        (run_id, "factors.npz", "missing"),
        (run_id, "more.txt", "extra"),
        (fits[1].info.run_id, model_path, "damaged"),
        ("home", f"interactions/{interactions.name}", "damaged"),
        ("home", "datasets/tiny.zip", "damaged"),
        ("home", "datasets/ml-32m.zip", "damaged"),
    }
    one = lab.run("verify", fits[2].info.run_id)
    assert one.returncode == 0
    similar = lab.run("similar", run_id, "--user", "3")
    assert similar.returncode == 5
    assert "neighbours/users.parquet has sha256" in similar.stderr
    lines = lab.run("verify", run_id).stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["damaged", "missing", "extra"] or len(lines) == 4


def test_a_prefect_home_of_an_old_store_is_not_needed(lab: Lab) -> None:
    """Everything that is read back is read from MLflow and our home alone."""
    assert lab.run().returncode == 0
    shutil.rmtree(lab.folder / "prefect", ignore_errors=True)
    lab.env["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    shown = lab.run("show", "faults", "--json")
    assert shown.returncode == 0, shown.stderr
    assert sys.version_info >= (3, 11)
