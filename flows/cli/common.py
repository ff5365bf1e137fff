"""What several commands share: options, the config, the store, and how they print."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.streams import say_on_stderr

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.core.config.experiment import ExperimentConfig
    from tasks.tracking.local_reader.types import StoreReader

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else on stdout.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B.C=VALUE", help="Replace one key of the config; repeatable.")
]
ConfigFile = Annotated[Path, typer.Argument(help="A config file.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run id, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT, or latest.")
]


def load(path: Path, sets: list[str] | None) -> "ExperimentConfig":
    """Return a checked config whose data set exists.

    Parameters
    ----------
    path : Path
        Path of the file.
    sets : list of str or None
        Of the form `a.b.c=value`.

    Returns
    -------
    ExperimentConfig
    """
    from tasks.core.config.load import load_config
    from tasks.core.data.catalogue import check_known

    config = load_config(path, sets or ())
    check_known(config.dataset)
    return config


def open_default_store() -> "MlflowClient":
    """Return a client of the store that MLFLOW_TRACKING_URI names, or of ./mlflow.db."""
    from tasks.tracking.store import resolve_uri

    return open_store(resolve_uri())


def open_for_reading() -> "StoreReader":
    """Return what reads the store that MLFLOW_TRACKING_URI names, or ./mlflow.db: where it can be, without MLflow."""
    from tasks.tracking.local_reader.reader import open_reader
    from tasks.tracking.store import resolve_uri

    uri = resolve_uri()
    return open_reader(uri) or open_store(uri)


def open_store(uri: str) -> "MlflowClient":
    """Return a client of a store; one of an earlier MLflow is upgraded if the user, who is asked in a terminal, agrees.

    Raises
    ------
    OldStoreError
        If stdin is no terminal.
    Exit
        If the user does not agree.
    """
    from tasks.tracking import store

    try:
        return store.open_store(uri)
    except store.OldStoreError as error:
        if not sys.stdin.isatty():
            raise
        say_on_stderr(f"latentlab: {error}")
        if not typer.confirm("Upgrade it now?", err=True):
            raise typer.Exit(error.exit_code) from None
        store.upgrade(uri)
        return store.open_store(uri)


def store_name(config: "ExperimentConfig | None" = None) -> str:
    """Return the URI of the store as it may be printed."""
    from tasks.tracking.store import resolve_uri, without_secrets

    return without_secrets(resolve_uri(config.tracking.uri if config else None))


def print_json(content: Any) -> None:
    """Print a JSON document on stdout."""
    print(json.dumps(content, indent=1, allow_nan=False))


def log_to_stderr() -> None:
    """Print our own log messages as short lines above the progress bars."""
    from flows.cli.printing.log_lines import LogLines

    handler = LogLines()
    for name in ("tasks", "flows"):
        logging.getLogger(name).addHandler(handler)


def refuse_existing(path: Path) -> None:
    """Raise a ConfigError if the file that `--write` names exists, or a DataError if its folder cannot hold it."""
    from tasks.core import new_files

    new_files.refuse_existing(path, option="--write: ", noun="file")  # said before hours of work, not after them


def write_new(path: Path, text: str) -> None:
    """Write the file that `--write` names.

    Parameters
    ----------
    path : Path
        A file that does not exist.
    text : str
        Its content.

    Raises
    ------
    ConfigError
        If it exists.
    DataError
        If it cannot be written.
    """
    from tasks.core.errors import DataError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        raise DataError(f"--write: {path} cannot be written: {error.strerror or error}") from error
