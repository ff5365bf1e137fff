"""Verification of runs: which files are reported, and which runs are verified."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import pytest
from mlflow import MlflowClient
from mlflow.entities import FileInfo, LoggedModelOutput

from tasks.core.errors import TrackingError
from tasks.core.files import file_sha256
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.tracking.artifacts import RunFiles, upload
from tasks.tracking.comparison import USED_FITS
from tasks.tracking.logged_models.registry import register
from tasks.tracking.runs import start_run, supersede
from tasks.tracking.search import our_runs
from tasks.tracking.verify import FileCheck, Problem, Verified, verify_runs
from tests.tasks.reporting.small_result import small_result
from tests.tasks.tracking.helpers import TABLE, Fit, artifact_folder, cut, delete, empty, flip


def verified(client: MlflowClient) -> Verified:
    return Verified.of([], list(verify_runs(client, our_runs(client))))


def test_undamaged_runs_have_no_problems(client: MlflowClient, fit: Fit) -> None:
    """Each run has its manifest and two files."""
    for identity in ("first", "second"):
        fit(identity)
    assert verified(client) == Verified(runs=2, files=6, problems=[])


def test_damaged_missing_and_extra_files_are_reported(client: MlflowClient, fit: Fit) -> None:
    """The manifest, the damaged and the missing file are counted; the extra file has no digest to compare."""
    intact, changed = fit("intact"), fit("changed")
    folder = artifact_folder(client, changed)
    flip(folder / "factors.npz")
    (folder / TABLE).unlink()
    (folder / "extra.txt").write_text("not in the manifest")
    checks = {check.place: check for check in verify_runs(client, our_runs(client))}
    assert checks[changed].files == 3
    assert checks[changed].problems == [
        Problem(changed, "factors.npz", "damaged"),
        Problem(changed, TABLE, "missing"),
        Problem(changed, "extra.txt", "extra"),
    ]
    assert checks[intact].problems == []


def test_a_superseded_run_is_verified_too(client: MlflowClient, fit: Fit) -> None:
    old, new = fit(end=1000), fit(end=2000)
    supersede(client, [old], by=new)
    flip(artifact_folder(client, old) / "factors.npz")
    assert verified(client) == Verified(2, 6, [Problem(old, "factors.npz", "damaged")])


def test_incomplete_runs_are_not_verified(client: MlflowClient, fit: Fit) -> None:
    complete = fit("complete")
    fit("not uploaded", uploaded=False)
    fit("running", status=None)
    fit("failed", status="FAILED")
    assert [check.place for check in verify_runs(client, our_runs(client))] == [complete]


def test_a_manifest_that_was_changed_to_agree_with_a_damaged_file_is_reported(client: MlflowClient, fit: Fit) -> None:
    """A manifest that differs from the run's tag proves nothing, so its files are not compared."""
    run_id = fit()
    file, manifest = (artifact_folder(client, run_id) / name for name in ("factors.npz", "manifest.json"))
    original = file_sha256(file)
    flip(file)
    manifest.write_text(manifest.read_text().replace(original, file_sha256(file)))
    assert verified(client) == Verified(1, 1, [Problem(run_id, "manifest.json", "damaged")])


@pytest.mark.parametrize(("damage", "problem"), [(cut, "damaged"), (empty, "damaged"), (delete, "missing")])
def test_a_damaged_or_missing_manifest_is_reported(
    client: MlflowClient, fit: Fit, damage: Callable[[Path], None], problem: Literal["damaged", "missing"]
) -> None:
    run_id = fit()
    damage(artifact_folder(client, run_id) / "manifest.json")
    assert verified(client).problems == [Problem(run_id, "manifest.json", problem)]


