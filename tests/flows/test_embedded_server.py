"""Prefect's embedded server that cannot start: exit code 6 with the server's own error, at once."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)

from flows.embedded_server import start_embedded_server
from tasks.core.errors import OrchestrationError
from tests.command_line import CommandLine
from tests.flows.test_environment import without


@contextmanager
def embedded(monkeypatch: pytest.MonkeyPatch, **settings: object) -> Iterator[None]:
    """Settings with which no other server is used than the embedded one."""
    monkeypatch.setattr(SubprocessASGIServer, "_instances", {})
    named = {"home": PREFECT_HOME, "database": PREFECT_API_DATABASE_CONNECTION_URL}
    named |= {"allowed": PREFECT_SERVER_ALLOW_EPHEMERAL_MODE}
    with temporary_settings({PREFECT_API_URL: None} | {named[name]: value for name, value in settings.items()}):
        yield


def test_a_database_of_a_newer_prefect_is_reported_by_the_command(offline: CommandLine) -> None:
    home = Path(offline.env["PREFECT_HOME"])
    home.mkdir()
    with closing(sqlite3.connect(home / "prefect.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('of_the_future')")
    commands = without(offline, "PREFECT_API_URL")
    message = commands.failure(6, "run", "config.yaml", run=commands.run)
    assert "Prefect's embedded server does not start" in message
    assert "Can't locate revision identified by 'of_the_future'" in message
    assert str(home / "prefect.db") in message


@pytest.mark.parametrize(
    ("database", "cause"),
    [
        ("sqlite+aiosqlite:////proc/nowhere/prefect.db", "unable to open database file"),
        ("nonsense://x", "NoSuchModuleError: Can't load plugin"),
    ],
)
def test_a_database_that_cannot_be_used_is_reported_in_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str, cause: str
) -> None:
    begun = time.monotonic()
    with (
        embedded(monkeypatch, home=tmp_path, database=database),
        pytest.raises(OrchestrationError, match=cause) as raised,
    ):
        start_embedded_server()
    assert "Traceback" in str(raised.value.__cause__)
    assert time.monotonic() - begun < 60


def test_a_setting_that_forbids_the_embedded_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        embedded(monkeypatch, allowed=False),
        pytest.raises(OrchestrationError, match="PREFECT_SERVER_ALLOW_EPHEMERAL_MODE is false"),
    ):
        start_embedded_server()


def test_the_server_of_a_team_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    monkeypatch.setattr(SubprocessASGIServer, "_instances", {})
    with temporary_settings({PREFECT_API_URL: closed, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}):
        start_embedded_server()
    assert SubprocessASGIServer._instances == {}
