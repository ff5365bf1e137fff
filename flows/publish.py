"""Artifacts on the flow run's page in Prefect: the answer, the comparison, the lists, the progress of the fits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from prefect import runtime
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.settings import PREFECT_API_URL

from tasks.core.formatting import shown
from tasks.recovery.parent_run import Comparison
from tasks.reporting.markdown import answers_table
from tasks.reporting.result import Result
from tasks.tracking.runs import log_use
from tasks.tracking.store import open_store, run_url


def flow_run_tags() -> dict[str, str]:
    """Return the tags that lead from a run in MLflow to its flow run in Prefect."""
    tags = {"prefect.flow_run_id": str(runtime.flow_run.id)}
    if PREFECT_API_URL.value():  # the embedded server is gone before anybody could follow a link to it
        tags["prefect.flow_run_url"] = str(runtime.flow_run.ui_url)
    return tags


@contextmanager
def progress_artifact(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of the fits on the flow run's page.

    Parameters
    ----------
    description : str
        Which fits, of which experiment.
    total : int
        Number of fits.

    Yields
    ------
    callable
        Takes the number of completed fits.
    """
    artifact = cast(UUID, create_progress_artifact(0.0, key="training", description=description))
    yield lambda done: cast(None, update_progress_artifact(artifact, 100.0 * done / total))


def publish(result: Result, comparison: Comparison) -> None:
    """Publish a result, and log in MLflow that it was asked for.

    Parameters
    ----------
    result : Result
        Result of the comparison.
    comparison : Comparison
        The comparison.
    """
    log_use(open_store(comparison.uri), result.parent_id)
    name = result.experiment
    create_markdown_artifact(answers_table(result), key="verdict", description=name)
    create_table_artifact([_rounded(row) for row in result.comparison], key="comparison", description=name)
    lists = [
        {"list of": query.name, "model": model, **_rounded(entry)}
        for query in result.queries
        for model, entries in query.models.items()
        for entry in entries[: query.n]
    ]
    if lists:
        create_table_artifact(lists, key="lists", description=f"{name}: the n entries that most seeds list")
    if link := run_url(comparison.uri, comparison.experiment_id, result.parent_id):
        create_link_artifact(link, "The run in MLflow", key="mlflow-run", description=name)


def _rounded(row: object) -> dict[str, object]:
    """Return a record as a row of a table, with its numbers rounded and its texts without control characters."""
    return {key: _cell(value) for key, value in vars(row).items()}


def _cell(value: object) -> object:
    if isinstance(value, str):
        return shown(value, 200)
    return round(value, 4) if isinstance(value, float) else value
