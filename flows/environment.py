"""Settings of the libraries that latentlab changes, applied before they are imported. What the user has set stays."""

import logging
import os
import sys
import warnings

_OUR_LOGGERS = ("flows", "tasks")

DEFAULTS = {
    # nothing is sent anywhere
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # the embedded server's first start is slow on small machines
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # results are small records; the data are in our own store
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # our messages appear in Prefect's UI; outside a flow there is no run to send them to
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(_OUR_LOGGERS),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # MLflow would retry for four minutes; what is not logged is kept, and sent by the next run
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    # latentlab shows bars of its own
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # stdout is for tables and JSON
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def set_defaults() -> None:
    """Set the variables that are not set, and let our own messages through."""
    missing = DEFAULTS.keys() - os.environ.keys()
    os.environ.update({name: DEFAULTS[name] for name in missing})
    _exempt_this_machine_from_proxies()
    for name in _OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    if "prefect" in sys.modules and any(name.startswith("PREFECT_") for name in missing):
        _apply_to_prefect()


def _apply_to_prefect() -> None:
    """Apply the variables to Prefect, which has read them already where a worker or a script imports it first."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    for handler in logging.getLogger("prefect.extra").handlers:  # as Prefect does with its extra loggers
        for name in _OUR_LOGGERS:
            logging.getLogger(name).addHandler(handler)


def _exempt_this_machine_from_proxies() -> None:
    """Add this machine to NO_PROXY: Prefect's embedded server is on it, and a proxy cannot reach it."""
    names = ("no_proxy", "NO_PROXY")
    exempt = next((os.environ[name] for name in names if os.environ.get(name)), "")
    hosts = [host.strip() for host in exempt.split(",") if host.strip()]
    missing = [host for host in ("127.0.0.1", "localhost") if host not in hosts]
    if "*" not in hosts and missing:
        os.environ.update(dict.fromkeys(names, ",".join(hosts + missing)))


def prepare(*, debug: bool = False) -> None:
    """Set the defaults for a command. Its failures are reported by us, and by Prefect's log only with `debug`."""
    set_defaults()
    os.environ["MPLBACKEND"] = "agg"  # figures are files; a notebook's backend may not be installed here
    if not debug:
        silence_libraries()


def silence_libraries() -> None:
    """Leave the report of failures and of progress to us: Prefect and MLflow log nothing below CRITICAL."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
    warnings.filterwarnings("ignore", module="prefect\\.")  # what it warns of when it is imported fails later
    warnings.filterwarnings("ignore", "IProgress not found")  # of tqdm, whose widgets implicit imports and nobody uses
