"""Held-out accuracy of the models of a comparison, and of the reference recommenders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.core.comparison.accuracy_tests import (
    AccuracyTest,
    compare_with_baseline,
    compare_with_references,
    tested_metrics,
)
from tasks.core.config.evaluation import POPULARITY, EvaluationConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.data.splits.held_out import HeldOut
from tasks.core.errors import DataError
from tasks.core.planning.runs import EVALUATION, RunRef, split_seed
from tasks.core.ranking.reference_choice import ReferenceSettings
from tasks.core.types import Values
from tasks.reference_accuracy import evaluate_references
from tasks.reporting.accuracy import Accuracy, mean_accuracy
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import read_accuracy


@dataclass(frozen=True)
class HeldOutAccuracy:
    """The fields of `Result` that come from the held-out split; empty without evaluation."""

    accuracy: list[Accuracy] = field(default_factory=list)
    accuracy_tests: list[AccuracyTest] = field(default_factory=list)
    held_out: dict[str, int] = field(default_factory=dict)
    reference_accuracy: list[Accuracy] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    beside_popularity: list[AccuracyTest] = field(default_factory=list)
    beside_references: list[AccuracyTest] = field(default_factory=list)
    reference_settings: list[ReferenceSettings] = field(default_factory=list)


def held_out_accuracy(
    config: ExperimentConfig,
    evaluation: EvaluationConfig,
    data: PreparedData,
    held_out: HeldOut,
    runs: Sequence[RunRef],
    files: Mapping[str, RunFiles],
    metrics: Mapping[str, Mapping[str, float]],
) -> HeldOutAccuracy:
    """Evaluate the reference recommenders, and test the models' accuracy against each other and against theirs.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    evaluation : EvaluationConfig
        Its section `evaluation`.
    data : PreparedData
        The interactions that were split.
    held_out : HeldOut
        The split.
    runs : sequence of RunRef
        All runs of the models.
    files : mapping of str to RunFiles
        Run id -> its files.
    metrics : mapping of str to mapping
        Run id -> its final metrics.

    Returns
    -------
    HeldOutAccuracy

    Raises
    ------
    TrackingError
        If a run's file is missing or damaged.
    DataError
        If the models were evaluated on different users.
    """
    split = held_out.load()
    references = evaluate_references(config, evaluation, data, split, split_seed(config))
    tested = tested_metrics(evaluation.cutoffs)
    values = _values_by_user(runs, files, tested)
    per_user = {name: reference.per_user for name, reference in references.evaluations.items()}
    beside_references = compare_with_references(values, per_user, metric=tested[0])
    return HeldOutAccuracy(
        accuracy=mean_accuracy(metrics, runs),
        accuracy_tests=compare_with_baseline(values, config.baseline),
        held_out=split.counts() | (held_out.published.counts() if held_out.published else {}),
        reference_accuracy=[
            Accuracy(name, metric, value, None, 1)
            for name, reference in references.evaluations.items()
            for metric, value in sorted(reference.means().items())
        ],
        left_out=references.left_out,
        beside_popularity=[test for test in beside_references if test.a == POPULARITY],
        beside_references=beside_references,
        reference_settings=references.settings,
    )


def _values_by_user(
    runs: Sequence[RunRef], files: Mapping[str, RunFiles], metrics: Sequence[str]
) -> dict[str, dict[str, Values]]:
    """Return model -> metric -> (S, T) values of its S evaluation runs and the T users with test items."""
    frames: dict[str, list[dict[str, Values]]] = {}
    users = None
    for run in runs:
        if run.role == EVALUATION:
            frame = read_accuracy(files[run.run_id], metrics)
            index = frame["index"].to_numpy()
            users = index if users is None else users
            if not np.array_equal(index, users):
                raise DataError(f"{run.model}: evaluated on other users than the first model; run its config again")
            columns = {metric: frame[metric].to_numpy(np.float64) for metric in metrics}
            frames.setdefault(run.model, []).append(columns)
    return {
        model: {metric: np.stack([columns[metric] for columns in replicates]) for metric in metrics}
        for model, replicates in frames.items()
    }
