"""Artifacts on the flow run's page in Prefect: the answer, the comparison, the lists, the progress of the fits."""

import hashlib
import re
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
from prefect.events import emit_event
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


def artifact_key(kind: str, experiment: str) -> str:
    """Return the key of an artifact of an experiment. Its history in Prefect is that of one experiment.

    Parameters
    ----------
    kind : str
        What the artifact shows.
    experiment : str
        Name of the experiment.

    Returns
    -------
    str
        `KIND-NAME`. Keys have only small letters, digits and dashes: a name with other characters is changed, and its
        digest is added, so that no two experiments share a key.
    """
    fitting = re.sub("[^a-z0-9]", "-", experiment.lower())
    if fitting != experiment:
        fitting += f"-{hashlib.sha256(experiment.encode()).hexdigest()[:8]}"
    return f"{kind}-{fitting}"


@contextmanager
def progress_artifact(experiment: str, title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of the fits on the flow run's page.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    title : str
        Which fits.
    total : int
        Number of fits.

    Yields
    ------
    callable
        Takes the number of completed fits.
    """
    key = artifact_key("training", experiment)
    artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=f"{experiment}: {title}"))
    yield lambda done: cast(None, update_progress_artifact(artifact, 100.0 * done / total))


def publish(result: Result, comparison: Comparison, previous: str | None) -> None:
    """Publish a result, and log in MLflow that it was asked for.

    Parameters
    ----------
    result : Result
        Result of the comparison.
    comparison : Comparison
        The comparison.
    previous : str or None
        The verdict of the last comparison of the same config; None if this is the first one.
    """
    log_use(open_store(comparison.uri), result.parent_id)
    name = result.experiment
    address = run_url(comparison.uri, comparison.experiment_id, result.parent_id)
    verdict, rows, lists, link = (artifact_key(kind, name) for kind in ("verdict", "comparison", "lists", "mlflow-run"))
    create_markdown_artifact(answers_table(result), key=verdict, description=result.sentence)
    create_table_artifact([_rounded(row) for row in result.comparison], key=rows, description=name)
    entries = [
        {"list of": query.name, "model": model, **_rounded(entry)}
        for query in result.queries
        for model, entries in query.models.items()
        for entry in entries[: query.n]
    ]
    if entries:
        create_table_artifact(entries, key=lists, description=f"{name}: the n entries that most seeds list")
    if address:
        create_link_artifact(address, "The run in MLflow", key=link, description=name)
    _emit_verdict(result, previous, address)


def _emit_verdict(result: Result, previous: str | None, address: str | None) -> None:
    """Emit the verdict on the primary endpoint as an event.

    Automations match the labels of the resource, and cannot match the payload, which is for their messages.
    """
    answer = next(iter(result.answers), None)
    if answer is None or answer.verdict is None:
        return
    labels = {"latentlab.verdict": answer.verdict}
    if previous is not None:
        labels |= {
            "latentlab.verdict.previous": previous,
            "latentlab.verdict.changed": "false" if previous == answer.verdict else "true",
        }
    emit_event(
        "latentlab.verdict",
        resource={
            "prefect.resource.id": f"latentlab.experiment.{result.experiment}",
            "prefect.resource.name": result.experiment,
            **labels,
        },
        payload={
            "sentence": result.sentence,
            **{name: getattr(answer, name) for name in ("verdict", "target", "n", "a", "b", "delta", "p", "p_holm")},
            "previous": previous,
            "mlflow_run_id": result.parent_id,
            "mlflow_url": address,
        },
    )


def _rounded(row: object) -> dict[str, object]:
    """Return a record as a row of a table, with its numbers rounded and its texts without control characters."""
    return {key: _cell(value) for key, value in vars(row).items()}


def _cell(value: object) -> object:
    if isinstance(value, str):
        return shown(value, 200)
    return round(value, 4) if isinstance(value, float) else value
