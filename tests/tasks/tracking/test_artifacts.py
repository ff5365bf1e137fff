"""Files of a run: what makes a run complete, what is refused, and which copy of a file is read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.core.errors import DataError, TrackingError
from tasks.core.files import file_sha256
from tasks.tracking import artifacts
from tasks.tracking.artifacts import RunFiles, upload
from tests.tasks.tracking.helpers import TABLE, Fit, artifact_folder, cut, delete, empty, flip, make_a_folder

# Upload


def test_a_complete_run_has_its_files_their_manifest_and_its_digest_as_a_tag(
    client: MlflowClient, fit: Fit, folder: Path
) -> None:
    run_id = fit()
    manifest = artifact_folder(client, run_id) / "manifest.json"
    assert client.get_run(run_id).data.tags["latentlab.complete"] == file_sha256(manifest)
    assert json.loads(manifest.read_text())["files"] == [
        {"path": path, "size": (folder / path).stat().st_size, "sha256": file_sha256(folder / path)}
        for path in ("factors.npz", TABLE)
    ]
    file = RunFiles(client, run_id).read("factors.npz")
    assert file.read_bytes() == (folder / "factors.npz").read_bytes()


def test_files_that_did_not_arrive_completely_leave_the_run_incomplete(
    client: MlflowClient, uri: str, fit: Fit, folder: Path
) -> None:
    class Truncating(MlflowClient):
        """A client whose store loses the last byte of each file."""

        def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
            super().log_artifact(run_id, local_path, artifact_path)
            cut(artifact_folder(self, run_id) / (artifact_path or "") / Path(local_path).name)

    run_id = fit(uploaded=False, status=None)
    with pytest.raises(TrackingError, match=rf"factors\.npz, {TABLE}, manifest\.json did not arrive completely"):
        upload(Truncating(uri), run_id, folder)
    assert "latentlab.complete" not in client.get_run(run_id).data.tags


def test_artifacts_that_cannot_be_written_are_an_error_of_the_store(
    client: MlflowClient, fit: Fit, folder: Path
) -> None:
    run_id = fit(uploaded=False, status=None)
    artifact_folder(client, run_id).mkdir(parents=True)
    (artifact_folder(client, run_id) / "queries").write_text("a file where the upload needs a folder")
    with pytest.raises(TrackingError):
        upload(client, run_id, folder)


def test_uploading_again_duplicates_nothing(client: MlflowClient, fit: Fit, folder: Path) -> None:
    run_id = fit()
    upload(client, run_id, folder, tables=[TABLE])
    table = json.loads(RunFiles(client, run_id).read(TABLE).read_text())
    assert table["data"] == [[1, 7], [2, 4]]
    assert client.get_run(run_id).data.tags["mlflow.loggedArtifacts"] == json.dumps([{"path": TABLE, "type": "table"}])
    loaded = client.load_table(client.get_run(run_id).info.experiment_id, TABLE, run_ids=[run_id])
    assert loaded["index"].tolist() == [7, 4]


# Damage


@pytest.mark.parametrize("damage", [flip, cut, empty, delete, make_a_folder])
@pytest.mark.parametrize("path", ["factors.npz", "manifest.json"])
def test_a_damaged_file_is_refused_by_name(
    client: MlflowClient, fit: Fit, path: str, damage: Callable[[Path], None]
) -> None:
    run_id = fit()
    damage(artifact_folder(client, run_id) / path)
    with pytest.raises(TrackingError) as raised:
        RunFiles(client, run_id).read("factors.npz")
    assert run_id in str(raised.value)
    assert path in str(raised.value)


def test_damage_to_one_file_leaves_the_others_readable(client: MlflowClient, fit: Fit) -> None:
    run_id = fit()
    flip(artifact_folder(client, run_id) / "factors.npz")
    assert RunFiles(client, run_id).read(TABLE).exists()


def test_a_damaged_file_is_refused_even_if_the_manifest_was_changed_to_agree(client: MlflowClient, fit: Fit) -> None:
    run_id = fit()
    file, manifest = (artifact_folder(client, run_id) / name for name in ("factors.npz", "manifest.json"))
    original = file_sha256(file)
    flip(file)
    manifest.write_text(manifest.read_text().replace(original, file_sha256(file)))
    with pytest.raises(TrackingError, match=r"manifest\.json differs from the run's tag"):
        RunFiles(client, run_id).read("factors.npz")


@pytest.mark.parametrize("path", ["absent.parquet", "../other/factors.npz", "manifest.json", ""])
def test_only_files_of_the_manifest_are_read(client: MlflowClient, fit: Fit, path: str) -> None:
    run_id = fit()
    with pytest.raises(TrackingError, match=rf"has no {path}.*it has factors\.npz, {TABLE}"):
        RunFiles(client, run_id).read(path)


# Which copy is read


class CountingClient(MlflowClient):
    """A client that counts how often it fetches a run, and records the artifacts that it downloads."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri, uri)
        self.runs_fetched = 0
        self.downloads: list[str] = []

    def get_run(self, run_id: str) -> Any:
        self.runs_fetched += 1
        return super().get_run(run_id)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        self.downloads.append(path)
        return str(super().download_artifacts(run_id, path, dst_path))


