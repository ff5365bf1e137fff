"""A sqlite store: paths with characters that have a meaning in addresses, and folders that were moved."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.core.errors import TrackingError
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.experiments import open_experiment
from tasks.tracking.local_store import file_path, folder_beside, follow_move, sqlite_path, sqlite_uri
from tasks.tracking.store import open_store, resolve_uri
from tests.tasks.tracking.helpers import TABLE, Fit, artifact_folder

NAMES = ["a b", "a%20b", "a?b=c", "a#b", "a&b;c", "ü%"]
"""Of folders. The first two are one if an address is not quoted."""


@pytest.mark.parametrize("name", NAMES)
def test_a_path_of_any_name_survives_its_address(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "mlflow.db"
    assert sqlite_path(sqlite_uri(path)) == path
    assert sqlite_path(sqlite_uri(path, "timeout=5")) == path
    assert file_path(path.as_uri()) == file_path(str(path)) == path


def test_a_store_is_made_in_the_folder_that_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its artifacts, and nothing beside them."""
    for name in NAMES:
        folder = tmp_path / "projects" / name
        folder.mkdir(parents=True)
        shutil.copy(tmp_path / "mlflow.db", folder)
        monkeypatch.chdir(folder)
        uri = resolve_uri()
        assert resolve_uri(uri) == uri
        client = open_store(uri)
        run = client.create_run(open_experiment(client, uri, name="named"), run_name=name)
        client.log_text(run.info.run_id, name, "queries/table.txt")
        (artifact,) = (folder / "mlartifacts" / "named").glob("*/artifacts/queries/table.txt")
        assert artifact.read_text() == name
        assert [run.info.run_name for run in client.search_runs([run.info.experiment_id])] == [name]
    assert {path.name for path in (tmp_path / "projects").iterdir()} == set(NAMES)
    for name in NAMES:
        contents = {path.name for path in (tmp_path / "projects" / name).iterdir()}
        assert contents == {"mlflow.db", "mlartifacts"}


def test_a_store_that_does_not_exist_is_made_in_the_folder_that_was_meant(tmp_path: Path) -> None:
    uri = sqlite_uri(tmp_path / "new%20one" / "mlflow.db")
    open_store(uri)
    assert {path.name for path in tmp_path.glob("new*")} == {"new%20one"}


def test_opening_a_store_writes_nothing_into_its_folder(client: MlflowClient, uri: str, tmp_path: Path) -> None:
    """It may be a folder that can only be read."""
    (tmp_path / "mlflow.db.lock").unlink(missing_ok=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    open_store(uri)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("copied", [False, True], ids=["moved", "copied"])
def test_the_files_of_a_moved_or_copied_store_are_found_beside_it(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str, tmp_path: Path, copied: bool
) -> None:
    """New runs are written there, too, and the former folder is not made again or read."""
    run_id = fit()
    model = client.create_logged_model(experiment_id, "model", source_run_id=run_id)
    client.create_registered_model("lab-k2")
    client.create_model_version("lab-k2", model.artifact_location, run_id, model_id=model.model_id)
    new = tmp_path / "new 100%"
    new.mkdir()
    for path in (tmp_path / "mlflow.db", tmp_path / "mlartifacts"):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, new / path.name)
    shutil.rmtree(tmp_path / "mlartifacts")
    if copied:
        (tmp_path / "mlartifacts" / "blocks").mkdir(parents=True)
    moved = open_store(sqlite_uri(new / "mlflow.db"))
    assert RunFiles(moved, run_id).read(TABLE).is_relative_to(new)
    moved.log_text(moved.create_run(experiment_id).info.run_id, "text", "new.txt")
    assert [*(tmp_path / "mlartifacts").rglob("*.txt")] == []
    locations = [
        moved.get_experiment(experiment_id).artifact_location,
        moved.get_logged_model(model.model_id).artifact_location,
        moved.get_model_version("lab-k2", "1").source,
    ]
    for location in locations:
        path = file_path(location)
        assert path is not None
        assert path.is_relative_to(new)


