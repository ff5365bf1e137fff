"""The simulation of docs/verdict.md at a smaller size: coverage of the intervals of sampled entities."""

import numpy as np
import pytest
from scipy.stats import binom

from tests.benchmarks.sampled_entities import Population, populations, simulate

REPETITIONS = 300


def test_delta_and_rho_are_those_of_all_users() -> None:
    """Two users: Δ is .36 and 0. Within .5 (.68 + .5) and .5 (.68 + .5), between .5 (.32 + .5)."""
    population = Population(np.array([[0.2], [0.5]]), np.array([[0.8], [0.5]]))
    assert population.delta == pytest.approx(0.18)
    assert population.rho == pytest.approx((0.32 + 0.5) / (0.68 + 0.5))


def test_only_intervals_with_the_sampling_error_cover_where_users_differ() -> None:
    without, included = simulate(populations()["Δ varies"], seeds=10, drawn=50, repetitions=REPETITIONS)
    least = binom.ppf(0.001, REPETITIONS, 0.95) / REPETITIONS
    assert without.covered < least <= included.covered
    assert without.rho_covered < least <= included.rho_covered
    assert without.width < included.width
    assert included.above <= binom.ppf(0.999, REPETITIONS, 0.025) / REPETITIONS < without.above
    assert included.below <= binom.ppf(0.999, REPETITIONS, 0.05) / REPETITIONS < without.below