@pytest.fixture
def remote(uri: str, monkeypatch: pytest.MonkeyPatch) -> CountingClient:
    """A client of a store whose artifacts are not on this machine: every file is downloaded."""
    monkeypatch.setattr(artifacts, "local_path", lambda root, path: None)
    return CountingClient(uri)


def test_run_and_manifest_are_fetched_once_for_all_files(fit: Fit, folder: Path, remote: CountingClient) -> None:
    files = RunFiles(remote, fit())
    for path in ("factors.npz", TABLE):
        assert files.read(path).read_bytes() == (folder / path).read_bytes()
    assert list(files.entries) == ["factors.npz", TABLE]
    assert remote.runs_fetched == 1
    assert remote.downloads == ["manifest.json", "factors.npz", TABLE]


def test_nothing_is_fetched_before_a_file_is_read(fit: Fit, remote: CountingClient) -> None:
    RunFiles(remote, fit())
    assert (remote.runs_fetched, remote.downloads) == (0, [])


def test_files_on_this_machine_are_read_where_the_store_keeps_them(client: MlflowClient, uri: str, fit: Fit) -> None:
    counting, run_id = CountingClient(uri), fit()
    assert RunFiles(counting, run_id).read(TABLE) == artifact_folder(client, run_id) / TABLE
    assert (counting.runs_fetched, counting.downloads) == (1, [])


def test_a_local_file_that_agrees_with_the_manifest_is_used(fit: Fit, folder: Path, remote: CountingClient) -> None:
    assert RunFiles(remote, fit(), local=folder).read("factors.npz") == folder / "factors.npz"
    assert remote.downloads == ["manifest.json"]


@pytest.mark.parametrize("damage", [flip, cut, empty, delete, make_a_folder])
def test_a_local_file_that_differs_or_is_missing_is_read_from_the_store(
    fit: Fit, folder: Path, remote: CountingClient, damage: Callable[[Path], None]
) -> None:
    run_id, original = fit(), (folder / "factors.npz").read_bytes()
    damage(folder / "factors.npz")
    files = RunFiles(remote, run_id, local=folder)
    assert files.read("factors.npz") != folder / "factors.npz"
    assert files.read("factors.npz").read_bytes() == original
    assert files.read(TABLE) == folder / TABLE


def test_a_local_folder_that_is_missing_is_ignored(fit: Fit, folder: Path, remote: CountingClient) -> None:
    run_id, original = fit(), (folder / "factors.npz").read_bytes()
    shutil.rmtree(folder)
    assert RunFiles(remote, run_id, local=folder).read("factors.npz").read_bytes() == original


def test_local_files_of_an_incomplete_run_are_not_read(client: MlflowClient, fit: Fit, folder: Path) -> None:
    run_id = fit(uploaded=False)
    with pytest.raises(TrackingError, match=f"run {run_id} is not complete"):
        RunFiles(client, run_id, local=folder).read("factors.npz")


def test_what_was_downloaded_is_removed_once_it_is_read(fit: Fit, remote: CountingClient, tmp_path: Path) -> None:
    files = RunFiles(remote, fit())
    with files.reading(TABLE) as file:
        assert json.loads(file.read_text())["data"] == [[1, 7], [2, 4]]
        assert file.is_relative_to(tmp_path / "home" / "downloads")
    assert [*(tmp_path / "home" / "downloads").iterdir()] == []


def test_two_readers_of_one_file_have_a_copy_each(fit: Fit, remote: CountingClient) -> None:
    run_id = fit()
    with RunFiles(remote, run_id).reading(TABLE) as first:
        with RunFiles(remote, run_id).reading(TABLE) as second:
            assert first != second
        assert first.exists()


def test_a_home_that_cannot_be_written_is_reported(fit: Fit, remote: CountingClient, tmp_path: Path) -> None:
    run_id = fit()
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "downloads").write_text("a file where a folder is needed")
    with pytest.raises(DataError), RunFiles(remote, run_id).reading(TABLE):
        pass


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionError(13, "Permission denied"), "the right to read it"),
        (OSError(5, "Input/output error"), "train it again with --fresh"),
    ],
)
def test_a_file_that_cannot_be_read_after_it_was_located_is_reported(
    client: MlflowClient, fit: Fit, error: OSError, advice: str
) -> None:
    run_id = fit()
    expected = f"run {run_id}: {TABLE} cannot be read: {error.strerror}; .*{advice}"
    with pytest.raises(TrackingError, match=expected), RunFiles(client, run_id).reading(TABLE):
        raise error
