"""The failures that are expected, each with the exit code of its kind.

A message says what was found, what was expected and what to do. Whatever is not one of these is a
bug and may show its traceback.
"""

import re

OUT_OF_MEMORY = "memory ran out; lower factors or execution.workers, or use a machine with more of it"


def without_logins(text: str) -> str:
    """The text, without the user names and passwords of addresses in it."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)


class LatentlabError(Exception):
    """An expected failure; `exit_code` is what the command line returns for it."""

    exit_code = 1


class ConfigError(LatentlabError):
    """A config or an argument that cannot be used."""

    exit_code = 2


class DataError(LatentlabError):
    """Ratings, a download or the local store that cannot be used."""

    exit_code = 3


class TrainingError(LatentlabError):
    """A fit that cannot give factors."""

    exit_code = 4


class TrackingError(LatentlabError):
    """An MLflow store that cannot be used, or artifacts that differ from their manifest."""

    exit_code = 5


class OrchestrationError(LatentlabError):
    """Prefect's API cannot be used."""

    exit_code = 6


class Stopped(Exception):
    """The work was called off; raised where it tells how far it is."""
