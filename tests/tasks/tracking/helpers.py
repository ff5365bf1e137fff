"""The type of the fixture that makes runs, the paths of what it uploads, and ways to damage a file."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlflow import MlflowClient

TABLE = "queries/user_10.json"
"""Path of the table that each fit uploads."""

Fit = Callable[..., str]
"""(identity, ...) -> the id of a new run."""


class Opening(NamedTuple):
    """How a process ended that opened a store and an experiment; it prints the experiment's id."""

    code: int
    output: str
    errors: str


def artifact_folder(client: MlflowClient, run_id: str) -> Path:
    """Return the folder in which the store keeps a run's files."""
    return Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Remove the last byte of a file."""
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


def make_a_folder(path: Path) -> None:
    """Replace a file by a folder of the same name."""
    path.unlink()
    path.mkdir()
