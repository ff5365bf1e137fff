"""Sampling errors of means over drawn entities, and the intervals and tests that include them."""

from dataclasses import replace
from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from tasks.core.inference import overlap_counts as module
from tasks.core.inference.effect import delta_by_entity, effect
from tasks.core.inference.jackknife import NO_VARIATION, jackknife
from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tasks.core.inference.sampling import (
    PairErrors,
    SampledBounds,
    SampledEstimate,
    SamplingError,
    sampled_overlaps,
)
from tasks.core.inference.student import Estimate
from tests.core.inference.examples import halves, random_runs, runs_of

RUNS = Estimate(0.3, 0.02, 3)


def population_of(rng, entities):
    """Three runs of A and four of B, whose lists of 3 depend on the entity: B has one, two or three other entries."""
    lists = random_runs(rng, 7, entities=entities, n=3, candidates=5)
    for run in lists[3:]:
        for entity, row in enumerate(run):
            row[: 1 + entity % 3] += 10
    return lists


def errors_of(lists, drawn, entities, sizes=(3, 4)):
    return sampled_overlaps([run[list(drawn)] for run in lists], 3, sizes=sizes, population=entities)[1].of_pair(0, 1)


def test_the_variance_of_two_drawn_entities_by_hand():
    """Δ is 0 for one entity and 1 for the other: s² = 1/2, so (1 - 2/8)·(1/2)/2 = 3/16."""
    lists = runs_of([[1, 2]] * 4, [[1, 2], [1, 2], [3, 4], [3, 4]])
    _, covariance = sampled_overlaps(lists, 2, sizes=(2, 2), population=8)
    assert covariance.means.tolist() == [[1, 0.5], [0, 1]]
    error = covariance.of_pair(0, 1).delta
    assert error.standard_error == pytest.approx(sqrt(3 / 16))
    assert error.half_width(0.95) == pytest.approx(12.7062 * sqrt(3 / 16), abs=1e-4)  # Student's t, 1 degree of freedom


def test_the_error_of_delta_is_that_of_the_mean_of_the_entities_deltas(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 3000)  # several blocks of entities
    lists = population_of(np.random.default_rng(1), 40)
    overlaps, covariance = sampled_overlaps(lists, 3, sizes=(3, 4), population=50)
    whole = overlap_counts(lists, 3)
    assert overlaps.counts.tolist() == whole.counts.tolist()
    assert overlaps.denominator == whole.denominator
    deltas = delta_by_entity(overlap_counts_by_entity(lists, 3), halves(3, 4))
    variance = (1 - 40 / 50) * deltas.var(ddof=1) / 40
    assert covariance.of_pair(0, 1).delta.standard_error == pytest.approx(sqrt(variance))
    estimate = effect(whole, halves(3, 4))
    expected = [[estimate.within_a, estimate.between], [0, estimate.within_b]]
    np.testing.assert_allclose(covariance.means, expected)


def test_a_pair_of_three_models_has_the_error_of_these_two_models_alone():
    lists = population_of(np.random.default_rng(2), 20)
    three = sampled_overlaps(lists, 3, sizes=(2, 3, 2), population=30)[1].of_pair(0, 2)
    two = sampled_overlaps(lists[:2] + lists[5:], 3, sizes=(2, 2), population=30)[1].of_pair(0, 1)
    assert three.delta.standard_error == pytest.approx(two.delta.standard_error)
    assert three.rho.standard_error == pytest.approx(two.rho.standard_error)


def test_the_variance_of_delta_is_unbiased_over_all_samples():
    """All samples of 3 of 7 entities: their Δ varies as much as their variances say on average."""
    lists = population_of(np.random.default_rng(3), 7)
    samples = list(combinations(range(7), 3))
    deltas = [effect(overlap_counts([run[list(drawn)] for run in lists], 3), halves(3, 4)).delta for drawn in samples]
    variances = [errors_of(lists, drawn, 7).delta.standard_error ** 2 for drawn in samples]
    assert np.mean(variances) == pytest.approx(np.var(deltas))


