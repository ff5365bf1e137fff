"""The MLflow store: its address, how it is made and opened, and what is reported if it cannot be used."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mlflow.store.db.utils
import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from tasks.core.errors import TrackingError
from tasks.tracking.experiments import open_experiment
from tasks.tracking.store import open_store, resolve_uri, without_secrets
from tests.tasks.tracking.helpers import Opening

# Making a store


def test_four_processes_open_a_new_store_and_experiment_at_once(new_store: tuple[Path, list[Opening]]) -> None:
    _, openings = new_store
    assert [opening.code for opening in openings] == [0] * 4, openings
    assert len({opening.output for opening in openings}) == 1


@pytest.mark.parametrize("tables", [1, 12])
def test_a_store_whose_creation_was_interrupted_is_made_again(tmp_path: Path, tables: int) -> None:
    """The process is killed once there are `tables` tables: interrupted migrations cannot be continued."""
    database = tmp_path / "new" / "mlflow.db"
    code = "import sys; from tasks.tracking.store import open_store; open_store(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", code, f"sqlite:///{database}"]) as process:
        unfinished = database.with_name(".tmp-mlflow.db")
        while process.poll() is None and (not unfinished.exists() or unfinished.read_bytes().count(b"CREATE") < tables):
            pass
        process.kill()
    assert unfinished.exists()
    assert not database.exists()
    assert open_store(f"sqlite:///{database}").search_experiments()
    assert not unfinished.exists()


def test_no_connection_to_the_unfinished_store_stays_open(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/made.db")
    assert not [uri for uri in SqlAlchemyStore._engine_map if ".tmp-made.db" in uri]


def test_an_inherited_run_id_is_removed(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    open_store(uri)
    assert "MLFLOW_RUN_ID" not in os.environ


# Addresses


def test_the_default_store_is_in_the_current_directory(tmp_path: Path) -> None:
    assert resolve_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_relative_sqlite_addresses_become_absolute(tmp_path: Path) -> None:
    assert resolve_uri("sqlite:///runs/my.db") == f"sqlite:///{tmp_path}/runs/my.db"


@pytest.mark.parametrize("uri", ["sqlite:////data/my.db", "http://127.0.0.1:5000", "postgresql://host/db"])
def test_other_addresses_are_not_changed(uri: str) -> None:
    assert resolve_uri(uri) == uri


def test_the_environment_overrides_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///theirs.db")
    assert resolve_uri("sqlite:///mine.db") == f"sqlite:///{tmp_path}/theirs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert resolve_uri("sqlite:///mine.db") == f"sqlite:///{tmp_path}/mine.db"


@pytest.mark.parametrize(
    ("uri", "printed"),
    [
        ("postgresql://me:hunter2@host:5432/db", "postgresql://host:5432/db"),
        ("https://me:hunter2@host/path?a=1", "https://host/path?a=1"),
        ("https://me:p@ss@host", "https://host"),
        ("https://token@host", "https://host"),
        ("https://host:5000", "https://host:5000"),
        ("sqlite:////data/my.db", "sqlite:////data/my.db"),
    ],
)
def test_addresses_are_printed_without_user_and_password(uri: str, printed: str) -> None:
    assert without_secrets(uri) == printed


# Stores that cannot be opened


def _not_a_database(folder: Path) -> str:
    (folder / "notes.db").write_text("not a database at all" * 100)
    return f"sqlite:///{folder / 'notes.db'}"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(_not_a_database, id="not a database"),
        pytest.param(lambda folder: f"sqlite:///{folder}", id="a folder"),
        pytest.param(lambda folder: f"sqlite:///{_not_a_database(folder)[10:]}/runs.db", id="under a file"),
        pytest.param(lambda _: "nonsense://host", id="unknown scheme"),
        pytest.param(lambda folder: str(folder / "mlruns"), id="file store"),
        pytest.param(lambda _: "postgresql://me:hunter2@127.0.0.1/db", id="driver not installed"),
    ],
)
def test_a_store_that_cannot_be_opened_is_reported_at_once_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: Callable[[Path], str]
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(mlflow.store.db.utils, "time", SimpleNamespace(sleep=pauses.append))
    uri = address(tmp_path)
    with pytest.raises(TrackingError) as raised:
        open_store(uri)
    assert without_secrets(uri) in str(raised.value)
    assert "check MLFLOW_TRACKING_URI and tracking.uri" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert pauses == []


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_error_of_a_server_that_does_not_answer_hides_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:hunter2@127.0.0.1:{_closed_port()}"
    with pytest.raises(TrackingError) as raised:
        open_experiment(open_store(uri), uri, "blocks")
    assert "hunter2" not in str(raised.value)
