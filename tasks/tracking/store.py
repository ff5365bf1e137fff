"""The MLflow store: where it is, how it is opened, and what its failures mean.

Every call names its run: there is no active run anywhere.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tasks.core.errors import TrackingError, without_logins
from tasks.core.files import TEMPORARY
from tasks.tracking.local_store import follow_move, sqlite_path, sqlite_uri
from tasks.tracking.ui.addresses import run_page
from tasks.tracking.ui.workspace import CREDENTIALS, configured_host, is_workspace, unity_catalog, workspace_page

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy.engine import Engine

_PREFLIGHT_SECONDS = 10


class OldStoreError(TrackingError):
    """The store was made by an earlier MLflow, and has to be upgraded before it can be used."""


def resolve_uri(configured: str | None = None) -> str:
    """Return where runs are kept: MLFLOW_TRACKING_URI, else the config's, else mlflow.db in the current directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or configured
    if uri and uri.startswith(("http://", "https://")):
        return _login_as_variables(uri)
    return _absolute(uri) if uri else sqlite_uri(Path.cwd() / "mlflow.db")


def resolve_registry(uri: str, configured: str | None = None) -> str:
    """Return where models are registered.

    Parameters
    ----------
    uri : str
        Of the store of the runs.
    configured : str, optional
        `tracking.registry` of the config.

    Returns
    -------
    str
        MLFLOW_REGISTRY_URI, else the config's, else the store of the runs, and not what the process has set globally.
        A Databricks workspace registers models in Unity Catalog.
    """
    if registry := os.environ.get("MLFLOW_REGISTRY_URI") or configured:
        return _absolute(registry)
    return unity_catalog(uri) if is_workspace(uri) else uri


def _absolute(uri: str) -> str:
    """Return an address, that of a sqlite file with its absolute path."""
    path = sqlite_path(uri)
    return sqlite_uri(path.absolute(), uri.partition("?")[2]) if path else uri


def is_new(uri: str) -> bool:
    """Return whether the store is a local file that does not exist yet, in a folder that can be written."""
    path = sqlite_path(uri)
    return path is not None and not path.exists() and os.access(path.parent, os.W_OK)


def open_store(uri: str, registry: str | None = None) -> "MlflowClient":
    """Return a client of the store, which has answered. A local file that does not exist is made.

    Parameters
    ----------
    uri : str
        Of the store.
    registry : str, optional
        `tracking.registry` of the config.

    Returns
    -------
    MlflowClient

    Raises
    ------
    OldStoreError
        If it was made by an earlier MLflow: MLflow itself would upgrade it and not ask.
    TrackingError
        If the store cannot be opened.
    """
    from mlflow import MlflowClient

    os.environ.pop("MLFLOW_RUN_ID", None)  # an inherited run is not ours
    with store_errors(uri):
        if database := sqlite_path(uri):
            if database.is_dir():  # MLflow would retry for 100 s
                raise IsADirectoryError("it is a folder; expected a database file")
            if not database.exists():  # one that exists may be in a folder that cannot be written
                _make_once(database)
        elif uri.startswith(("http://", "https://")):
            _check_answers(f"{uri.rstrip('/')}/health")
        elif is_workspace(uri) and (host := configured_host(uri)):
            _check_answers(host)
        if uri.startswith(("sqlite", "postgresql", "mysql", "mssql")):
            _refuse_old_schema(uri)
        client = MlflowClient(uri, resolve_registry(uri, registry))
        client.search_experiments(max_results=1)
        if database:
            follow_move(database)
    return client


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn failures to reach or open the store into one clear error, without the secrets of the URI.

    Raises
    ------
    TrackingError
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
        reason = first_line(error).replace(uri, without_secrets(uri))
        if schema := re.search(r"database schema \((.*?)\)", reason):
            reason = (
                f"it was made by another MLflow than the {package_version('mlflow')} here ({schema[1]}): "
                "after a backup, `mlflow db upgrade` brings an older store up to date; a newer one needs that MLflow"
            )
        advice = "check MLFLOW_TRACKING_URI and tracking.uri"
        if getattr(error, "error_code", None) == "UNAUTHENTICATED" and not is_workspace(uri):
            advice = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        if "Databricks credential configuration" in reason:
            reason, advice = "there are no credentials for Databricks", CREDENTIALS
        raise TrackingError(f"the MLflow store {without_secrets(uri)} cannot be used: {reason}; {advice}") from None


