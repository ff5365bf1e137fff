"""The MLflow store: where it is, how it is opened, and what its failures mean."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tasks.core.errors import TrackingError, without_logins
from tasks.core.files import TEMPORARY

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PREFLIGHT_SECONDS = 10


def resolve_uri(configured: str | None = None) -> str:
    """Where runs are kept: MLFLOW_TRACKING_URI, else the config's, else mlflow.db in the current directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or configured
    if uri and uri.startswith(("http://", "https://")):
        return _login_aside(uri)
    if not uri:
        return f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).is_absolute():
        return f"sqlite:///{Path(path).absolute()}"
    return uri


def is_new(uri: str) -> bool:
    """Whether the store is a local file that is still to be made, in a folder where it can be."""
    path = Path(uri.removeprefix("sqlite:///"))
    return uri.startswith("sqlite:///") and not path.exists() and os.access(path.parent, os.W_OK)


def open_store(uri: str) -> "MlflowClient":
    """A client of the store, which answers; made if it is a local file that is not there yet.

    Raises
    ------
    TrackingError
        The store cannot be opened.
    """
    from mlflow import MlflowClient

    os.environ.pop("MLFLOW_RUN_ID", None)  # an inherited run is not ours
    registry = os.environ.get("MLFLOW_REGISTRY_URI") or uri  # else it is what the process has set globally
    with store_errors(uri):
        if not uri.startswith("sqlite"):
            # asked once: MLflow itself would try again for minutes
            if uri.startswith(("http://", "https://")):
                import requests

                requests.get(f"{uri.rstrip('/')}/health", timeout=_PREFLIGHT_SECONDS)
            elif uri.startswith(("postgresql", "mysql", "mssql")):
                import sqlalchemy

                sqlalchemy.create_engine(uri).connect().close()
            client = MlflowClient(uri, registry)
            client.search_experiments(max_results=1)
            return client
        # several processes that create one sqlite store at once fail in its migrations
        from filelock import FileLock

        database = Path(uri.removeprefix("sqlite:///"))
        if database.is_dir():  # MLflow would try again for 100 s
            raise IsADirectoryError("it is a folder; expected a database file")
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock", timeout=120):
            if not database.exists():  # migrations that are cut off cannot be gone on with: made aside, then renamed
                unfinished = database.with_name(f"{TEMPORARY}{database.name}")
                unfinished.unlink(missing_ok=True)
                MlflowClient(f"sqlite:///{unfinished}", f"sqlite:///{unfinished}").search_experiments(max_results=1)
                unfinished.replace(database)
            client = MlflowClient(uri, registry)
            client.search_experiments(max_results=1)
    return client


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Failures to reach or open the store, as one clear error without the URI's secrets."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        reason = first_line(error)
        if schema := re.search(r"database schema \((.*?)\)", reason):
            reason = (
                f"it was made by another MLflow than the {package_version('mlflow')} here ({schema[1]}): "
                "after a backup, `mlflow db upgrade` brings an older store up to date; a newer one needs that MLflow"
            )
        raise TrackingError(
            f"the MLflow store {without_secrets(uri)} cannot be used: {reason}; "
            "check MLFLOW_TRACKING_URI and tracking.uri"
        ) from None


def first_line(error: Exception) -> str:
    """What a library says, without the user name and password of an address within it."""
    lines = [line for line in str(error).splitlines() if not line.startswith("(raised as a result of")]
    return without_logins(lines[0] if lines else type(error).__name__)[:300]


def run_url(uri: str, experiment_id: str, run_id: str) -> str | None:
    """Where a browser shows a run; None for a store that is no server."""
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{without_secrets(uri).rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"


def without_secrets(uri: str) -> str:
    """A URI as it may be printed, without user name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else uri


def _login_aside(uri: str) -> str:
    """A server's address without user name and password, which MLflow takes from variables of their own.

    Within an address they would be part of its errors, and those of Prefect's logs.
    """
    parts = urlsplit(uri)
    for name, value in {"USERNAME": parts.username, "PASSWORD": parts.password}.items():
        if value is not None:
            os.environ[f"MLFLOW_TRACKING_{name}"] = unquote(value)
    return without_secrets(uri)
