"""A short simulation of the verdict's errors."""

import numpy as np
import pytest

from tasks.core.comparison.verdict import Verdict
from tests.benchmarks.verdict_errors import Lists, false_differences, family, nearly_constant, noisy_lists, simulate

REPETITIONS = 200


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_delta_is_that_of_the_lists_that_are_drawn(rng: np.random.Generator) -> None:
    endpoint = Lists(np.array([0.2, 0.9]), np.array([0.6, 0.3]), 2, 0.1)
    counts = endpoint.draw(rng, rng.standard_normal((20_000, 4)), 2).counts / 2
    within, between = (counts[:, 0, 1] + counts[:, 2, 3]) / 2, counts[:, :2, 2:].mean(axis=(1, 2))
    assert np.mean(within - between) == pytest.approx(endpoint.delta, abs=0.01)


def test_claims_about_the_margin_are_rare_at_the_margin_once_they_are_adjusted(rng: np.random.Generator) -> None:
    shares = simulate(family(rng, 5, lowest=0.1, highest=0.5), 6, REPETITIONS)
    assert shares.below[0] > 0.2
    assert shares.below[1] <= 0.08
    assert shares.above[1] <= 0.025 + 0.03
    assert shares.covered[1] >= 0.94


def test_nearly_constant_lists_are_not_claimed_to_be_above_their_own_difference(rng: np.random.Generator) -> None:
    shares = simulate(nearly_constant(rng, 4), 10, REPETITIONS)
    assert shares.above[0] > 0.2
    assert shares.above[1] <= 0.12


def test_a_model_seldom_differs_from_itself(rng: np.random.Generator) -> None:
    assert false_differences(family(rng, 1, lowest=0.1, highest=0.9, scale=0), 6, REPETITIONS) <= 0.1


def test_lists_that_the_seed_decides_are_neither_the_same_nor_little_different() -> None:
    counts = noisy_lists(10, REPETITIONS)
    assert counts[Verdict.UNSTABLE] > 0.9 * REPETITIONS
    assert counts[Verdict.SAME] == counts[Verdict.SMALL] == 0
