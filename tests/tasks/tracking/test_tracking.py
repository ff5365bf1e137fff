"""The MLflow store: what counts as complete, what is refused, and how runs are found. Every store is real sqlite."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mlflow.store.db.utils
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tasks.core.config.als import AlsConfig
from tasks.core.errors import TrackingError
from tasks.core.files import file_sha256
from tasks.core.planning.runs import EVALUATION, MODEL, PARENT, PlannedRun, RunRef
from tasks.tracking import artifacts, experiments, metrics, runs, search, store
from tasks.tracking.metrics import StepMetrics

SETTINGS = AlsConfig(factors=2, iterations=3)
TABLE = "queries/user_10.json"

Fit = Callable[..., str]


@pytest.fixture(scope="module")
def opened_at_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, str, str]]]:
    """A store that four processes made at once, and each one's exit code, output and errors."""
    database = tmp_path_factory.mktemp("store") / "new" / "mlflow.db"
    code = (
        "import sys; from tasks import tracking; client = store.open_store(sys.argv[1]); "
        "print(experiments.open_experiment(client, sys.argv[1], 'shared'))"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{database}"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=200) for process in started]
    return database, [(process.returncode, *said) for process, said in zip(started, answers, strict=True)]


@pytest.fixture(autouse=True)
def uri(tmp_path: Path, opened_at_once: tuple[Path, object], monkeypatch: pytest.MonkeyPatch) -> str:
    """A store and a home of the test's own: a copy, since making a store takes seconds."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copy(opened_at_once[0], tmp_path / "mlflow.db")
    return store.resolve_uri()


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return store.open_store(uri)


@pytest.mark.parametrize("tables", [1, 12])
def test_a_store_whose_making_was_cut_off_is_made_anew(tmp_path: Path, tables: int) -> None:
    """Killed once there are so many tables: migrations that are cut off cannot be gone on with."""
    database = tmp_path / "new" / "mlflow.db"
    code = "import sys; from tasks import tracking; store.open_store(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", code, f"sqlite:///{database}"]) as process:
        unfinished = database.with_name(".tmp-mlflow.db")
        while process.poll() is None and (not unfinished.exists() or unfinished.read_bytes().count(b"CREATE") < tables):
            pass
        process.kill()
    assert unfinished.exists()
    assert not database.exists()
    assert store.open_store(f"sqlite:///{database}").search_experiments()
    assert not unfinished.exists()


@pytest.fixture
def experiment_id(client: MlflowClient, uri: str) -> str:
    return experiments.open_experiment(client, uri, "blocks")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a fit stages: an array, and a table of two rows."""
    staged = tmp_path / "staged"
    staged.mkdir()
    with (staged / "factors.npz").open("wb") as file:
        np.savez(file, user_factors=np.eye(3, dtype=np.float32))
    artifacts.write_table(staged, TABLE, pd.DataFrame({"rank": [1, 2], "index": [7, 4]}))
    return staged


@pytest.fixture
def fit(client: MlflowClient, experiment_id: str, folder: Path) -> Fit:
    """Makes a nested run: complete unless `upload` is false, and ended at `end` (ms) with `status`."""

    def make(
        identity: str = "same",
        *,
        model: str = "k2",
        replicate: int = 0,
        role: str = MODEL,
        upload: bool = True,
        status: str | None = "FINISHED",
        end: int | None = None,
        flow: str = "flow-1",
    ) -> str:
        planned = PlannedRun(model, replicate, role, SETTINGS, 7, identity)
        run_id = runs.start_fit(client, experiment_id, planned, {"prefect.flow_run_id": flow})
        if upload:
            artifacts.upload(client, run_id, folder, tables=[TABLE])
        if status:
            client.set_terminated(run_id, status, end)
        return run_id

    return make


def parent(client: MlflowClient, experiment_id: str, status: str = "FINISHED", *, end: int | None = None) -> str:
    tags = {"latentlab.role": PARENT, "latentlab.complete": "of its manifest", "latentlab.identity": "of both"}
    run_id = runs.start_run(client, experiment_id, "k2 vs k8", tags=tags)
    client.set_terminated(run_id, status, end)
    return run_id


def stored(client: MlflowClient, run_id: str) -> Path:
    """The folder in which the store keeps a run's files."""
    return Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Completeness


def test_a_complete_run_has_its_files_a_manifest_of_them_and_its_digest_as_tag(
    client: MlflowClient, fit: Fit, folder: Path
) -> None:
    run_id = fit()
    manifest = stored(client, run_id) / "manifest.json"
    assert client.get_run(run_id).data.tags["latentlab.complete"] == file_sha256(manifest)
    assert json.loads(manifest.read_text())["files"] == [
        {"path": path, "size": (folder / path).stat().st_size, "sha256": file_sha256(folder / path)}
        for path in ("factors.npz", TABLE)
    ]
    read = artifacts.read_artifact(client, run_id, "factors.npz")
    assert read.read_bytes() == (folder / "factors.npz").read_bytes()


def test_a_fit_keeps_its_hyperparameters_and_place(client: MlflowClient, fit: Fit) -> None:
    run = client.get_run(fit("some", model="k2", replicate=3))
    assert run.data.params == {
        "factors": "2",
        "iterations": "3",
        "regularization": "0.01",
        "alpha": "1.0",
        "solver": "cg",
        "orientation": "user_item",
        "acceleration": "none",
        "stop": "none",
        "seed": "7",
        "model": "k2",
        "replicate": "3",
    }
    assert runs.run_ref(run) == RunRef(run.info.run_id, "k2", 3, MODEL, "some")


def test_what_did_not_arrive_whole_leaves_the_run_incomplete(
    client: MlflowClient, uri: str, fit: Fit, folder: Path
) -> None:
    class Losing(MlflowClient):
        """A store on the real one that loses the end of what it is sent."""

        def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
            super().log_artifact(run_id, local_path, artifact_path)
            kept = stored(self, run_id) / (artifact_path or "") / Path(local_path).name
            kept.write_bytes(kept.read_bytes()[:-1])

    run_id = fit(upload=False, status=None)
    with pytest.raises(TrackingError, match=rf"factors\.npz, {TABLE}, manifest\.json did not arrive whole"):
        artifacts.upload(Losing(uri), run_id, folder)
    assert "latentlab.complete" not in client.get_run(run_id).data.tags


def test_artifacts_that_cannot_be_written_are_an_error_of_the_store(
    client: MlflowClient, fit: Fit, folder: Path
) -> None:
    run_id = fit(upload=False, status=None)
    stored(client, run_id).mkdir(parents=True)
    (stored(client, run_id) / "queries").write_text("where a folder belongs")
    with pytest.raises(TrackingError):
        artifacts.upload(client, run_id, folder)


def test_uploading_again_doubles_nothing(client: MlflowClient, fit: Fit, folder: Path) -> None:
    run_id = fit()
    artifacts.upload(client, run_id, folder, tables=[TABLE])
    table = json.loads(artifacts.read_artifact(client, run_id, TABLE).read_text())
    assert table["data"] == [[1, 7], [2, 4]]
    assert client.get_run(run_id).data.tags["mlflow.loggedArtifacts"] == json.dumps([{"path": TABLE, "type": "table"}])
    shown = client.load_table(client.get_run(run_id).info.experiment_id, TABLE, run_ids=[run_id])
    assert shown["index"].tolist() == [7, 4]


# Which runs are read


def test_a_complete_run_is_read_by_its_identity(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    first, other = fit("first"), fit("other", role=EVALUATION)
    found = search.resolve_duplicates(client, experiment_id)
    assert {identity: ref.run_id for identity, ref in found.items()} == {"first": first, "other": other}


def test_a_finished_run_without_the_tag_is_not_read(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    run_id = fit(upload=False)
    assert search.resolve_duplicates(client, experiment_id) == {}
    with pytest.raises(TrackingError, match=f"run {run_id} is not complete; run its config again"):
        artifacts.read_artifact(client, run_id, "factors.npz")
    with pytest.raises(TrackingError, match="no complete run 'k2/0'"):
        search.find_run(client, "blocks/k2/0")


@pytest.mark.parametrize("status", [None, "FAILED", "KILLED"])
def test_an_uploaded_run_that_is_not_finished_is_not_read(
    client: MlflowClient, fit: Fit, experiment_id: str, status: str | None
) -> None:
    fit(status=status)
    assert search.resolve_duplicates(client, experiment_id) == {}


def test_a_superseded_run_is_not_read(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    old, new = fit(end=1000), fit(end=2000)
    runs.supersede(client, [old], by=new)
    assert search.resolve_duplicates(client, experiment_id)["same"].run_id == new
    assert search.find_run(client, "blocks/k2/0").info.run_id == new


@pytest.mark.parametrize("ends", [(1000, 2000), (2000, 1000)])
def test_of_two_complete_runs_of_one_identity_the_one_that_ended_first_is_read(
    client: MlflowClient, fit: Fit, experiment_id: str, ends: tuple[int, int]
) -> None:
    by_end = {end: fit(end=end) for end in ends}
    assert search.resolve_duplicates(client, experiment_id)["same"].run_id == by_end[1000]
    assert client.get_run(by_end[2000]).data.tags["latentlab.superseded"] == by_end[1000]
    assert "latentlab.superseded" not in client.get_run(by_end[1000]).data.tags


def test_of_two_that_ended_together_the_smaller_run_id_is_read(
    client: MlflowClient, fit: Fit, experiment_id: str
) -> None:
    run_ids = [fit(end=1000) for _ in range(4)]
    assert search.resolve_duplicates(client, experiment_id)["same"].run_id == min(run_ids)


def test_runs_of_another_experiment_or_program_are_not_read(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str
) -> None:
    fit()
    elsewhere = experiments.open_experiment(client, uri, "elsewhere")
    client.create_run(elsewhere)
    assert search.resolve_duplicates(client, elsewhere) == {}
    assert [run.info.experiment_id for run in search.our_runs(client)] == [experiment_id]


# What is damaged is refused


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [flip, cut, empty, delete, make_a_folder])
@pytest.mark.parametrize("path", ["factors.npz", "manifest.json"])
def test_a_damaged_file_is_refused_by_name(
    client: MlflowClient, fit: Fit, path: str, damage: Callable[[Path], None]
) -> None:
    run_id = fit()
    damage(stored(client, run_id) / path)
    with pytest.raises(TrackingError) as raised:
        artifacts.read_artifact(client, run_id, "factors.npz")
    assert run_id in str(raised.value)
    assert path in str(raised.value)


def test_damage_to_one_file_leaves_the_others_readable(client: MlflowClient, fit: Fit) -> None:
    run_id = fit()
    flip(stored(client, run_id) / "factors.npz")
    assert artifacts.read_artifact(client, run_id, TABLE).exists()


def test_a_file_with_a_manifest_that_was_changed_to_fit_is_refused(client: MlflowClient, fit: Fit) -> None:
    run_id = fit()
    file, manifest = (stored(client, run_id) / name for name in ("factors.npz", "manifest.json"))
    before = file_sha256(file)
    flip(file)
    manifest.write_text(manifest.read_text().replace(before, file_sha256(file)))
    with pytest.raises(TrackingError, match=r"manifest\.json differs from the run's tag"):
        artifacts.read_artifact(client, run_id, "factors.npz")


@pytest.mark.parametrize("path", ["absent.parquet", "../other/factors.npz", "manifest.json", ""])
def test_only_files_of_the_manifest_are_read(client: MlflowClient, fit: Fit, path: str) -> None:
    run_id = fit()
    with pytest.raises(TrackingError, match=rf"has no {path}.*it has factors\.npz, {TABLE}"):
        artifacts.read_artifact(client, run_id, path)


# Metrics


def history(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


def test_logging_the_same_numbers_again_doubles_nothing(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    for _ in range(2):
        metrics.log_metrics(client, run_id, {"ndcg_at_10": 0.25, "auc": 0.5})
    assert history(client, run_id, "ndcg_at_10") == [(0, 0.25)]
    metrics.log_metrics(client, run_id, {"ndcg_at_10": 0.5, "auc": 0.5})
    assert [value for _, value in history(client, run_id, "ndcg_at_10")] == [0.25, 0.5]
    assert client.get_run(run_id).data.metrics == {"ndcg_at_10": 0.5, "auc": 0.5}


def test_more_metrics_than_one_call_takes_all_arrive(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    metrics.send_metrics(client, run_id, [("objective", float(step), 1, step) for step in range(1001)])
    assert len(history(client, run_id, "objective")) == 1001


def test_step_metrics_arrive_in_batches_without_what_is_not_a_number(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    metrics = StepMetrics(client, run_id, every_seconds=3600)
    metrics.add(1, factor_change=0.5, objective=float("nan"))
    metrics.add(2, factor_change=float("nan"), objective=4.0)
    assert client.get_run(run_id).data.metrics == {}
    metrics.finish()
    assert history(client, run_id, "factor_change") == [(1, 0.5)]
    assert history(client, run_id, "objective") == [(2, 4.0)]


# Closing runs


def test_closing_ends_only_what_that_flow_left_open(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    mine, done, other = fit(status=None), fit(), fit(status=None, flow="flow-2")
    assert runs.close_open_runs(client, experiment_id, "flow-1", "KILLED", "interrupted") == 1
    assert [client.get_run(run_id).info.status for run_id in (mine, done, other)] == ["KILLED", "FINISHED", "RUNNING"]
    assert client.get_run(mine).data.tags["latentlab.reason"] == "interrupted"
    assert runs.close_open_runs(client, experiment_id, "flow-1", "KILLED", "again") == 0


def test_a_long_reason_is_cut(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(status=None)
    runs.end_run(client, run_id, "FAILED", "because " * 10_000)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert len(run.data.tags["latentlab.reason"]) == 500


# Experiments and stores


def test_an_experiment_is_made_once_with_its_artifacts_beside_the_store(
    client: MlflowClient, uri: str, tmp_path: Path, experiment_id: str
) -> None:
    assert experiments.open_experiment(client, uri, "blocks") == experiment_id
    assert experiments.find_experiment(client, "blocks") == experiment_id
    assert client.get_experiment(experiment_id).artifact_location == (tmp_path / "mlartifacts" / "blocks").as_uri()


def test_a_deleted_experiment_is_told_with_how_to_restore_it(
    client: MlflowClient, uri: str, experiment_id: str
) -> None:
    client.delete_experiment(experiment_id)
    expected = rf"'blocks' was deleted; restore it \(mlflow experiments restore --experiment-id {experiment_id}\)"
    with pytest.raises(TrackingError, match=expected):
        experiments.open_experiment(client, uri, "blocks")
    assert experiments.find_experiment(client, "blocks") is None
    with pytest.raises(TrackingError, match="there is no experiment 'blocks'"):
        search.find_run(client, "blocks")


def test_without_settings_the_store_is_in_the_current_directory(tmp_path: Path) -> None:
    assert store.resolve_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_relative_sqlite_addresses_become_absolute(tmp_path: Path) -> None:
    assert store.resolve_uri("sqlite:///runs/my.db") == f"sqlite:///{tmp_path}/runs/my.db"


@pytest.mark.parametrize("uri", ["sqlite:////data/my.db", "http://127.0.0.1:5000", "postgresql://host/db"])
def test_other_addresses_are_taken_as_they_are(uri: str) -> None:
    assert store.resolve_uri(uri) == uri


def test_the_environment_goes_before_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///theirs.db")
    assert store.resolve_uri("sqlite:///mine.db") == f"sqlite:///{tmp_path}/theirs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert store.resolve_uri("sqlite:///mine.db") == f"sqlite:///{tmp_path}/mine.db"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:hunter2@host:5432/db", "postgresql://host:5432/db"),
        ("https://me:hunter2@host/path?a=1", "https://host/path?a=1"),
        ("https://me:p@ss@host", "https://host"),
        ("https://token@host", "https://host"),
        ("https://host:5000", "https://host:5000"),
        ("sqlite:////data/my.db", "sqlite:////data/my.db"),
    ],
)
def test_addresses_are_shown_without_user_and_password(uri: str, shown: str) -> None:
    assert store.without_secrets(uri) == shown


def _not_a_database(folder: Path) -> str:
    (folder / "notes.db").write_text("not a database at all" * 100)
    return f"sqlite:///{folder / 'notes.db'}"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(_not_a_database, id="not a database"),
        pytest.param(
            lambda folder: f"sqlite:///{folder}",
            id="a folder",
        ),
        pytest.param(lambda folder: f"sqlite:///{_not_a_database(folder)[10:]}/runs.db", id="under a file"),
        pytest.param(lambda _: "nonsense://host", id="unknown scheme"),
        pytest.param(lambda folder: str(folder / "mlruns"), id="file store"),
        pytest.param(
            lambda _: "postgresql://me:hunter2@127.0.0.1/db",
            id="driver not installed",
        ),
    ],
)
def test_a_store_that_cannot_be_opened_is_told_at_once_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: Callable[[Path], str]
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(mlflow.store.db.utils, "time", SimpleNamespace(sleep=pauses.append))
    uri = address(tmp_path)
    with pytest.raises(TrackingError) as raised:
        store.open_store(uri)
    assert store.without_secrets(uri) in str(raised.value)
    assert "check MLFLOW_TRACKING_URI and tracking.uri" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert pauses == []


def test_a_server_that_does_not_answer_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:hunter2@127.0.0.1:{closed_port()}"
    with pytest.raises(TrackingError) as raised:
        experiments.open_experiment(store.open_store(uri), uri, "blocks")
    assert "hunter2" not in str(raised.value)


def test_an_inherited_run_id_is_forgotten(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    store.open_store(uri)
    assert "MLFLOW_RUN_ID" not in os.environ


def test_four_processes_open_one_new_store_and_experiment_at_once(
    opened_at_once: tuple[Path, list[tuple[int, str, str]]],
) -> None:
    _, answers = opened_at_once
    assert [code for code, _, _ in answers] == [0] * 4, answers
    assert len({out for _, out, _ in answers}) == 1


# RUN on the command line


def test_a_run_is_found_by_its_id(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(upload=False, status=None)
    assert search.find_run(client, run_id).info.run_id == run_id


def test_a_run_is_found_by_experiment_model_and_replicate(client: MlflowClient, fit: Fit) -> None:
    run_ids = {(model, n): fit(f"{model}{n}", model=model, replicate=n) for model in ("k2", "k8") for n in (0, 1)}
    fit("held out", model="k2", replicate=1, role=EVALUATION)
    for (model, replicate), run_id in run_ids.items():
        assert search.find_run(client, f"blocks/{model}/{replicate}").info.run_id == run_id
    assert search.find_run(client, "blocks/k8").info.run_id == run_ids["k8", 0]


def test_an_experiment_means_its_latest_finished_parent(client: MlflowClient, experiment_id: str) -> None:
    later, _ = parent(client, experiment_id, end=2000), parent(client, experiment_id, end=1000)
    parent(client, experiment_id, "FAILED", end=3000)
    assert search.find_run(client, "blocks").info.run_id == later


def test_latest_is_the_parent_that_finished_last_in_any_experiment(
    client: MlflowClient, uri: str, experiment_id: str, fit: Fit
) -> None:
    parent(client, experiment_id, end=1000)
    latest = parent(client, experiments.open_experiment(client, uri, "other"), end=2000)
    fit(end=3000)
    found = search.find_run(client, "latest")
    assert (found.info.run_id, found.data.tags["latentlab.role"]) == (latest, PARENT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latest", "no finished experiment yet"),
        ("f" * 32, f"there is no run {'f' * 32}; `latentlab runs` lists them"),
        ("bloks", "there is no experiment 'bloks'; experiments here: blocks"),
        ("bloks/k2/0", "there is no experiment 'bloks'"),
        ("", "there is no experiment ''"),
        ("blocks", "blocks has no finished comparison; run its config"),
        ("blocks/", "blocks has no finished comparison"),
        ("blocks/k9/0", "blocks has no complete run 'k9/0'; it has k2/0"),
        ("blocks/k2/1", "blocks has no complete run 'k2/1'; it has k2/0"),
        ("blocks/k2/x", "blocks has no complete run 'k2/x'"),
        ("blocks/k2/-1", "blocks has no complete run 'k2/-1'"),
        ("blocks/k2/0/0", "blocks has no complete run 'k2/0/0'"),
    ],
)
def test_a_run_that_is_not_there_is_told_with_those_that_are(
    client: MlflowClient, fit: Fit, text: str, message: str
) -> None:
    fit()
    with pytest.raises(TrackingError) as raised:
        search.find_run(client, text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["it's", 'a"b', "%", "`", "a = 'b' or 1", "ü", "blocks/k2/²"])
def test_odd_text_is_only_a_name_that_is_not_there(client: MlflowClient, fit: Fit, text: str) -> None:
    fit()
    with pytest.raises(TrackingError):
        search.find_run(client, text)
