"""The stopping rule: by hand, in a fit, and over a crash."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.core.config.als import AlsConfig, SteadyStop
from tasks.core.data.interactions import Interactions
from tasks.core.errors import Stopped
from tasks.core.files import put
from tasks.core.models.factors import Factors
from tasks.core.training.run_fit import FitRequest, FitResult, run_fit
from tasks.core.training.step import Step
from tasks.core.training.stopping import Check, LastLists, is_steady, steady
from tests.core.models.test_balance import matrix

RULE = SteadyStop(when="steady", every=10, patience=2, tolerance=0.1)
NONE = float("nan")


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
    assert steady(RULE, [Check(*each) for each in checks]) is expected


def test_a_check_s_overlap_is_that_of_the_side_that_changed_more() -> None:
    stream = np.random.default_rng(0)
    users, items = (stream.normal(size=(60, 8)).astype(np.float32) for _ in range(2))
    lists = LastLists(RULE, 60, 60)
    assert np.isnan(lists.overlap(Factors(users, items)))
    assert lists.overlap(Factors(users, items)) == 1
    other = stream.normal(size=(60, 8)).astype(np.float32)
    assert lists.overlap(Factors(users, other)) < 0.5
    assert lists.overlap(Factors(other, other)) < 0.5
    assert LastLists(RULE, 60, 60, lists.last).overlap(Factors(other, other)) == 1


def step(iteration: int, objective: float, overlap: float) -> Step:
    return Step(iteration, 0.0, 0.0, objective, 0.0, 0, overlap)


def test_only_checks_count() -> None:
    steps = [step(i, 100, 0.99 if i % 10 == 0 else NONE) for i in range(1, 36)]
    assert not is_steady(RULE, steps), "35 is no check"
    assert is_steady(RULE, steps[:30])
    assert not is_steady(RULE, steps[:20])
    assert not is_steady(None, steps[:30])
    assert not is_steady(RULE, [])


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FitRequest:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    data = put("interactions", ".npz", Interactions(matrix(), np.arange(60), np.arange(40), None).save)
    rule = {"when": "steady", "every": 10, "patience": 2, "tolerance": 0.1}
    settings = AlsConfig.model_validate({"factors": 6, "iterations": 500, "acceleration": "balanced", "stop": rule})
    return FitRequest("a" * 64, data, settings, 7, (1, 15), (3,), 5, 1, 1e9)


def carried_out(order: FitRequest, target: Path) -> tuple[FitResult, list[Step]]:
    seen: list[Step] = []
    return run_fit(order, target, seen.extend), seen


def test_a_fit_ends_at_the_check_that_is_steady_with_the_factors_it_has_there(
    order: FitRequest, tmp_path: Path
) -> None:
    fitted, steps = carried_out(order, tmp_path / "f.npz")
    assert fitted.iterations == len(steps) < 500
    assert fitted.iterations % 10 == 0
    assert is_steady(order.settings.stop, steps)
    assert not any(is_steady(order.settings.stop, steps[:end]) for end in range(len(steps)))
    assert [each.iteration for each in steps if each.overlap == each.overlap] == list(range(20, len(steps) + 1, 10))

    settings = order.settings.model_copy(update={"iterations": fitted.iterations, "stop": None})
    plain, _ = carried_out(replace(order, settings=settings, identity="b" * 64), tmp_path / "g.npz")
    assert plain.factors.sha256 == fitted.factors.sha256
    assert fitted.overlaps[-1][0] == fitted.iterations, "lists along the way are compared with those of the end"


def test_without_steadiness_all_iterations_are_run(order: FitRequest, tmp_path: Path) -> None:
    rule = SteadyStop(when="steady", every=10, patience=49, tolerance=1e-9)
    settings = order.settings.model_copy(update={"stop": rule, "iterations": 40})
    fitted, steps = carried_out(replace(order, settings=settings), tmp_path / "f.npz")
    assert fitted.iterations == len(steps) == 40


@pytest.mark.parametrize("back", [0, 1, 9, 10, 13])
def test_a_fit_that_was_cut_off_ends_where_it_would_have(order: FitRequest, tmp_path: Path, back: int) -> None:
    whole, told = carried_out(replace(order, identity="b" * 64), tmp_path / "whole.npz")

    def cut(steps: list[Step]) -> None:
        if steps[-1].iteration == whole.iterations - back:
            raise Stopped

    with pytest.raises(Stopped):
        run_fit(order, tmp_path / "f.npz", cut)
    # another config that follows other lists may be the one that goes on
    resumed, again = carried_out(replace(order, queries=(1,), n=3), tmp_path / "f.npz")
    assert resumed.factors.sha256 == whole.factors.sha256
    assert [each.iteration for each in again] == [each.iteration for each in told]
    np.testing.assert_array_equal([each.overlap for each in again], [each.overlap for each in told])
