"""Settings of the libraries that latentlab changes, applied before they are imported. What the user has set stays."""

import logging
import os

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
    "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks",
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
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in ("flows", "tasks"):
        logging.getLogger(name).setLevel(logging.INFO)


def prepare(*, debug: bool = False) -> None:
    """Set the defaults for a command. Its failures are reported by us, and by Prefect's log only with `debug`."""
    set_defaults()
    if not debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
