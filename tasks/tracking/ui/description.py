"""What MLflow's pages say of a comparison, of whose description they show six lines, and of a registered version."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.core.comparison.accuracy_tests import tested_metrics
from tasks.core.formatting import counted, split_answer, summary_text
from tasks.core.planning.runs import RunRef, first_fits
from tasks.reporting.result import Result
from tasks.tracking.ui.addresses import compare_page, run_page, runs_page

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_LISTED = 50
"""Fits that one link names. MLflow cuts a description after 8,000 characters."""
_MOST_COMPARED = 20
"""Models that MLflow's page compares side by side."""


def describe_comparison(client: "MlflowClient", result: Result) -> str:
    """Return the answer, links to the fits, the tests behind the answer, its warnings, and what was compared.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    result : Result
        Result of the comparison.

    Returns
    -------
    str
        In Markdown. The answer comes without markup: the table of runs shows it as it is.
    """
    experiment = client.get_run(result.parent_id).data.tags.get("latentlab.description", "")
    answer, tests = split_answer(result.sentence)
    warnings = "\n".join(f"- {warning}." for warning in result.warnings)
    parts = [answer, links(client, result.runs), tests, warnings, experiment, " ".join(result.remarks)]
    return "\n\n".join(filter(None, parts))


def describe_version(result: Result, model: str) -> str:
    """Return the description of a registered version: settings, data, accuracy and verdict.

    Parameters
    ----------
    result : Result
        Result of the comparison that used the version's fits.
    model : str
        Name of the model in it.

    Returns
    -------
    str
        In Markdown.
    """
    settings = result.models[model]
    names = {"factors": "k", "regularization": "regularization", "alpha": "alpha"}
    listed = [f"{shown}={settings[key]:g}" for key, shown in names.items() if key in settings]
    iterations = [f"{settings['iterations']} iterations"] if "iterations" in settings else []
    lines = [f"ALS, {', '.join([*listed[:1], *iterations, *listed[1:]])}; fitted to {result.dataset} "]
    lines[0] += f"({summary_text(result.summary)})."
    accuracy = [row for row in result.accuracy if row.model == model and row.metric in tested_metrics(result.cutoffs)]
    if accuracy:
        seeds = counted(accuracy[0].replicates, "seed")
        listed = [f"{row.metric} {row.mean:.4f}" for row in accuracy]
        lines.append(f"Held-out accuracy, mean over {seeds} with these settings: {', '.join(listed)}.")
    lines.append(split_answer(result.sentence)[0])
    return "\n\n".join(lines)


def links(client: "MlflowClient", runs: Sequence[RunRef]) -> str:
    """Return links to the fits of a comparison, some or all of which can be nested in earlier comparisons.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    runs : sequence of RunRef
        The fits.

    Returns
    -------
    str
        In Markdown: a table of all fits, or the comparisons that contain them if they are many, and a page with the
        first fit of each model.
    """
    stored = {ref.run_id: client.get_run(ref.run_id) for ref in runs}
    of_experiment: dict[str, list[str]] = {}
    for run_id, run in stored.items():
        of_experiment.setdefault(str(run.info.experiment_id), []).append(run_id)
    if len(runs) <= _MOST_LISTED:
        pages = [
            f"[{counted(len(run_ids), 'fit')} in a table]({runs_page(experiment_id, _one_of(run_ids))})"
            for experiment_id, run_ids in of_experiment.items()
        ]
    else:
        parents = {run.data.tags["mlflow.parentRunId"]: str(run.info.experiment_id) for run in stored.values()}
        pages = [
            f"[fits of comparison {number}]({run_page(experiment_id, run_id)})"
            for number, (run_id, experiment_id) in enumerate(parents.items(), 1)
        ]
    first = first_fits(runs)
    if 1 < len(first) <= _MOST_COMPARED:
        page = compare_page(list(of_experiment), [ref.run_id for ref in first.values()])
        pages.append(f"[one fit of each model side by side]({page})")
    return f"Fits used: {', '.join(pages)}." if pages else ""


def _one_of(run_ids: Sequence[str]) -> str:
    return f"attributes.run_id IN ({', '.join(repr(run_id) for run_id in run_ids)})"
