"""Held-out accuracy of the models of a comparison, and of the reference recommenders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tasks.core.comparison.accuracy_tests import (
    AccuracyTest,
    compare_with_baseline,
    compare_with_references,
    tested_metrics,
)
from tasks.core.config.evaluation import POPULARITY
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import DataError
from tasks.core.inference.means.resampled import SplitValues
from tasks.core.planning.references import references_of, run_beside_fits
from tasks.core.planning.runs import EVALUATION, RunRef, split_seeds
from tasks.core.ranking.reference_choice import ReferenceSettings, settings_of_splits
from tasks.core.types import Counts, Values
from tasks.reference_accuracy import ReferenceAccuracy, evaluate_references
from tasks.reporting import progress
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


@dataclass(frozen=True)
class ReferencesOnSplit:
    """The reference recommenders on one split.

    Attributes
    ----------
    references : ReferenceAccuracy
    counts : dict of str to int
        Sizes of the split's parts.
    held_out_ratio : float
        Interactions that are held out, divided by those to train on.
    """

    references: ReferenceAccuracy
    counts: dict[str, int]
    held_out_ratio: float


@contextmanager
def references_beside(config: ExperimentConfig, data: PreparedData) -> Iterator[Callable[[], list[ReferencesOnSplit]]]:
    """Evaluate the reference recommenders while the block runs, or when they are asked for if they take much.

    Parameters
    ----------
    config, data
        As for `references_on_splits`.

    Yields
    ------
    callable
        Waits for them if need be, and returns them: see `references_on_splits`.
    """
    evaluated = partial(references_on_splits, config, data)
    if run_beside_fits(references_of(config, data.summary.size), data.summary.interactions):
        with progress.in_background(evaluated) as future:
            yield future.result
    else:
        yield evaluated


def references_on_splits(config: ExperimentConfig, data: PreparedData) -> list[ReferencesOnSplit]:
    """Evaluate the reference recommenders on each split, which depends on the data alone and not on the models.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        The interactions, and their splits.

    Returns
    -------
    list of ReferencesOnSplit
        Empty without evaluation or splits.
    """
    evaluation = config.evaluation
    if evaluation is None or not data.splits:
        return []
    plan = references_of(config, data.summary.size)
    of_splits = []
    for number, (held_out, seed) in enumerate(zip(data.splits, split_seeds(config), strict=True)):
        split = held_out.load()
        counts = split.counts() | (held_out.published.counts() if held_out.published else {})
        references = evaluate_references(plan, evaluation, data, split, seed, number)
        of_splits.append(ReferencesOnSplit(references, counts, split.held_out_ratio))
    return of_splits


def held_out_accuracy(
    config: ExperimentConfig,
    of_splits: Sequence[ReferencesOnSplit],
    runs: Sequence[RunRef],
    files: Mapping[str, RunFiles],
    metrics: Mapping[str, Mapping[str, float]],
) -> HeldOutAccuracy:
    """Test the models' accuracy against each other and against the reference recommenders'.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment, with evaluation.
    of_splits : sequence of ReferencesOnSplit
        The reference recommenders on each split.
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
    assert config.evaluation is not None, "there are splits"
    references = [of_split.references for of_split in of_splits]
    tested = tested_metrics(config.evaluation.cutoffs)
    ratio = float(np.mean([of_split.held_out_ratio for of_split in of_splits]))
    values = _values_by_user(runs, files, tested, held_out_ratio=ratio)
    beside_references = compare_with_references(
        values, _references_by_user(references, tested[0], ratio), metric=tested[0]
    )
    return HeldOutAccuracy(
        accuracy=mean_accuracy(metrics, runs),
        accuracy_tests=compare_with_baseline(values, config.baseline),
        held_out=of_splits[0].counts,
        reference_accuracy=_reference_accuracy(references),
        left_out=references[0].left_out,
        beside_popularity=[test for test in beside_references if test.a == POPULARITY],
        beside_references=beside_references,
        reference_settings=settings_of_splits([of_split.settings for of_split in references]),
    )


def _reference_accuracy(references: Sequence[ReferenceAccuracy]) -> list[Accuracy]:
    """Return the metrics of each reference recommender, from its evaluation on each split."""
    means = {
        name: [of_split.evaluations[name].means() for of_split in references] for name in references[0].evaluations
    }
    return [
        Accuracy.of(name, metric, [[of_split[metric]] for of_split in of_splits if metric in of_split])
        for name, of_splits in means.items()
        for metric in sorted(of_splits[0])
    ]


def _references_by_user(
    references: Sequence[ReferenceAccuracy], metric: str, held_out_ratio: float
) -> dict[str, dict[str, SplitValues]]:
    """Return reference recommender -> the metric -> its values on each split."""
    by_user = {}
    for name in references[0].evaluations:
        evaluations = [of_split.evaluations[name] for of_split in references]
        users = tuple(evaluation.users for evaluation in evaluations)
        values = tuple(evaluation.per_user[metric] for evaluation in evaluations)
        by_user[name] = {metric: SplitValues(values, users, held_out_ratio)}
    return by_user


def _values_by_user(
    runs: Sequence[RunRef], files: Mapping[str, RunFiles], metrics: Sequence[str], *, held_out_ratio: float
) -> dict[str, dict[str, SplitValues]]:
    """Return model -> metric -> values of its evaluation runs and the users with test items, on each split."""
    users: dict[int, Counts] = {}  # of each split
    columns: dict[str, dict[int, list[dict[str, Values]]]] = {}  # of each model's runs on each split
    for run in runs:
        if run.role == EVALUATION:
            frame = read_accuracy(files[run.run_id], metrics)
            index = frame["index"].to_numpy()
            if not np.array_equal(index, users.setdefault(run.repeat, index)):
                raise DataError(f"{run.model}: evaluated on other users than the first model; run its config again")
            of_run = {metric: frame[metric].to_numpy(np.float64) for metric in metrics}
            columns.setdefault(run.model, {}).setdefault(run.repeat, []).append(of_run)
    return {
        model: {
            metric: SplitValues(
                tuple(np.stack([of_run[metric] for of_run in replicates]) for replicates in of_model.values()),
                tuple(users[repeat] for repeat in of_model),
                held_out_ratio,
            )
            for metric in metrics
        }
        for model, of_model in columns.items()
    }
