"""The reader of sqlite stores returns what MLflow's client does, and leaves other stores to that client."""

import hashlib
import math
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from tasks.core.errors import TrackingError
from tasks.core.planning.runs import EVALUATION, PARENT
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.experiments import all_experiments, find_experiment, open_experiment
from tasks.tracking.local_reader import queries
from tasks.tracking.local_reader.reader import SCHEMAS, LocalReader, _installed_schema, open_reader
from tasks.tracking.local_reader.types import StoredRun, StoreReader
from tasks.tracking.local_store import sqlite_uri
from tasks.tracking.reading.named_run import find_run, latest_experiment
from tasks.tracking.runs import is_complete, last_use, log_use, run_ref, start_run, supersede, was_completed
from tasks.tracking.search import (
    complete_parents,
    our_runs,
    runs_of_role,
    search_runs,
    with_fits,
)
from tasks.tracking.store import open_store
from tests.tasks.tracking.helpers import TABLE, Fit

SEARCHES = [
    ("", "attributes.start_time DESC"),
    ("attributes.status = 'FINISHED'", "attributes.end_time DESC"),
    (f"attributes.status = 'FINISHED' and tags.`latentlab.role` = '{PARENT}'", "tags.`latentlab.used` DESC"),
    (
        "tags.mlflow.parentRunId = 'parent'".replace("mlflow.parentRunId", "`mlflow.parentRunId`"),
        "attributes.end_time DESC",
    ),
    ("tags.`latentlab.model` = 'no such'", "attributes.start_time DESC"),
]


@pytest.fixture
def store(client: MlflowClient, uri: str, fit: Fit, experiment_id: str) -> MlflowClient:
    """A store with runs and experiments of every kind that the commands meet."""
    complete = fit("one", end=1_000)
    client.log_batch(
        complete,
        metrics=[
            *(Metric("objective", value, 5, step) for step, value in enumerate([9.0, 7.0, 8.0])),
            Metric("objective", 1.0, 99, 1),  # logged later, of an earlier step
            Metric("none", math.nan, 5, 0),
            Metric("much", math.inf, 5, 0),
            Metric("little", -math.inf, 5, 0),
            Metric("whole", 3, 5, 0),
        ],
    )
    client.set_tag(complete, "mlflow.note.content", "Ä größer ≥ 'k'\nзаметка 注")
    superseded = fit("one", end=2_000)
    supersede(client, [superseded], complete)
    fit("two", replicate=1, status="FAILED")
    fit("three", role=EVALUATION, uploaded=False, status="KILLED")
    fit("four", replicate=2, status=None)
    client.delete_run(fit("five", replicate=3))
    client.create_run(experiment_id, run_name="not ours")
    client.create_run(experiment_id)
    for experiment in (experiment_id, open_experiment(client, uri, "größer 注 'a' and b")):
        for end in (3_000, 4_000):
            tags = {"latentlab.role": PARENT, "latentlab.complete": "sha256", "latentlab.identity": str(end)}
            parent = start_run(client, experiment, "k2 vs k8", tags=tags, params={"ø": "1.50", "empty": ""})
            client.set_terminated(parent, "FINISHED", end)
            if end == 3_000:
                log_use(client, parent)
    client.set_terminated(start_run(client, experiment_id, "search", tags={"latentlab.role": "search"}), "FINISHED", 7)
    deleted = open_experiment(client, uri, "deleted")
    start_run(client, deleted, "in it", tags={"latentlab.role": PARENT})
    client.delete_experiment(deleted)
    return client


@pytest.fixture
def reader(store: MlflowClient, uri: str) -> LocalReader:
    return reader_of(uri)


def reader_of(uri: str) -> LocalReader:
    reader = open_reader(uri)
    assert reader is not None
    return reader


def content(run: StoredRun) -> dict[str, Any]:
    """Return all that is read of a run. Numbers that are none are compared as text."""
    names = [
        "run_id",
        "run_name",
        "experiment_id",
        "status",
        "start_time",
        "end_time",
        "lifecycle_stage",
        "artifact_uri",
    ]
    info = {name: getattr(run.info, name) for name in names}
    metrics = {name: repr(value) for name, value in run.data.metrics.items()}
    is_ended = run.info.end_time is not None
    derived = [is_complete(run), was_completed(run), run_ref(run), last_use(run) if is_ended else None]
    return {**info, "metrics": metrics, "params": dict(run.data.params), "tags": dict(run.data.tags), "": derived}


