"""Statistics of the permutation test for many splits at once."""

from math import inf

import numpy as np
import pytest

from tasks.core.inference.effect import delta_by_entity
from tasks.core.inference.jackknife import jackknife
from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tasks.core.inference.split_statistics import scaled_deltas, studentised_deltas
from tests.core.inference.examples import exact_studentised_delta, halves, random_runs, runs_of


def test_studentised_delta_is_delta_divided_by_the_standard_error_of_the_jackknife():
    rng = np.random.default_rng(5)
    lists = random_runs(rng, 8, entities=6, n=3, candidates=7)
    entities, splits = overlap_counts_by_entity(lists, 3), np.array([halves(3, 5), rng.permutation(halves(3, 5))])
    statistics = studentised_deltas(entities.counts, splits)  # (2, 6)
    for row, labels in zip(statistics, splits, strict=True):
        deltas = delta_by_entity(entities, labels)
        errors = [jackknife(entities.of_entity(entity), labels).standard_error for entity in range(6)]
        np.testing.assert_allclose(row, deltas / errors, rtol=1e-12)


@pytest.mark.parametrize("factor", [1, 10**6, 10**14])  # sums exact in float32, in float64, in int64
def test_studentised_delta_does_not_depend_on_the_scale_of_the_counts(factor):
    rng = np.random.default_rng(6)
    overlaps = overlap_counts(random_runs(rng, 6, entities=1, n=3, candidates=5), 3)
    expected = exact_studentised_delta(overlaps.counts, 3, halves(2, 4))
    (statistic,) = studentised_deltas(overlaps.counts[None] * factor, halves(2, 4)[None])[:, 0]
    assert statistic * abs(statistic) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([[1, 2]] * 5, 0),  # all equal
        ([[1, 2]] * 2 + [[3, 4]] * 3, inf),  # two models without seed variation
        ([[1], [2]] + [[1], [2]] * 2, -inf),  # Δ = 1/6 - 1/2: runs agree more between the models than within
    ],
)
def test_a_standard_error_of_zero(lists, expected):
    overlaps = overlap_counts(runs_of(lists), len(lists[0]))
    assert studentised_deltas(overlaps.counts[None], halves(2, len(lists) - 2)[None]) == expected


def test_scaled_deltas_are_integers_in_proportion_to_delta():
    """S = 2 and 3: (w_A, w_B, w) = (6, 2, 2)/2, so Δ is the scaled Δ divided by 6 times the denominator."""
    rng = np.random.default_rng(7)
    entities = overlap_counts_by_entity(random_runs(rng, 5, entities=4, n=3, candidates=6), 3)
    scaled = scaled_deltas(entities.counts, halves(2, 3)[None])
    np.testing.assert_array_equal(scaled, np.round(scaled))
    np.testing.assert_allclose(scaled[0] / (6 * 3), delta_by_entity(entities, halves(2, 3)))
