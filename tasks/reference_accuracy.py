"""Held-out accuracy of the reference recommenders on one split."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from threading import Event

from tasks.core.comparison.accuracy_tests import tested_metrics
from tasks.core.config.evaluation import EvaluationConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.data.splits.draw import needs_times
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.times import times_of_part
from tasks.core.models.reference_recommenders import CANDIDATES, RECOMMENDERS
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.planning.references import WORK_OF_THREADS, ReferencePlan
from tasks.core.ranking.evaluation import Evaluation, evaluate
from tasks.core.ranking.reference_choice import ReferenceSettings, choose, usual, validation_part
from tasks.core.types import OnProgress, Scores
from tasks.reporting import progress


@dataclass(frozen=True)
class ReferenceAccuracy:
    """The reference recommenders on one split.

    Attributes
    ----------
    evaluations : dict of str to Evaluation
        By the recommender's name.
    settings : list of ReferenceSettings
        Of those that have settings.
    left_out : dict of str to str
        Recommender that was not run -> reason.
    """

    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    settings: list[ReferenceSettings] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def evaluate_references(
    plan: ReferencePlan, evaluation: EvaluationConfig, data: PreparedData, split: Split, seed: int, number: int = 0
) -> ReferenceAccuracy:
    """Choose the settings of the reference recommenders on a validation part, and evaluate them on the test part.

    Parameters
    ----------
    plan : ReferencePlan
        Which recommenders are computed, and whether their settings are chosen: the same for all splits, whatever
        memory is free meanwhile.
    evaluation : EvaluationConfig
        The config's section `evaluation`.
    data : PreparedData
        The interactions that were split.
    split : Split
        The split. Without a train part, as for lists that others made, there is nothing to learn from.
    seed : int
        Of the split.
    number : int
        Of the split, where the data are divided into folds.

    Returns
    -------
    ReferenceAccuracy
    """
    if not split.train.nnz:
        return ReferenceAccuracy(left_out=dict.fromkeys(RECOMMENDERS, "there are no interactions to learn from"))
    names = [name for name in RECOMMENDERS if name not in plan.left_out]
    validation = None
    if any(name in CANDIDATES and name not in plan.not_chosen for name in names):
        validation = _validation_part(evaluation, data, split, seed, number)
    metric = tested_metrics(evaluation.cutoffs)[0]

    def run(name: str) -> tuple[ReferenceSettings | None, Evaluation]:
        settings = None
        if name in CANDIDATES:
            settings = _settings(name, plan, validation, metric)
            scores = _fitted(name, split, seed, settings)
        else:
            scores = RECOMMENDERS[name](split.train, split.known, seed)
        return settings, evaluate(scores, split, evaluation.cutoffs, _reporting(f"lists of {name}", "lists"))

    stop = Event()
    # the other recommenders have the other cores, unless EASE takes much longer than they do
    blas = one_blas_thread() if plan.reference_gflop < WORK_OF_THREADS else nullcontext()
    with blas, progress.stoppable(stop), ThreadPoolExecutor(cores()) as pool:
        futures = {name: pool.submit(copy_context().run, run, name) for name in names}
        try:
            results = {name: future.result() for name, future in futures.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return ReferenceAccuracy(
        {name: of_test for name, (_, of_test) in results.items()},
        [settings for settings, _ in results.values() if settings],
        plan.left_out,
    )


def _settings(name: str, plan: ReferencePlan, validation: Split | None, metric: str) -> ReferenceSettings:
    if name in plan.not_chosen:
        return usual(name, plan.not_chosen[name])
    return choose(name, validation, metric, _reporting(f"settings of {name}", "settings"))


def _fitted(name: str, split: Split, seed: int, settings: ReferenceSettings) -> Scores:
    # a fit to a large catalogue takes minutes, in one call of LAPACK
    on_progress = _reporting(f"fit of {name}", "fits")
    on_progress(0, 1)
    scores = RECOMMENDERS[name](split.train, split.known, seed, **settings.settings)
    on_progress(1, 1)
    return scores


def _reporting(label: str, unit: str) -> OnProgress:
    return lambda done, total: progress.step(label, done, total, unit)


def _validation_part(
    evaluation: EvaluationConfig, data: PreparedData, split: Split, seed: int, number: int
) -> Split | None:
    """Split the train part again: for the test part into what `part: validation` measures on, with the same seed."""
    interactions = data.load(times=needs_times(evaluation.split))
    train = replace(interactions, matrix=split.train, times=times_of_part(interactions, split.train))
    return validation_part(train, evaluation.split, seed + (1 if evaluation.part == "test" else 2), number)