def test_a_manifest_entry_outside_the_run_is_reported_and_not_read(client: MlflowClient, fit: Fit) -> None:
    """Here the tag was changed with the manifest, as only someone can who may write to the store."""
    run_id = fit()
    manifest = artifact_folder(client, run_id) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"factors.npz"', '"../../mlflow.db"'))
    client.set_tag(run_id, "latentlab.complete", file_sha256(manifest))
    assert verified(client).problems == [
        Problem(run_id, "../../mlflow.db", "damaged"),
        Problem(run_id, "factors.npz", "extra"),
    ]


def test_the_checks_of_home_and_runs_are_added_up(tmp_path: Path) -> None:
    """Only the checks of runs count as runs."""
    (tmp_path / "file").write_text("content")
    home, run = FileCheck("home"), FileCheck("run")
    home.compare("present", tmp_path / "file", file_sha256(tmp_path / "file"))
    home.compare("absent", tmp_path / "absent", "sha256")
    run.compare("folder", tmp_path, "sha256")
    assert Verified.of([home], [run]) == Verified(
        1, 3, [Problem("home", "absent", "missing"), Problem("run", "folder", "damaged")]
    )


def test_fits_that_hang_under_another_parent_are_verified_with_the_comparison_that_used_them(
    client: MlflowClient, fit: Fit, experiment_id: str, tmp_path: Path
) -> None:
    """A fit that was deleted in MLflow is named, and the others are verified all the same."""
    damaged, deleted, gone = fit("damaged"), fit("deleted"), "f" * 32
    flip(artifact_folder(client, damaged) / "factors.npz")
    client.delete_run(deleted)
    parent = start_run(client, experiment_id, "k2 vs k8", tags={"latentlab.role": PARENT})
    (tmp_path / "parent").mkdir()
    used = [RunRef(run_id, "k2", number, MODEL, "") for number, run_id in enumerate((damaged, deleted, gone))]
    (tmp_path / "parent" / USED_FITS).write_text(json.dumps([asdict(ref) for ref in used]))
    upload(client, parent, tmp_path / "parent")
    client.set_terminated(parent)
    problems = [problem for check in verify_runs(client, [client.get_run(parent)]) for problem in check.problems]
    assert sorted(problems, key=lambda problem: problem.path) == [
        Problem(damaged, "factors.npz", "damaged"),
        *(Problem(run_id, "run", "missing") for run_id in sorted([deleted, gone])),
    ]


def test_a_logged_model_that_was_deleted_is_named_and_the_files_of_the_run_are_verified(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str, folder: Path
) -> None:
    run_id = fit(uploaded=False, status=None)
    model_id = client.create_logged_model(experiment_id, "model", source_run_id=run_id).model_id
    client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    upload(client, run_id, folder, model_files=[{"path": f"models/{model_id}/MLmodel", "size": 1, "sha256": "0"}])
    client.set_terminated(run_id)
    flip(artifact_folder(client, run_id) / "factors.npz")
    client.delete_logged_model(model_id)
    assert verified(client).problems == [
        Problem(run_id, f"models/{model_id}", "missing"),
        Problem(run_id, "factors.npz", "damaged"),
    ]
    with pytest.raises(TrackingError, match=f"its model {model_id} was deleted in MLflow; train it again with --fresh"):
        register(client, small_result(runs=[RunRef(run_id, "k2", 0, MODEL, "same")]), "lab", uri=uri)


def test_reading_a_run_that_was_deleted_says_how_it_is_trained_again(client: MlflowClient) -> None:
    with pytest.raises(TrackingError, match="it was deleted in MLflow; run its config again"):
        RunFiles(client, "f" * 32).read("factors.npz")


def test_a_folder_that_cannot_be_listed_does_not_end_the_verification(client: MlflowClient, uri: str, fit: Fit) -> None:
    class Forbidden(MlflowClient):
        """A client of a store on a disk whose folders cannot be listed."""

        def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
            raise PermissionError(13, "Permission denied")

    run_id = fit()
    (artifact_folder(client, run_id) / TABLE).unlink()
    assert verified(Forbidden(uri, uri)) == Verified(1, 3, [Problem(run_id, TABLE, "missing")])
