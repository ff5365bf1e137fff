"""The simulation of docs/verdict.md at a smaller size: looking again after adding seeds."""

from itertools import combinations

from scipy.stats import binom

from tasks.core.inference.multiplicity import LEVEL
from tasks.core.inference.repeated_looks import LEVELS
from tests.benchmarks.repeated_looks import USUAL, level, rejections

REPETITIONS = 1000


def at_most(probability: float) -> float:
    """Return the share of the repetitions that an event of this probability exceeds once in a thousand simulations."""
    return float(binom.ppf(0.999, REPETITIONS, probability)) / REPETITIONS


def test_one_look_holds_the_level_and_several_exceed_it_by_no_more_than_the_published_figures() -> None:
    rejected = rejections(REPETITIONS, USUAL)
    assert max(level(rejected, (seeds,)) for seeds in USUAL) <= at_most(LEVEL)
    assert level(rejected, USUAL) > at_most(LEVEL)
    for looks in range(2, len(USUAL) + 1):
        schedules = combinations(USUAL, looks)
        assert max(level(rejected, schedule) for schedule in schedules) <= at_most(LEVELS[looks])
