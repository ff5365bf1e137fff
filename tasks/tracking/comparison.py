"""What is logged of a comparison on its parent run: metrics, tags, tables, figures, the report."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.comparison.query_lists import Entry
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.planning.runs import RunRef
from tasks.reporting.drawing import Drawing
from tasks.reporting.report import REPORT
from tasks.reporting.result import RESULT, Result
from tasks.tracking import artifacts
from tasks.tracking.logged_models.accuracy import log_accuracy
from tasks.tracking.metrics import log_metrics
from tasks.tracking.runs import set_tags
from tasks.tracking.search import complete_parents
from tasks.tracking.ui.description import describe_comparison

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

VERDICT = "latentlab.verdict"
"""Tag of a comparison: the verdict on its primary endpoint."""
USED_FITS = "runs.json"
"""Artifact that lists the fits that were compared, wherever in the store they are."""


def log_comparison(
    client: "MlflowClient",
    config: ExperimentConfig,
    result: Result,
    drawings: Sequence[Drawing],
    report: str,
    folder: Path,
) -> None:
    """Log a result on its parent run, and the accuracy of its models with them; tag the run as complete.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    config : ExperimentConfig
        The experiment.
    result : Result
        Result of the comparison.
    drawings : sequence of Drawing
        Figures.
    report : str
        The report, in HTML.
    folder : Path
        A temporary folder. What it holds is uploaded too.

    Raises
    ------
    TrackingError
        If the artifacts cannot be written.
    """
    log_metrics(client, result.parent_id, metrics_of(result))
    set_tags(client, result.parent_id, _tags(client, result))
    (folder / "figures").mkdir()
    texts = {
        "config.yaml": config.to_yaml(),
        USED_FITS: json.dumps([asdict(run) for run in result.runs], indent=1),
        RESULT: result.to_json(),
        REPORT: report,
        **{f"figures/{drawing.name}.svg": drawing.svg for drawing in drawings},
    }
    for path, text in texts.items():
        (folder / path).write_text(text, encoding="utf-8")
    tables = _tables(result)
    for path, frame in tables.items():
        artifacts.write_table(folder, path, frame)
    log_accuracy(client, result)
    artifacts.upload(client, result.parent_id, folder, tables=list(tables))


def used_fits(client: "MlflowClient", run_id: str) -> list[RunRef]:
    """Return the fits that a comparison used.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Parent run of the comparison.

    Returns
    -------
    list of RunRef
        Wherever in the store they are.

    Raises
    ------
    TrackingError
        If the list is missing or damaged.
    """
    with artifacts.RunFiles(client, run_id).reading(USED_FITS) as file:
        return [RunRef(**fit) for fit in json.loads(file.read_text(encoding="utf-8"))]


def metrics_of(result: Result) -> dict[str, float]:
    """Return the metrics of the parent run. MLflow groups charts by what stands before the slash."""
    metrics = {f"overlap/{row.metric}": row.overlap for row in result.comparison if row.overlap is not None}
    for answer in result.answers:
        of_answer = {
            "delta": answer.delta,
            "delta_low_95": answer.low_95,
            "delta_high_95": answer.high_95,
            "p": answer.p,
            "p_holm": answer.p_holm,
        }
        metrics |= {f"{name}/{answer.metric}": value for name, value in of_answer.items() if value is not None}
    for row in (*result.accuracy, *result.reference_accuracy):
        metrics[f"accuracy/{row.metric}.{row.model}"] = row.mean
        if row.sd is not None:
            metrics[f"accuracy_sd/{row.metric}.{row.model}"] = row.sd
    for of_reference in result.reference_settings:
        if not of_reference.splits or 0 in of_reference.splits:  # as for the counts, those of the first split
            metrics |= {
                f"reference/{setting}.{of_reference.reference}": value
                for setting, value in of_reference.settings.items()
            }
    for described in result.other_similarity:
        metrics |= described.metrics
    metrics |= {f"data_noise/{row.metric}": row.of_data for row in result.data_noise}
    metrics |= {f"lost/{side}": float(count) for side, count in result.lost.items()}
    metrics |= {f"split/{name}": float(count) for name, count in result.held_out.items()}
    for point in result.sweep.points if result.sweep else ():
        metrics |= {f"fit_seconds/{point.model}": point.seconds.mean, f"factor_mb/{point.model}": point.megabytes}
    # files of lists have no interactions
    summary = {key: value for key, value in asdict(result.summary).items() if result.summary.interactions or value}
    return metrics | {f"summary_{key}": float(value) for key, value in summary.items()}


def last_verdict(client: "MlflowClient", experiment_id: str, config: ExperimentConfig) -> str | None:
    """Return the verdict of the last used comparison of the same config, whatever its data were.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    config : ExperimentConfig
        The experiment.

    Returns
    -------
    str or None
        None if there is none.
    """
    digests = config.digests()
    parents = (run.data.tags for run in complete_parents(client, experiment_id))
    return next((tags.get(VERDICT) for tags in parents if tags.get("latentlab.config_sha256") in digests), None)


def _tags(client: "MlflowClient", result: Result) -> dict[str, str]:
    """Return the verdicts, and the run's description."""
    verdicts = {
        f"latentlab.verdict.{answer.target}.{answer.a}_vs_{answer.b}": answer.verdict
        for answer in result.answers
        if answer.verdict
    }
    if result.answers and result.answers[0].verdict:
        verdicts[VERDICT] = result.answers[0].verdict
    return {**verdicts, "mlflow.note.content": describe_comparison(client, result)}


def _tables(result: Result) -> "dict[str, pd.DataFrame]":
    """Return the tables that the MLflow UI shows, by path.

    No path is that of a fit's table: the UI compares the tables of one path by the columns that all of them have.
    """
    import pandas as pd

    tables: dict[str, pd.DataFrame] = {}
    if result.answers:
        tables["verdict.json"] = pd.DataFrame([asdict(answer) for answer in result.answers])
    tables["comparison.json"] = pd.DataFrame([asdict(row) for row in result.comparison])
    if result.other_similarity:
        rows = [{**asdict(row), "delta": row.delta} for row in result.other_similarity]
        tables["other_similarity.json"] = pd.DataFrame(rows)
    if result.data_noise:
        noise = [{**asdict(row), "of_data": row.of_data, "share": row.share} for row in result.data_noise]
        tables["data_noise.json"] = pd.DataFrame(noise)
    if result.accuracy:
        accuracy = (*result.accuracy, *result.reference_accuracy)
        tables["accuracy.json"] = pd.DataFrame([asdict(row) for row in accuracy])
    if result.beside_references:
        tables["beside_references.json"] = pd.DataFrame([asdict(test) for test in result.beside_references])
    if result.files:
        tables["files.json"] = pd.DataFrame([asdict(run) for run in result.files])
    if result.sweep:
        tables["sweep.json"] = pd.DataFrame([point.row() for point in result.sweep.points])
    for query in result.queries:
        rows = [{"model": model, **asdict(entry)} for model, entries in query.models.items() for entry in entries]
        columns = ["model", *(column.name for column in fields(Entry))]
        if all(not row["title"] for row in rows):
            columns.remove("title")
        tables[f"lists/{query.name}.json"] = pd.DataFrame(rows, columns=columns)
    return tables