def test_the_files_of_a_renamed_experiment_are_found_beside_a_moved_store(
    client: MlflowClient, fit: Fit, experiment_id: str, tmp_path: Path
) -> None:
    """The folder keeps the name under which the experiment was made."""
    run_id = fit()
    client.rename_experiment(experiment_id, "team/movies")
    (tmp_path / "new").mkdir()
    for name in ("mlflow.db", "mlartifacts"):
        shutil.move(tmp_path / name, tmp_path / "new" / name)
    moved = open_store(sqlite_uri(tmp_path / "new" / "mlflow.db"))
    assert RunFiles(moved, run_id).read(TABLE).is_relative_to(tmp_path / "new" / "mlartifacts" / "blocks")


def test_a_folder_of_the_files_may_be_below_another_one(tmp_path: Path) -> None:
    """That of an experiment with a slash in its name; `mlartifacts` alone is no experiment's."""
    database = tmp_path / "mlflow.db"
    here = tmp_path / "mlartifacts" / "team" / "movies"
    assert folder_beside(database, "file:///former/mlartifacts/of/mlartifacts/team/movies") == here
    for other in ("file:///former/mlartifacts", "s3://bucket/mlartifacts/movies", "", "file:///data/movies"):
        assert folder_beside(database, other) is None


def test_a_store_that_was_moved_alone_reads_its_files_where_they_are(
    client: MlflowClient, fit: Fit, tmp_path: Path
) -> None:
    run_id = fit()
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "mlflow.db", tmp_path / "new")
    moved = open_store(f"sqlite:///{tmp_path}/new/mlflow.db")
    assert RunFiles(moved, run_id).read(TABLE) == artifact_folder(client, run_id) / TABLE


def test_files_that_are_not_found_are_reported_with_where_they_are_looked_for(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fit()
    (tmp_path / "new").mkdir()
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "new")
    (tmp_path / "mlartifacts").rename(tmp_path / "elsewhere")
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    moved = open_store(uri)
    with pytest.raises(TrackingError, match="if the project was moved, put mlartifacts beside the store"):
        RunFiles(moved, run_id).read(TABLE)
    with pytest.raises(TrackingError, match=f"move them to {tmp_path}/new/mlartifacts/blocks, beside the store"):
        open_experiment(moved, uri, "blocks")
    assert not (tmp_path / "mlartifacts").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "new" / "mlartifacts")
    assert RunFiles(open_store(uri), run_id).read(TABLE).exists()


def test_an_experiment_whose_files_are_elsewhere_by_choice_stays(
    client: MlflowClient, uri: str, tmp_path: Path
) -> None:
    location = (tmp_path / "disk" / "mlartifacts-of-mine").as_uri()
    experiment_id = client.create_experiment("mine", artifact_location=location)
    (tmp_path / "mlartifacts" / "mine").mkdir(parents=True)
    follow_move(tmp_path / "mlflow.db")
    assert client.get_experiment(experiment_id).artifact_location == location
    assert open_experiment(client, uri, "mine") == experiment_id


def test_a_store_that_is_reached_by_a_link_stays_as_it_is(
    client: MlflowClient, fit: Fit, experiment_id: str, tmp_path: Path
) -> None:
    fit()
    location = client.get_experiment(experiment_id).artifact_location
    (tmp_path / "link").symlink_to(tmp_path)
    linked = open_store(f"sqlite:///{tmp_path}/link/mlflow.db")
    assert linked.get_experiment(experiment_id).artifact_location == location


def test_the_files_of_an_experiment_whose_name_is_a_path_follow_a_move(
    client: MlflowClient, uri: str, tmp_path: Path
) -> None:
    experiment_id = open_experiment(client, uri, "/Users/someone@example.org/ml-100k")
    below = Path("mlartifacts", "Users", "someone@example.org", "ml-100k")
    assert file_path(client.get_experiment(experiment_id).artifact_location) == tmp_path / below
    moved = tmp_path / "moved"
    (moved / below).mkdir(parents=True)
    shutil.copy(tmp_path / "mlflow.db", moved)
    found = open_store(f"sqlite:///{moved / 'mlflow.db'}").get_experiment(experiment_id)
    assert file_path(found.artifact_location) == moved / below
