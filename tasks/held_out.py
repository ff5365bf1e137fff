"""Held-out accuracy of the models of a comparison, and of the reference recommenders."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event

import numpy as np

from tasks.core.comparison.accuracy_tests import (
    AccuracyTest,
    compare_with_baseline,
    compare_with_popularity,
    tested_metrics,
)
from tasks.core.config.evaluation import POPULARITY, EvaluationConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.splits.held_out import HeldOut
from tasks.core.data.splits.split import Split
from tasks.core.errors import DataError
from tasks.core.models.reference_recommenders import MOST_ITEMS, RECOMMENDERS, Recommender, references_for
from tasks.core.models.threads import cores
from tasks.core.planning.runs import EVALUATION, RunRef, split_seed
from tasks.core.ranking.evaluation import Evaluation, evaluate
from tasks.core.types import Values
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


def held_out_accuracy(
    config: ExperimentConfig,
    evaluation: EvaluationConfig,
    held_out: HeldOut,
    runs: Sequence[RunRef],
    files: Mapping[str, RunFiles],
    metrics: Mapping[str, Mapping[str, float]],
) -> HeldOutAccuracy:
    """Evaluate the reference recommenders, and test the models' accuracy against each other and against popularity.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    evaluation : EvaluationConfig
        Its section `evaluation`.
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
    # without a train part, as for lists that others made, there is nothing that they could learn from
    references = _evaluate_references(config, evaluation, split) if split.train.nnz else {}
    tested = tested_metrics(evaluation.cutoffs)
    values = _values_by_user(runs, files, tested)
    return HeldOutAccuracy(
        accuracy=mean_accuracy(metrics, runs),
        accuracy_tests=compare_with_baseline(values, config.baseline),
        held_out=split.counts() | (held_out.published.counts() if held_out.published else {}),
        reference_accuracy=[
            Accuracy(name, metric, value, None, 1)
            for name, reference in references.items()
            for metric, value in sorted(reference.means().items())
        ],
        left_out={
            name: f"more than {MOST_ITEMS:,} items" if references else "there are no interactions to learn from"
            for name in RECOMMENDERS
            if name not in references
        },
        beside_popularity=compare_with_popularity(values, references[POPULARITY].per_user, metric=tested[0])
        if references
        else [],
    )


def _evaluate_references(config: ExperimentConfig, evaluation: EvaluationConfig, split: Split) -> dict[str, Evaluation]:
    """Return the evaluation of each reference recommender that the catalogue is not too large for."""
    seed = split_seed(config)

    def run(name: str, recommender: Recommender) -> Evaluation:
        def on_progress(done: int, total: int) -> None:
            progress.step(f"lists of {name}", done, total, "lists")

        return evaluate(recommender(split.train, split.known, seed), split, evaluation.cutoffs, on_progress)

    stop = Event()
    with progress.stoppable(stop), ThreadPoolExecutor(cores()) as pool:
        futures = {
            name: pool.submit(copy_context().run, run, name, recommender)
            for name, recommender in references_for(split.train.shape[1]).items()
        }
        try:
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