def is_store_error(error: object) -> bool:
    """Return whether an error comes from the store or from MLflow itself."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, TrackingError | MlflowException)


def is_missing(error: object) -> bool:
    """Return whether MLflow reports that what was asked for does not exist, or was deleted."""
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"


def is_refused(error: object) -> bool:
    """Return whether MLflow reports that a value, such as the name of an experiment, is not one that it takes."""
    return getattr(error, "error_code", None) in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


@contextmanager
def reporting_missing(message: str) -> Iterator[None]:
    """Report as a TrackingError that what the block asks MLflow for does not exist, or was deleted.

    Raises
    ------
    TrackingError
        With the message.
    """
    try:
        yield
    except Exception as error:
        if not is_missing(error):
            raise
        raise TrackingError(message) from error


def first_line(error: Exception) -> str:
    """Return the first line of a library's error, without the user name and password of an address in it."""
    lines = [line for line in str(error).splitlines() if not line.startswith("(raised as a result of")]
    return without_logins(lines[0] if lines else type(error).__name__)[:300]


def without_secrets(uri: str) -> str:
    """Return a URI as it may be printed, without user name and password."""
    return without_logins(uri) if "://" in uri else re.sub("^[^/@]*:.*@", "", uri)


def page_url(uri: str, page: str) -> str | None:
    """Return the address at which the store itself shows a page.

    Parameters
    ----------
    uri : str
        Of the store.
    page : str
        As `tasks.tracking.ui.addresses` returns it.

    Returns
    -------
    str or None
        None if the store is not a server.
    """
    if is_workspace(uri):
        return workspace_page(uri, page)
    return f"{without_secrets(uri).rstrip('/')}/{page}" if uri.startswith(("http://", "https://")) else None


def run_url(uri: str, experiment_id: str, run_id: str) -> str | None:
    """Return the address at which a browser shows a run.

    Parameters
    ----------
    uri : str
        Of the store.
    experiment_id, run_id : str
        Ids of the experiment and of the run.

    Returns
    -------
    str or None
        None if the store is not a server.
    """
    return page_url(uri, run_page(experiment_id, run_id))


def _login_as_variables(uri: str) -> str:
    """Return a server's address without user name and password, which become MLflow's own variables.

    Within an address they would be part of MLflow's errors, and of Prefect's logs.
    """
    parts = urlsplit(uri)
    for name, value in {"USERNAME": parts.username, "PASSWORD": parts.password}.items():
        if value is not None:
            os.environ[f"MLFLOW_TRACKING_{name}"] = unquote(value)
    return without_secrets(uri)


def _make_once(database: Path) -> None:
    """Make a sqlite store unless another process does: several at once would fail in its migrations."""
    from filelock import FileLock

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=120):
        if not database.exists():
            _make_database(database)


def _make_database(database: Path) -> None:
    """Make a sqlite store elsewhere and rename it: migrations that are interrupted cannot be continued."""
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = database.with_name(f"{TEMPORARY}{database.name}")
    unfinished.unlink(missing_ok=True)
    uri = sqlite_uri(unfinished)
    MlflowClient(uri, uri).search_experiments(max_results=1)
    SqlAlchemyStore._engine_map.pop(uri).dispose()  # MLflow keeps an engine for each address, with open connections
    unfinished.replace(database)


def upgrade(uri: str) -> None:
    """Upgrade the store's database to the form of the MLflow that is installed, as `mlflow db upgrade` does.

    Raises
    ------
    TrackingError
        If that fails.
    """
    from mlflow.store.db.utils import _upgrade_db

    with store_errors(uri), _engine(uri) as engine:
        _upgrade_db(engine)  # type: ignore[no-untyped-call]


def _check_answers(address: str) -> None:
    """Ask a server once, whatever it answers: MLflow itself, or the SDK of Databricks, would retry for minutes."""
    import requests

    requests.get(address, timeout=_PREFLIGHT_SECONDS)


def _refuse_old_schema(uri: str) -> None:
    """Ask a database for its revision once, and refuse an earlier one.

    Raises
    ------
    OldStoreError
        If the installed MLflow has later revisions. A later store is reported by MLflow.
    """
    from mlflow.store.db.utils import _get_schema_version

    with _engine(uri) as engine:
        found = _get_schema_version(engine)  # type: ignore[no-untyped-call]
    *earlier, expected = _revisions()
    if found in earlier:
        shown = without_secrets(uri)
        raise OldStoreError(
            f"the MLflow store {shown} was made by an earlier MLflow (schema {found}; MLflow "
            f"{package_version('mlflow')} here needs {expected}). An upgrade cannot be undone, and the earlier MLflow "
            f"cannot read the store afterwards: keep a copy, then run `mlflow db upgrade {shown}`"
        )


@contextmanager
def _engine(uri: str) -> "Iterator[Engine]":
    """Yield an engine of a database, whose connections are closed after the block."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        yield engine
    finally:
        engine.dispose()


@cache
def _revisions() -> list[str]:
    """Return the revisions of the database that the installed MLflow knows, the earliest first."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config(""))  # type: ignore[no-untyped-call]
    return [script.revision for script in scripts.walk_revisions()][::-1]