def test_the_linearised_error_of_rho_is_that_of_samples():
    """Many samples of 60 of 150 entities; ρ of each."""
    rng = np.random.default_rng(4)
    lists = population_of(rng, 150)
    rhos, variances = [], []
    for _ in range(600):
        drawn = rng.choice(150, 60, replace=False)
        rhos.append(effect(overlap_counts([run[drawn] for run in lists], 3), halves(3, 4)).rho)
        variances.append(errors_of(lists, drawn, 150).rho.standard_error ** 2)
    assert sqrt(np.mean(variances)) == pytest.approx(np.std(rhos), rel=0.08)


def test_rho_that_is_not_defined_has_no_error():
    lists = runs_of([[1, 2], [3, 4], [1, 2], [1, 2]], [[1, 2], [3, 4], [1, 2], [3, 4]])
    assert sampled_overlaps(lists, 2, sizes=(2, 2), population=8)[1].of_pair(0, 1).rho is None


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_a_sampling_error_widens_an_interval_however_small_it_is(level):
    alone = RUNS.interval(level)
    widths = []
    for error in (0.0, 1e-4, 1e-3, 0.01, 0.1):
        limits = SampledEstimate(RUNS, SamplingError(error, 1000, 5000)).interval(level)
        assert limits.low < alone.low
        assert limits.high > alone.high
        widths.append(limits.high - limits.low)
    assert widths == sorted(widths)
    nearly_all = SampledEstimate(RUNS, SamplingError(0.0, 10**7 - 1, 10**7)).interval(level)
    assert (nearly_all.low, nearly_all.high) == pytest.approx((alone.low, alone.high))


def test_each_error_has_its_own_degrees_of_freedom():
    estimate = SampledEstimate(RUNS, SamplingError(0.03, 100, 500))
    half = sqrt((3.182446 * 0.02) ** 2 + (1.984217 * 0.03) ** 2)  # t(.975) with 3 and with 99 degrees of freedom
    limits = estimate.interval(0.95)
    assert (limits.low, limits.high) == pytest.approx((0.3 - half, 0.3 + half), abs=1e-6)
    assert estimate.standard_error == pytest.approx(sqrt(0.0004 + 0.0009))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6, 0.9])
def test_intervals_of_normal_values_cover_at_least_at_their_level(share):
    """The share of the variance that is the runs', with 3 degrees of freedom beside 49."""
    rng, repetitions = np.random.default_rng(5), 2000
    of_runs = share * rng.chisquare(3, repetitions) / 3
    of_sample = (1 - share) * rng.chisquare(49, repetitions) / 49
    values = rng.standard_normal(repetitions)
    covered = 0
    for value, runs, sample in zip(values, of_runs, of_sample, strict=True):
        limits = SampledEstimate(Estimate(value, sqrt(runs), 3), SamplingError(sqrt(sample), 50, 500)).interval(0.95)
        covered += limits.low <= 0 <= limits.high
    assert covered >= stats.binom.ppf(0.001, repetitions, 0.95)


def test_p_is_that_of_the_interval_whose_limit_is_the_margin():
    estimate = SampledEstimate(RUNS, SamplingError(0.03, 100, 500))
    assert estimate.p_at_most(estimate.interval(0.95).low) == pytest.approx(0.025)
    assert estimate.p_at_least(estimate.interval(0.90).high) == pytest.approx(0.05)
    assert estimate.p_at_most(0.3) == estimate.p_at_least(0.3) == pytest.approx(0.5)
    assert estimate.p_at_most(0.35) == pytest.approx(1 - estimate.p_at_least(0.35))
    assert estimate.p_at_most(0.2) > RUNS.p_at_most(0.2)
    nearly_all = SampledEstimate(RUNS, SamplingError(0.0, 10**7 - 1, 10**7))
    assert nearly_all.p_at_most(0.2) == pytest.approx(RUNS.p_at_most(0.2))
    assert SampledEstimate(Estimate(0.3, 1e-9, 30), SamplingError(0.0, 5000, 10**4)).p_at_most(0.2) == 1e-12


