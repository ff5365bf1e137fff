"""The stopping rule: by hand, in a fit, and in a fit that was interrupted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.core.config.als import AlsConfig, SteadyStop
from tasks.core.data.interactions import Interactions
from tasks.core.files import put
from tasks.core.models.factors import Factors
from tasks.core.training.run_fit import FitRequest, FitResult
from tasks.core.training.step import Step
from tasks.core.training.stopping import Check, PreviousLists, ends_with_last_step, steady
from tests.core.models.test_balance import matrix

RULE = SteadyStop(when="steady", every=10, patience=2, tolerance=0.1)
NONE = float("nan")
Complete = Callable[[FitRequest], tuple[FitResult, list[Step]]]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], False),
        ([(100, NONE)], False),
        ([(100, NONE), (99, 0.95)], False),  # one in a row, of two
        ([(100, NONE), (99, 0.95), (98, 0.95)], True),
        ([(100, NONE), (99, 0.95), (80, 0.95)], False),  # the objective falls by 19%
        ([(100, NONE), (99, 0.95), (98, 0.89)], False),  # more than a tenth of the entries changed
        ([(100, NONE), (50, 0.5), (49, 0.95), (48, 0.99)], True),
        ([(100, NONE), (99, 0.95), (98, 0.5), (97, 0.95)], False),  # in a row
        ([(100, NONE), (101, 0.95), (102, 0.95)], True),  # it may rise as little
        ([(100, NONE), (NONE, 0.95), (98, 0.95)], False),
    ],
)
def test_the_rule_by_hand(checks: list[tuple[float, float]], expected: bool) -> None:
    assert steady(RULE, [Check(*check) for check in checks]) is expected


def test_the_overlap_of_a_check_is_that_of_the_side_that_changed_more() -> None:
    stream = np.random.default_rng(0)
    users, items = (stream.normal(size=(60, 8)).astype(np.float32) for _ in range(2))
    lists = PreviousLists(RULE, 60, 60)
    assert np.isnan(lists.overlap(Factors(users, items)))
    assert lists.overlap(Factors(users, items)) == 1
    other = stream.normal(size=(60, 8)).astype(np.float32)
    assert lists.overlap(Factors(users, other)) < 0.5
    assert lists.overlap(Factors(other, other)) < 0.5
    assert PreviousLists(RULE, 60, 60, lists.lists).overlap(Factors(other, other)) == 1


def step(iteration: int, objective: float, overlap: float) -> Step:
    return Step(iteration, 0.0, 0.0, objective, 0.0, 0, overlap)


def test_a_fit_ends_at_a_check_only() -> None:
    steps = [step(i, 100, 0.99 if i % 10 == 0 else NONE) for i in range(1, 36)]
    assert not ends_with_last_step(RULE, steps), "35 is not a check"
    assert ends_with_last_step(RULE, steps[:30])
    assert not ends_with_last_step(RULE, steps[:20])
    assert not ends_with_last_step(None, steps[:30])
    assert not ends_with_last_step(RULE, [])


@pytest.fixture
def balanced(fit_request: FitRequest) -> FitRequest:
    """A balanced fit with a stopping rule."""
    data = put("interactions", ".npz", Interactions(matrix(), np.arange(60), np.arange(40), None).save)
    rule = {"when": "steady", "every": 10, "patience": 2, "tolerance": 0.1}
    settings = {"factors": 6, "iterations": 500, "acceleration": "balanced", "stop": rule}
    return replace(fit_request, data=data, settings=AlsConfig.model_validate(settings), snapshots=(1, 15))


def elsewhere(request: FitRequest, home: Path) -> FitRequest:
    """Return the same fit with a folder of checkpoints of its own."""
    return replace(request, checkpoints=home / "other checkpoints", target=home / "other.npz")


def test_a_fit_ends_at_the_first_steady_check_with_the_factors_of_that_iteration(
    balanced: FitRequest, home: Path, complete: Complete
) -> None:
    result, steps = complete(balanced)
    assert result.iterations == len(steps) < 500
    assert result.iterations % 10 == 0
    assert ends_with_last_step(balanced.settings.stop, steps)
    assert not any(ends_with_last_step(balanced.settings.stop, steps[:end]) for end in range(len(steps)))
    assert [step.iteration for step in steps if step.overlap == step.overlap] == list(range(20, len(steps) + 1, 10))

    settings = balanced.settings.model_copy(update={"iterations": result.iterations, "stop": None})
    without_rule, _ = complete(replace(elsewhere(balanced, home), settings=settings))
    assert without_rule.factors.sha256 == result.factors.sha256
    assert result.overlaps[-1][0] == result.iterations, "the last lists are those that the others are compared with"


def test_a_fit_that_is_never_steady_runs_all_iterations(balanced: FitRequest, complete: Complete) -> None:
    rule = SteadyStop(when="steady", every=10, patience=49, tolerance=1e-9)
    settings = balanced.settings.model_copy(update={"stop": rule, "iterations": 40})
    result, steps = complete(replace(balanced, settings=settings))
    assert result.iterations == len(steps) == 40


@pytest.mark.parametrize("iterations_before_the_end", [0, 1, 9, 10, 13])
def test_a_fit_that_was_interrupted_ends_at_the_same_iteration(
    balanced: FitRequest,
    home: Path,
    complete: Complete,
    interrupt: Callable[[FitRequest, int], None],
    iterations_before_the_end: int,
) -> None:
    undisturbed, steps = complete(elsewhere(balanced, home))
    interrupt(balanced, undisturbed.iterations - iterations_before_the_end)
    # another config that follows other lists may be the one that resumes
    resumed, resumed_steps = complete(replace(balanced, queries=(1,), n=3))
    assert resumed.factors.sha256 == undisturbed.factors.sha256
    assert [step.iteration for step in resumed_steps] == [step.iteration for step in steps]
    np.testing.assert_array_equal([step.overlap for step in resumed_steps], [step.overlap for step in steps])
