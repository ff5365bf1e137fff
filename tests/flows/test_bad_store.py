"""Stores, experiments and runs that cannot be used: exit code 5, without the password of the store."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from mlflow import MlflowClient

from tests.command_line import CommandLine


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///ratings.csv", "ratings.csv cannot be used: (sqlite3.DatabaseError) file is not a database"),
        pytest.param("nonsense://me:hunter2@host", "the MLflow store nonsense://host cannot be used"),
        ("mlruns", "the MLflow store mlruns cannot be used"),
        pytest.param(
            "postgresql://me:hunter2@127.0.0.1/db",
            "the MLflow store postgresql://127.0.0.1/db cannot be used",
        ),
        ("http://me:hunter2@{closed}", "the MLflow store http://{closed} cannot be used"),
        pytest.param("me:hunter2@host:5000", "the MLflow store host:5000 cannot be used", id="without a scheme"),
        ("http://me:hunter2@nowhere.invalid:5000", "the MLflow store http://nowhere.invalid:5000 cannot be used"),
    ],
)
def test_a_store_that_cannot_be_used_is_reported_without_its_password(
    offline: CommandLine, closed: str, uri: str, message: str
) -> None:
    address = closed.removeprefix("http://")
    report = offline.with_env(MLFLOW_TRACKING_URI=uri.format(closed=address)).failure(5, "runs")
    assert message.format(closed=address) in report
    assert "hunter2" not in report


def test_a_tracking_server_that_is_down_is_reported_before_the_data_are_prepared(
    offline: CommandLine, closed: str
) -> None:
    commands = offline.with_env(MLFLOW_TRACKING_URI=closed)
    message = commands.failure(5, "run", "config.yaml", run=commands.run)
    assert f"the MLflow store {closed} cannot be used" in message
    assert not (offline.folder / "home").exists()


def test_a_store_of_a_newer_mlflow_is_refused(small_finished: CommandLine) -> None:
    newer = small_finished.folder / "newer.db"
    shutil.copy(small_finished.folder / "mlflow.db", newer)
    with closing(sqlite3.connect(newer)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'of_the_future'")
    message = small_finished.with_env(MLFLOW_TRACKING_URI=f"sqlite:///{newer}").failure(5, "runs")
    assert "newer.db cannot be used" in message
    assert "made by another MLflow than" in message
    assert "found version of_the_future" in message


def test_a_deleted_experiment_is_reported_with_the_command_that_restores_it(small_finished: CommandLine) -> None:
    store = small_finished.folder / "deleted.db"
    shutil.copy(small_finished.folder / "mlflow.db", store)
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("bad-input")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    message = small_finished.with_env(MLFLOW_TRACKING_URI=f"sqlite:///{store}").failure(5, "run", "config.yaml")
    assert "'bad-input' was deleted" in message
    assert f"mlflow experiments restore --experiment-id {experiment.experiment_id}" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "goodinput"], "there is no experiment 'goodinput'; experiments here: bad-input"),
        (["recommend", "bad-input/k2/9", "--user", "0"], "bad-input has no complete run 'k2/9'"),
    ],
)
def test_an_unknown_run_is_reported_with_the_known_ones(
    small_finished: CommandLine, arguments: list[str], message: str
) -> None:
    assert message in small_finished.failure(5, *arguments)
