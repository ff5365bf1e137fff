"""Excess disagreement of two models."""

from itertools import product

import numpy as np
import pytest

from tasks.core.inference.effect import Effect, delta_by_entity, effect
from tasks.core.inference.jackknife import jackknife
from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tests.core.inference.examples import SIX_LABELS, halves, random_runs, runs_of


def test_effect_by_hand(six):
    """Within A (3 + 3 + 2)/12 = 2/3, within B (3 + 3 + 2)/12 = 2/3, between (1+2+1 + 1+2+1 + 1+2+0)/36 = 11/36."""
    estimate = effect(six, SIX_LABELS)
    assert (estimate.within_a, estimate.within_b, estimate.between) == pytest.approx((2 / 3, 2 / 3, 11 / 36))
    assert estimate.delta == pytest.approx(13 / 36)
    assert estimate.n_delta == pytest.approx(13 / 9)
    assert estimate.rho == pytest.approx(11 / 24)
    assert estimate.steadier == 0
    assert estimate.others == pytest.approx(13 / 36)


def test_delta_splits_into_less_variation_and_different_lists():
    estimate = Effect(within_a=0.81, within_b=0.25, between=0.36, n=10)
    assert estimate.steadier == pytest.approx((0.9 - 0.5) ** 2 / 2)  # 0.08
    assert estimate.others == pytest.approx(0.45 * (1 - 0.36 / 0.45))  # 0.09
    assert estimate.delta == pytest.approx(0.17)
    assert estimate.rho == pytest.approx(0.8)


def test_rho_is_none_for_a_model_that_never_agrees_with_itself():
    estimate = Effect(within_a=0.0, within_b=0.5, between=0.1, n=5)
    assert estimate.rho is None
    assert estimate.steadier + estimate.others == pytest.approx(estimate.delta)


@pytest.mark.parametrize(("within", "decided"), [(0.39, True), (0.4, False)])
def test_the_seed_decides_lists_of_which_two_runs_share_less_than_two_fifths(within, decided):
    assert Effect(0.9, within, 0.3, 5).decided_by_seed is decided
    assert Effect(within, 0.9, 0.3, 5).decided_by_seed is decided


def test_delta_is_half_the_squared_distance_of_inclusion_probabilities_without_bias():
    """Σ(p - q)²/2n of the observed shares p, q, less their variances Σ p(1 - p)/(S - 1), Σ q(1 - q)/(S - 1)."""
    rng = np.random.default_rng(8)
    a, b, n, candidates = 4, 6, 5, 12
    lists = random_runs(rng, a + b, entities=9, n=n, candidates=candidates)
    listed = np.zeros((a + b, 9, candidates))
    np.put_along_axis(listed, np.stack(lists), 1, axis=2)
    p, q = listed[:a].mean(axis=0), listed[a:].mean(axis=0)
    noise = (p * (1 - p)).sum(axis=1) / (a - 1) + (q * (1 - q)).sum(axis=1) / (b - 1)
    expected = (((p - q) ** 2).sum(axis=1) - noise) / (2 * n)
    entities = overlap_counts_by_entity(lists, n)
    assert delta_by_entity(entities, halves(a, b)).tolist() == pytest.approx(expected.tolist())
    assert effect(entities.averaged(), halves(a, b)).delta == pytest.approx(expected.mean())


def test_delta_is_zero_on_average_for_equal_inclusion_probabilities():
    """Over all pairs of lists of two distributions: A draws {1,2} or {3,4}, B draws {1,3} or {2,4}, evenly."""
    lists_a, lists_b = [[1, 2], [3, 4]], [[1, 3], [2, 4]]
    deltas = []
    for draws in product(lists_a, lists_a, lists_b, lists_b):
        overlaps = overlap_counts(runs_of(draws), 2)
        deltas.append(effect(overlaps, halves(2, 2)).delta)
    assert np.mean(deltas) == pytest.approx(0, abs=1e-12)
    assert np.ptp(deltas) > 0


@pytest.mark.parametrize("labels", [[False, True, True, True, True, True], [False] * 6, [False, True, False, True]])
def test_each_model_needs_two_runs(six, labels):
    for function in (effect, jackknife, delta_by_entity):
        with pytest.raises(ValueError, match="two or more runs of each model"):
            function(six, np.array(labels))