def contents(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    return [content(run) for run in runs]


def ids_of_all_runs(client: MlflowClient) -> list[str]:
    ids = [experiment.experiment_id for experiment in client.search_experiments(view_type=3)]
    return [run.info.run_id for run in client.search_runs(ids, run_view_type=3)]


# The same as MLflow's client


def test_every_run_is_the_same(store: MlflowClient, reader: LocalReader) -> None:
    run_ids = ids_of_all_runs(store)
    assert len(run_ids) == 14
    for run_id in run_ids:
        assert content(reader.get_run(run_id)) == content(store.get_run(run_id))


def test_of_each_metric_the_value_of_the_last_step_is_read(store: MlflowClient, reader: LocalReader) -> None:
    metrics = find_run(reader, "blocks/k2/0").data.metrics
    assert metrics["objective"] == 8.0
    assert math.isnan(metrics["none"])
    assert metrics["much"] == -metrics["little"] > 1e308
    assert isinstance(metrics["whole"], float)


def test_every_experiment_is_the_same(store: MlflowClient, reader: LocalReader) -> None:
    def described(client: StoreReader) -> list[tuple[str, ...]]:
        return [
            (each.experiment_id, each.name, str(each.artifact_location), each.lifecycle_stage)
            for each in all_experiments(client)
        ]

    assert described(reader) == described(store)
    assert {name for _, name, *_ in described(reader)} == {"Default", "shared", "blocks", "größer 注 'a' and b"}
    for name in ("blocks", "größer 注 'a' and b", "deleted", "no such", "BLOCKS"):
        assert find_experiment(reader, name) == find_experiment(store, name)


@pytest.mark.parametrize(("condition", "order"), SEARCHES)
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_every_search_finds_the_same_runs_in_the_same_order(
    store: MlflowClient, reader: LocalReader, experiment_id: str, condition: str, order: str, page_size: int
) -> None:
    ids = [experiment.experiment_id for experiment in all_experiments(store)]
    for searched in ([experiment_id], ids, []):
        expected, found = (
            contents(list(search_runs(c, searched, condition, order, page_size))) for c in (store, reader)
        )
        assert found == expected


def test_every_function_that_the_commands_use_returns_the_same(
    store: MlflowClient, reader: LocalReader, experiment_id: str
) -> None:
    for read in (our_runs, lambda client: complete_parents(client, experiment_id)):
        assert contents(read(reader)) == contents(read(store)) != []
    identified = [contents(complete_parents(c, experiment_id, "3000", superseded=True)) for c in (reader, store)]
    assert identified[0] == identified[1] != []
    assert latest_experiment(reader) == latest_experiment(store) is not None
    fits = [with_fits(c, find_run(c, "blocks")) for c in (reader, store)]
    assert contents(fits[0]) == contents(fits[1])
    evaluations = [contents(list(runs_of_role(c, experiment_id, EVALUATION, "three"))) for c in (reader, store)]
    assert evaluations[0] == evaluations[1] != []
    (complete,) = [run.info.run_id for run in our_runs(store) if is_complete(run) and run_ref(run).role == "model"]
    assert RunFiles(reader, complete).read(TABLE) == RunFiles(store, complete).read(TABLE)


@pytest.mark.parametrize(
    "text", ["latest", "blocks", "blocks/k2", "größer 注 'a' and b", "blocks/k2/9", "deleted", "nothing", "0" * 32]
)
def test_a_name_means_the_same_run_or_the_same_message(store: MlflowClient, reader: LocalReader, text: str) -> None:
    def found(client: StoreReader) -> object:
        try:
            return content(find_run(client, text))
        except TrackingError as error:
            return str(error)

    assert found(reader) == found(store)


def test_the_files_of_a_run_that_is_not_there_are_reported_as_before(store: MlflowClient, reader: LocalReader) -> None:
    messages = []
    for client in (reader, store):
        with pytest.raises(TrackingError) as report:
            RunFiles(client, "f" * 32).read(TABLE)
        messages.append(str(report.value))
    assert messages[0] == messages[1]
    assert "it was deleted in MLflow" in messages[0]


def test_a_file_that_is_not_on_this_machine_is_downloaded_by_mlflow(
    store: MlflowClient, reader: LocalReader, tmp_path: Path
) -> None:
    run_id = our_runs(store)[-1].info.run_id
    store.log_text(run_id, "text", "note.txt")
    copy = reader.download_artifacts(run_id, "note.txt", str(tmp_path))
    assert Path(copy).read_text() == "text"


def test_conditions_of_another_form_are_refused() -> None:
    for condition in ("metrics.auc > 0.5", "attributes.user = 'me'", "tags.a = 'b' or tags.b = 'c'"):
        with pytest.raises(ValueError, match="expected"):
            queries.where(condition)
    with pytest.raises(ValueError, match="expected"):
        queries.order(["attributes.end_time ASC"])


# Which stores it reads


def test_the_installed_mlflow_has_a_schema_for_which_the_reader_was_tested(uri: str) -> None:
    """If this fails after an upgrade of MLflow: compare its tables, run these tests, and add the schema."""
    assert _installed_schema() in SCHEMAS


def test_reading_changes_neither_the_store_nor_the_folder(reader: LocalReader, tmp_path: Path) -> None:
    def state() -> tuple[str, list[str]]:
        digest = hashlib.sha256((tmp_path / "mlflow.db").read_bytes()).hexdigest()
        return digest, sorted(path.name for path in tmp_path.iterdir())

    before = state()
    our_runs(reader)
    with pytest.raises(TrackingError, match="attempt to write a readonly database"):
        reader._rows("DELETE FROM runs")
    assert state() == before


def test_a_store_with_a_write_ahead_log_is_read_with_what_is_in_the_log(
    store: MlflowClient, uri: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("UPDATE experiments SET name = 'renamed' WHERE name = 'blocks'")
        assert (tmp_path / "mlflow.db-wal").stat().st_size
        assert find_experiment(reader_of(uri), "renamed")


def test_stores_that_mlflow_has_to_open_or_to_report_are_left_to_it(
    store: MlflowClient, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database, but longer than the head of one" * 10)
    sqlite3.connect(tmp_path / "empty").close()
    for path in ("folder", "text", "empty", "no folder/missing"):
        assert open_reader(sqlite_uri(tmp_path / path)) is None
    for other in ("http://127.0.0.1:1", "postgresql://host/db", str(tmp_path), f"{uri}?timeout=5"):
        assert open_reader(other) is None
    assert open_reader(uri) is not None
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert open_reader(uri) is None


def test_a_store_that_does_not_exist_yet_is_empty_and_is_not_made(tmp_path: Path) -> None:
    reader, made = reader_of(sqlite_uri(tmp_path / "missing.db")), open_store(sqlite_uri(tmp_path / "new.db"))
    for filter_string, order in SEARCHES:
        assert list(reader.search_runs(["0"], filter_string, order_by=[order])) == []
    for client in (reader, made):
        assert our_runs(client) == []
        assert find_experiment(client, "none") is None
        with pytest.raises(TrackingError, match="no finished experiment yet"):
            find_run(client, "latest")
    assert not (tmp_path / "missing.db").exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '0584bdc529eb'",  # of MLflow 2.22
        "UPDATE alembic_version SET version_num = 'of_the_future'",
        "DELETE FROM alembic_version",
        "UPDATE experiments SET workspace = 'team' WHERE name = 'blocks'",
    ],
)
def test_other_schemas_and_workspaces_are_left_to_mlflow(store: MlflowClient, tmp_path: Path, change: str) -> None:
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "other.db")
    assert open_reader(sqlite_uri(tmp_path / "other.db")) is not None
    with closing(sqlite3.connect(tmp_path / "other.db")) as database, database:
        database.execute(change)
    assert open_reader(sqlite_uri(tmp_path / "other.db")) is None


def test_a_store_that_is_locked_is_left_to_mlflow_or_reported_with_its_words(
    reader: LocalReader, uri: str, tmp_path: Path
) -> None:
    reader._rows("PRAGMA busy_timeout = 100")
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert open_reader(uri) is None
        with pytest.raises(
            TrackingError, match=r"failed: \(sqlite3.OperationalError\) database is locked; run the same"
        ):
            our_runs(reader)
    assert open_reader(uri) is not None


def test_a_store_that_was_moved_is_left_to_mlflow_until_its_locations_are_corrected(
    store: MlflowClient, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    for name in ("mlflow.db", "mlartifacts"):
        shutil.move(tmp_path / name, tmp_path / "new" / name)
    uri = sqlite_uri(tmp_path / "new" / "mlflow.db")
    assert open_reader(uri) is None
    open_store(uri)
    run = find_run(reader_of(uri), "blocks/k2/0")
    assert RunFiles(reader_of(uri), run.info.run_id).read(TABLE).is_relative_to(tmp_path / "new")
