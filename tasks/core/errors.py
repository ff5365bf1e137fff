"""Expected failures, with an exit code for each kind.

Their messages say what was found, what was expected and what to do. Any other exception is a bug, and may be shown with
its traceback.
"""

import re

OUT_OF_MEMORY = "out of memory; lower factors or execution.workers, or use a machine with more memory"


def without_logins(text: str) -> str:
    """Return a text without the user names and passwords of the addresses in it.

    A password may contain slashes. A path on which an address was written has one slash after the colon.
    """
    return re.sub(r"(://|\bhttps?:/)(?:[^/\s]*|[^/\s:]*:\S*)@", r"\1", text)


class LatentlabError(Exception):
    """An expected failure. The command line exits with `exit_code`."""

    exit_code = 1


class ConfigError(LatentlabError):
    """A config or an argument cannot be used."""

    exit_code = 2


class DataError(LatentlabError):
    """Ratings, a download or the local store cannot be used."""

    exit_code = 3


class TrainingError(LatentlabError):
    """A fit failed to give factors."""

    exit_code = 4


class TrackingError(LatentlabError):
    """The MLflow store cannot be used, or artifacts differ from their manifest."""

    exit_code = 5


class OrchestrationError(LatentlabError):
    """Prefect's API cannot be used."""

    exit_code = 6


class UnmetExpectation(LatentlabError):
    """A result is another than the one that was expected."""

    exit_code = 7


class Stopped(Exception):
    """Work was stopped on request before it was done; the message says how far it had come."""
