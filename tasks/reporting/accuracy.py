"""Held-out accuracy of the models, and how their settings were chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.config.evaluation import EvaluationConfig, Tuned
from tasks.core.formatting import counted
from tasks.core.planning.runs import EVALUATION, RunRef


@dataclass(frozen=True)
class Accuracy:
    """One held-out metric of one model, or of one reference recommender.

    Attributes
    ----------
    model, metric : str
    mean : float
        Over the replicates, and over the splits.
    sd : float or None
        Standard deviation over the replicates of a split, pooled over the splits; None for a single replicate.
    replicates : int
        On each split.
    sd_splits : float or None
        Standard deviation over the splits of the mean over the replicates; None for a single split.
    splits : int
    """

    model: str
    metric: str
    mean: float
    sd: float | None
    replicates: int
    sd_splits: float | None = None
    splits: int = 1

    @classmethod
    def of(cls, model: str, metric: str, values: Sequence[Sequence[float]]) -> "Accuracy":
        """Return the accuracy of a model.

        Parameters
        ----------
        model : str
            Its name.
        metric : str
            Name of the metric.
        values : sequence of sequence of float
            For each split, the values of its replicates.

        Returns
        -------
        Accuracy
        """
        means = [float(np.mean(replicates)) for replicates in values]
        variances = [float(np.var(replicates, ddof=1)) for replicates in values if len(replicates) > 1]
        return cls(
            model=model,
            metric=metric,
            mean=float(np.mean(means)),
            sd=float(np.sqrt(np.mean(variances))) if variances else None,
            replicates=len(values[0]),
            sd_splits=float(np.std(means, ddof=1)) if len(means) > 1 else None,
            splits=len(means),
        )


def mean_accuracy(metrics: Mapping[str, Mapping[str, float]], runs: Sequence[RunRef]) -> list[Accuracy]:
    """Return the held-out metrics of each model over its replicates and the splits.

    Parameters
    ----------
    metrics : mapping of str to mapping of str to float
        Run id -> final metrics, at least of the evaluation runs.
    runs : sequence of RunRef
        The runs of a comparison; those that are not for evaluation are ignored.

    Returns
    -------
    list of Accuracy
        Models and metrics in the order of the runs and of their metrics.
    """
    values: dict[tuple[str, str], dict[int, list[float]]] = {}
    for run in runs:
        if run.role == EVALUATION:
            for metric, value in metrics[run.run_id].items():
                if _is_accuracy(metric):
                    values.setdefault((run.model, metric), {}).setdefault(run.repeat, []).append(value)
    return [Accuracy.of(*key, list(by_split.values())) for key, by_split in values.items()]


def metrics_by_model(
    metrics: Mapping[str, Mapping[str, float]], runs: Sequence[RunRef]
) -> dict[tuple[str, bool], list[dict[str, float]]]:
    """Return the metrics of each model's runs, those of the evaluation as means over the splits.

    Parameters
    ----------
    metrics : mapping of str to mapping of str to float
        Run id -> final metrics.
    runs : sequence of RunRef
        The runs of a comparison.

    Returns
    -------
    dict of (str, bool) to list of dict
        (model, evaluation) -> the metrics of each replicate, in the order of the runs.
    """
    values: dict[tuple[str, bool], dict[int, dict[str, list[float]]]] = {}
    for run in runs:
        replicates = values.setdefault((run.model, run.role == EVALUATION), {})
        of_replicate = replicates.setdefault(run.replicate, {})
        for metric, value in metrics[run.run_id].items():
            of_replicate.setdefault(metric, []).append(value)
    return {
        key: [{metric: float(np.mean(splits)) for metric, splits in row.items()} for row in replicates.values()]
        for key, replicates in values.items()
    }


def tuning_note(tuned: Tuned | None, evaluation: EvaluationConfig | None) -> str:
    """Return which settings of the models were chosen by their accuracy, in words.

    Parameters
    ----------
    tuned : Tuned or None
        The config's section `tuned`.
    evaluation : EvaluationConfig or None
        The config's section `evaluation`.

    Returns
    -------
    str
        One or two sentences.
    """
    if evaluation and evaluation.part == "validation":
        return "Accuracy is measured on the validation part, to choose settings; the test part was not used."
    if tuned is None:
        return "No setting was tuned: the models have the settings of the config."
    # the engine is another model, and its blocks are how the work is divided
    untuned = [name for name in AlsConfig.model_fields if name not in (*tuned.settings, "engine", "blocks")]
    return f"Tuned by {tuned.by}: {', '.join(tuned.settings)}. Not tuned: {', '.join(untuned)}."


def held_out_text(counts: Mapping[str, int], splits: int = 1) -> str:
    """Return the sizes of a split in words.

    Parameters
    ----------
    counts : mapping of str to int
        See `tasks.core.data.splits.split.Split.counts`.
    splits : int
        Number of splits, of which this is the first.

    Returns
    -------
    str
        One sentence.
    """
    if "held_out_users" in counts:
        visible = counted(counts["visible_interactions"], "interaction")
        held_out = (
            f"{counted(counts['held_out_users'], 'user')} as a whole, of whom {visible} are visible and folded in, and "
            f"{counts['test_interactions']:,} are measured on"
        )
        if "users_too_small" in counts:  # not of a published split
            held_out += f"; {counted(counts['users_too_small'], 'user')} with a single interaction cannot be held out"
    else:
        tested = counted(counts["test_interactions"], "interaction")
        held_out = f"{tested} of {counted(counts['evaluated_users'], 'user')}"
    where = f" in the first of {splits} splits" if splits > 1 else ""
    without = f"{counted(counts['users_without_train'], 'user')} and {counted(counts['items_without_train'], 'item')}"
    return f"Held out{where}: {held_out}; {without} have nothing to train on."


def _is_accuracy(metric: str) -> bool:
    """Return whether a run's metric is one of the final metrics of an evaluation."""
    # metrics along the iterations, such as overlap_final.users_at_5, have a dot in their names
    return metric == "auc" or ("_at_" in metric and "." not in metric)