def test_a_sample_without_the_few_entities_that_differ_does_not_rule_them_out():
    """Two of a hundred entities differ by a whole list, and s² is 0 without them: the interval holds .02."""
    limits = SampledEstimate(Estimate(0.0, 1e-6, 9), SamplingError(0.0, 50, 5000)).interval(0.95)
    assert limits.low < 0.02 < limits.high
    assert limits.high == pytest.approx(np.log(0.025) / np.log(0.99) / 5000)


def test_unseen_entities_are_so_many_that_a_sample_rarely_misses_them_all():
    error = SamplingError(0.0, 50, 2000)
    n_unseen = error.unseen(0.95) * 2000
    assert stats.hypergeom.pmf(0, 2000, int(np.ceil(n_unseen)), 50) <= 0.025
    assert stats.hypergeom.pmf(0, 2000, int(0.9 * n_unseen), 50) > 0.025
    assert SamplingError(0.0, 1999, 2000).unseen(0.95) < 1 / 2000


def steady_uncertainty(of_b, sampling=True):
    """Twenty runs of each model without variation, on 60 of 600 entities."""
    lists = runs_of(*([[1, 2]] * 20 + [list_of_b] * 20 for list_of_b in of_b))
    overlaps, covariance = sampled_overlaps(lists, 2, sizes=(20, 20), population=600)
    return replace(jackknife(overlaps, halves(20, 20)), sampling=covariance.of_pair(0, 1) if sampling else None)


@pytest.mark.parametrize("of_b", [[[1, 2]] * 60, [[1, 2], [1, 3]] * 30])
def test_models_without_seed_variation_carry_the_sampling_error(of_b):
    with_sample, without = steady_uncertainty(of_b), steady_uncertainty(of_b, sampling=False)
    assert with_sample.note == NO_VARIATION
    assert with_sample.standard_error is None
    for level in (0.9, 0.95):
        wide, narrow = with_sample.limits(level), without.limits(level)
        assert 0 <= wide.low <= narrow.low
        assert narrow.high < wide.high <= 1
    assert with_sample.p_at_least(0.5) > without.p_at_least(0.5)
    assert with_sample.p_at_least(with_sample.limits(0.9).high) == pytest.approx(0.05, rel=1e-4)


def test_a_limit_that_is_cut_to_the_range_of_delta_claims_nothing():
    assert steady_uncertainty([[1, 2]] * 60).p_at_most(0) == 1
    assert steady_uncertainty([[3, 4]] * 60).p_at_least(1) == 1


def test_bounds_of_a_sample_fail_with_half_the_probability_for_each_reason():
    uncertainty = steady_uncertainty([[1, 2], [3, 4]] * 30)
    steady, error = uncertainty.steady, uncertainty.sampling.delta
    assert error.standard_error == pytest.approx(sqrt((1 - 60 / 600) * (60 / 59 / 4) / 60))
    limits, of_steady = SampledBounds(steady, error).interval(0.9), steady.interval(0.95)
    half = 2.000995 * error.standard_error  # t(.975) with 59 degrees of freedom
    assert (limits.low, limits.high) == pytest.approx((of_steady.low - half, of_steady.high + half), abs=1e-5)


def test_an_uncertainty_includes_the_errors_of_delta_and_rho(six):
    alone = jackknife(six, halves(3, 3))
    errors = PairErrors(SamplingError(0.1, 100, 1000), SamplingError(0.2, 100, 1000))
    sampled = replace(alone, sampling=errors)
    assert sampled.standard_error == pytest.approx(sqrt(alone.standard_error**2 + 0.01))
    t = stats.t.ppf(0.975, [2, 99])
    for limits, estimate, error in (
        (sampled.limits(0.95), alone.estimates[0], 0.1),
        (sampled.rho_limits(0.95), alone.rho, 0.2),
    ):
        half = sqrt((t[0] * estimate.standard_error) ** 2 + (t[1] * error) ** 2)
        assert (limits.low, limits.high) == pytest.approx((estimate.value - half, estimate.value + half))
