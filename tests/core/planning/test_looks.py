"""Stages of an experiment with planned looks, and when its answer is decided."""

from dataclasses import replace
from typing import Any

import pytest

from tasks.core.comparison.answers import Answer
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.planning.looks import is_decided, planned_looks, stages
from tasks.core.planning.runs import planned_runs
from tests.core.planning.small_experiment import SETTINGS, small_experiment
from tests.tasks.reporting.small_result import small_result


def two_models(replicates: Any, **changes: Any) -> ExperimentConfig:
    """Two models with one replicate for the evaluation; three endpoints, all users the primary one."""
    return small_experiment({"a": SETTINGS, "b": SETTINGS}, replicates=replicates, **changes)


def labels(config: ExperimentConfig) -> list[list[str]]:
    """The fits that each stage adds."""
    return [[run.label for run in stage.added] for stage in stages(config, planned_runs(config, "data", ["split"]))]


def test_a_fixed_number_of_replicates_is_one_stage_without_a_look() -> None:
    config = two_models(2)
    runs = planned_runs(config, "data", ["split"])
    (stage,) = stages(config, runs)
    assert (planned_looks(config), stage.look, stage.runs, stage.added) == ([], None, runs, runs)


def test_all_models_grow_together_and_the_evaluation_comes_first() -> None:
    """Three tests: five of six replicates can decide, since 3/126 = .0238 is below .0318."""
    first, second = labels(two_models({"looks": [5, 6]}))
    numbers = range(5)
    fits = [*(f"a #{number}" for number in numbers), *(f"b #{number}" for number in numbers)]
    assert first == [*fits, "a #0 held-out", "b #0 held-out"]
    assert second == ["a #5", "b #5"]


def test_a_stage_compares_the_fits_of_earlier_stages_too() -> None:
    config = two_models({"looks": [5, 6]}, evaluation=None)
    runs = planned_runs(config, "data")
    first, second = stages(config, runs)
    assert second.runs == runs
    assert {run.replicate for run in first.runs} == set(range(5))


def test_a_skipped_look_is_no_stage() -> None:
    config = two_models({"looks": [4, 6, 8]})
    assert [look.skipped for look in planned_looks(config)] == [True, False, False]
    assert [stage.look and stage.look.replicates for stage in stages(config, [])] == [6, 8]


def test_the_levels_are_divided_for_the_tests_of_the_family() -> None:
    three_models = small_experiment({name: SETTINGS for name in "abc"}, replicates={"looks": [6, 8]})
    assert planned_looks(three_models)[0].smallest_p == pytest.approx(6 / 462)


@pytest.mark.parametrize(
    ("verdicts", "primary", "all_endpoints"),
    [
        (["different-meaningfully", "different-small", "practically-same", None], True, True),
        (["unstable", "inconclusive", None], True, False),
        (["different-small", "too-few-seeds"], True, False),
        (["different-size-uncertain", "different-small"], False, False),
        (["inconclusive"], False, False),
        (["too-few-seeds"], False, False),
    ],
)
def test_decided_are_verdicts_that_more_seeds_would_not_change(
    verdicts: list[str | None], primary: bool, all_endpoints: bool
) -> None:
    answers: list[Answer] = [replace(small_result().answers[0], verdict=verdict) for verdict in verdicts]
    assert is_decided(answers, two_models({"looks": [6, 8]})) is primary
    assert is_decided(answers, two_models({"looks": [6, 8], "until": "all"})) is all_endpoints
