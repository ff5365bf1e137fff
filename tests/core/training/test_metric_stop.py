"""The stopping rule `metric`: by hand, in a fit, and in a fit that was interrupted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig, MetricStop
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.splits.stop_part import StopPart
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.ranking.accuracy import accuracy_of_factors
from tasks.core.training.metric_stop import best_iteration, no_longer_rises
from tasks.core.training.run_fit import FitRequest, FitResult
from tasks.core.training.step import Step

NONE = float("nan")
RULE = MetricStop(when="metric", metric="ndcg_at_5", every=2, patience=3)
PART = StopPart(RandomSplit(test_fraction=0.3), seed=3)
Complete = Callable[[FitRequest], tuple[FitResult, list[Step]]]


def step(iteration: int, accuracy: float) -> Step:
    return Step(iteration, 0.0, 0.0, 0.0, 0.0, 0, NONE, accuracy)


@pytest.mark.parametrize(
    ("accuracies", "ends", "best"),
    [
        ([], False, None),
        ([0.1], False, 1),
        ([0.1, 0.2, 0.3, 0.4], False, 4),
        ([0.3, 0.2, 0.2], False, 1),
        ([0.3, 0.2, 0.2, 0.1], True, 1),
        ([0.3, 0.3, 0.3, 0.3], True, 1),  # as high is not higher
        ([0.3, 0.1, 0.1, 0.4], False, 4),
        ([0.3, NONE, 0.1, 0.1, NONE], False, 1),
        ([0.3, 0.1, 0.1, 0.1, NONE], False, 1),  # the last iteration is no check
    ],
)
def test_the_rule_by_hand(accuracies: list[float], ends: bool, best: int | None) -> None:
    steps = [step(iteration, accuracy) for iteration, accuracy in enumerate(accuracies, start=1)]
    assert no_longer_rises(RULE, steps) is ends
    assert best_iteration(steps) == best


@pytest.fixture
def stopping(fit_request: FitRequest) -> FitRequest:
    settings = AlsConfig(factors=6, iterations=41, stop=RULE)
    return replace(fit_request, settings=settings, stop_part=PART, snapshots=(1, 3))


def elsewhere(request: FitRequest, home: Path) -> FitRequest:
    return replace(request, checkpoints=home / "other checkpoints", target=home / "other.npz")


def test_a_fit_keeps_the_factors_of_the_best_check(stopping: FitRequest, matrix: csr_array, complete: Complete) -> None:
    result, steps = complete(stopping)
    split = PART.split(matrix)
    assert split.test.nnz == round(0.3 * matrix.nnz)
    accuracies = {}

    def measure(iteration: als.Iteration) -> None:
        if iteration.iteration % 2 == 0:
            value = accuracy_of_factors(iteration.factors, split, stopping.settings, "ndcg_at_5")
            accuracies[iteration.iteration] = value, iteration.factors.users.copy()

    als.fit(split.train, stopping.settings, seed=stopping.seed, on_iteration=measure)
    checked = {each.iteration: each.accuracy for each in steps if not np.isnan(each.accuracy)}
    assert checked == {iteration: value for iteration, (value, _) in accuracies.items() if iteration <= len(steps)}
    assert result.kept == max(checked, key=lambda iteration: checked[iteration])
    np.testing.assert_array_equal(Factors.load(stopping.target).users, accuracies[result.kept][1])
    assert result.iterations == len(steps) == result.kept + 2 * RULE.patience < 41
    assert result.overlaps[-1][0] == result.kept


def test_a_fit_that_still_rises_is_checked_after_its_last_iteration(stopping: FitRequest, complete: Complete) -> None:
    settings = stopping.settings.model_copy(update={"iterations": 3})
    result, steps = complete(replace(stopping, settings=settings))
    assert [each.iteration for each in steps if not np.isnan(each.accuracy)] == [2, 3]
    assert result.iterations == 3


@pytest.mark.parametrize("before_the_end", [0, 1, 2, 5, 6, 7])
def test_a_fit_that_was_interrupted_gives_the_same_factors(
    stopping: FitRequest,
    home: Path,
    complete: Complete,
    interrupt: Callable[[FitRequest, int], None],
    before_the_end: int,
) -> None:
    undisturbed, steps = complete(elsewhere(stopping, home))
    interrupt(stopping, undisturbed.iterations - before_the_end)
    resumed, resumed_steps = complete(stopping)
    assert resumed.factors.sha256 == undisturbed.factors.sha256
    assert (resumed.kept, resumed.iterations) == (undisturbed.kept, undisturbed.iterations)
    np.testing.assert_array_equal([each.accuracy for each in resumed_steps], [each.accuracy for each in steps])
