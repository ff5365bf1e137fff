"""Text in Markdown for the MLflow and Prefect UIs."""

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.file_models import ListFiles
from tasks.core.data.prepared import PreparedData
from tasks.core.formatting import counted, enumerated, interval, p_value, percent, summary_text
from tasks.core.planning.spark import spark_remark
from tasks.reporting.result import Result


def describe_experiment(config: ExperimentConfig, data: PreparedData) -> str:
    """Return what is compared: the data, and a table of the models.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Its data.

    Returns
    -------
    str
    """
    size = summary_text(data.summary)
    replicates = config.replicates
    seeds = (
        counted(replicates, "seed") if isinstance(replicates, int) else enumerated(replicates.looks, "or") + " seeds"
    )
    resample = config.resample
    left_out = (
        f", each fitted without its own random {percent(resample.fraction)} of the interactions" if resample else ""
    )
    lines = []
    if config.trained:
        lines += [
            f"Neighbour lists of {counted(len(config.trained), 'ALS model')} on **{config.dataset.name}** ({size}), "
            f"{seeds} per model{left_out}.",
            "",
            "| model | k | iterations | regularization | alpha |",
            "| --- | --- | --- | --- | --- |",
        ]
    for name, model in config.trained.items():
        lines.append(f"| {name} | {model.factors} | {model.iterations} | {model.regularization:g} | {model.alpha:g} |")
    if remark := spark_remark(config):
        lines += ["", remark]
    if config.from_files:
        lines += [
            "",
            f"Models that are read from files ({size}):",
            "",
            "| model | files |",
            "| --- | --- |",
        ]
    for name, of_files in config.from_files.items():
        pattern = of_files.lists if isinstance(of_files, ListFiles) else of_files.factors
        lines.append(f"| {name} | `{pattern}` |")
    if data.ratings:
        lines += ["", f"{data.ratings.text(config.preprocess)}."]
    return "\n".join(lines).strip()


def answers_table(result: Result) -> str:
    """Return a table of the answers on all endpoints."""
    lines = [
        "| lists | verdict | n | A | B | n·Δ | Δ | 95% interval | p (Holm) | within A | within B | between |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for answer in result.answers:
        low, high = answer.low_95, answer.high_95
        cells = [
            answer.target,
            answer.verdict or "described",
            str(answer.n),
            answer.a,
            answer.b,
            f"{answer.n_delta:.2f}",
            f"{answer.delta:.3f}",
            answer.note or "" if low is None or high is None else interval(low, high),
            "" if answer.p_holm is None else p_value(answer.p_holm),
            *(f"{overlap:.3f}" for overlap in (answer.within_a, answer.within_b, answer.between)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
