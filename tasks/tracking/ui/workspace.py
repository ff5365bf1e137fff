"""A Databricks workspace as MLflow store: where it is, and what it has beside the runs."""

import os
from configparser import ConfigParser, Error
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

CREDENTIALS = (
    "set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile that `databricks auth login` made, as "
    "databricks://PROFILE"
)
"""What MLflow needs outside Databricks, as advice."""


def is_workspace(uri: str) -> bool:
    """Return whether a store is a Databricks workspace: `databricks`, or `databricks://PROFILE`."""
    return uri == "databricks" or uri.startswith("databricks://")


def unity_catalog(uri: str) -> str:
    """Return the address of the registry in Unity Catalog that belongs to a workspace, as MLflow 3 derives it."""
    return uri.replace("databricks", "databricks-uc", 1)


def is_unity_catalog(registry: str) -> bool:
    """Return whether a registry is that of Databricks in Unity Catalog."""
    return registry == "databricks-uc" or registry.startswith("databricks-uc://")


def configured_host(uri: str) -> str | None:
    """Return the address of a workspace as a variable or a profile gives it; None if neither does.

    Within Databricks there need be none: a notebook knows its workspace.
    """
    profile = urlsplit(uri).netloc or os.environ.get("DATABRICKS_CONFIG_PROFILE")
    host = None if profile else os.environ.get("DATABRICKS_HOST")
    if not host:
        profiles = ConfigParser(interpolation=None)
        with suppress(Error, UnicodeDecodeError):  # MLflow reports it
            profiles.read(Path(os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser())
        host = profiles.get(profile or "DEFAULT", "host", fallback=None)
    if host and "://" not in host:
        host = f"https://{host}"
    return host.rstrip("/") if host else None


def workspace_page(uri: str, page: str) -> str:
    """Return the address at which a workspace shows a page of MLflow's UI.

    Parameters
    ----------
    uri : str
        Of the store, which has answered.
    page : str
        As `tasks.tracking.ui.addresses` returns it.

    Returns
    -------
    str
    """
    from mlflow.utils.databricks_utils import get_databricks_host_creds

    host = str(get_databricks_host_creds(uri).host)  # type: ignore[no-untyped-call]
    return f"{host.rstrip('/')}/ml{page.removeprefix('#')}"
