"""Defaults of the libraries' settings, set before they are imported; what the user has set stays."""

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
    # our own messages show in Prefect's UI; outside a flow there is nobody to send them to
    "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # one bar, ours
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def prepare(*, debug: bool = False) -> None:
    """Set the defaults. Unless debugging, failures are told by the command line, not by Prefect's console log."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if not debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
