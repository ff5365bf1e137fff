"""Held-out accuracy of the models, and how their settings were chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.config.evaluation import EvaluationConfig, Tuned
from tasks.core.planning.runs import EVALUATION, RunRef


@dataclass(frozen=True)
class Accuracy:
    """One held-out metric of one model, or of one reference recommender.

    Attributes
    ----------
    model, metric : str
    mean : float
        Over the replicates.
    sd : float or None
        Standard deviation over the replicates; None for a single one.
    replicates : int
    """

    model: str
    metric: str
    mean: float
    sd: float | None
    replicates: int


def mean_accuracy(metrics: Mapping[str, Mapping[str, float]], runs: Sequence[RunRef]) -> list[Accuracy]:
    """Return the held-out metrics of each model over its replicates.

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
    values: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.role == EVALUATION:
            for metric, value in metrics[run.run_id].items():
                if _is_accuracy(metric):
                    values.setdefault((run.model, metric), []).append(value)
    return [
        Accuracy(
            model=model,
            metric=metric,
            mean=float(np.mean(replicates)),
            sd=float(np.std(replicates, ddof=1)) if len(replicates) > 1 else None,
            replicates=len(replicates),
        )
        for (model, metric), replicates in values.items()
    ]


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
    untuned = [setting for setting in AlsConfig.model_fields if setting not in tuned.settings]
    return f"Tuned by {tuned.by}: {', '.join(tuned.settings)}. Not tuned: {', '.join(untuned)}."


def held_out_text(counts: Mapping[str, int]) -> str:
    """Return the sizes of a split in words.

    Parameters
    ----------
    counts : mapping of str to int
        See `tasks.core.data.splits.split.Split.counts`.

    Returns
    -------
    str
        One sentence.
    """
    number = {name: f"{count:,}" for name, count in counts.items()}
    if "held_out_users" in counts:
        held_out = (
            f"{number['held_out_users']} users as a whole, of whom {number['visible_interactions']} interactions are "
            f"visible and folded in, and {number['test_interactions']} are measured on; {number['users_too_small']} "
            "users with a single interaction cannot be held out"
        )
    else:
        held_out = f"{number['test_interactions']} interactions of {number['evaluated_users']} users"
    return (
        f"Held out: {held_out}; {number['users_without_train']} users and {number['items_without_train']} items have "
        "nothing to train on."
    )


def _is_accuracy(metric: str) -> bool:
    """Return whether a run's metric is one of the final metrics of an evaluation."""
    # metrics along the iterations, such as overlap_final.users_at_5, have a dot in their names
    return metric == "auc" or ("_at_" in metric and "." not in metric)
