"""A store of an earlier MLflow: nothing is changed in it before the user agrees."""

import hashlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

from tests.command_line import CommandLine

MLFLOW_2_22 = "0584bdc529eb"
"""The last revision of its database."""


@pytest.fixture
def old(offline: CommandLine) -> CommandLine:
    """The command line in a folder with an empty store of MLflow 2.22."""
    engine = create_engine(offline.store)
    Base.metadata.create_all(engine)
    config = _get_alembic_config(offline.store)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, MLFLOW_2_22)
    engine.dispose()
    return offline


def digest(commands: CommandLine) -> str:
    return hashlib.sha256((commands.folder / "mlflow.db").read_bytes()).hexdigest()


@pytest.mark.parametrize("arguments", [["runs"], ["run", "config.yaml"], ["compare", "a", "b"], ["verify"], ["ui"]])
def test_without_a_terminal_an_old_store_is_refused_and_not_changed(
    old: CommandLine, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(old)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        message = old.failure(5, *arguments)
    assert f"made by an earlier MLflow (schema {MLFLOW_2_22}" in message
    assert "cannot be undone" in message
    assert f"keep a copy, then run `mlflow db upgrade {old.store}`" in message
    assert digest(old) == before


def test_in_a_terminal_the_user_is_asked(old: CommandLine) -> None:
    before = digest(old)
    for answer, code in ((b"n\n", 5), (b"y\n", 0)):
        terminal, theirs = pty.openpty()
        os.write(terminal, answer)
        done = subprocess.run(
            [sys.executable, "-m", "flows", "runs"],
            cwd=old.folder, env=old.env, stdin=theirs, capture_output=True, text=True, timeout=100, check=False
        )  # fmt: skip
        os.close(terminal)
        os.close(theirs)
        assert done.returncode == code, done.stderr
        assert "Upgrade it now? [y/N]:" in done.stderr
        assert (digest(old) == before) == (answer == b"n\n")
    assert "No runs yet" in done.stdout
