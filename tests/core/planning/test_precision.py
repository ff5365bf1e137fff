"""The expected precision of Δ from a pilot: against the jackknife of the pilot itself, and by simulation."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import t

from tasks.core.comparison.endpoints import Endpoint
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.inference.jackknife import jackknife
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.planning.precision import RunVariance, planned_precision, run_variance
from tasks.core.types import Values


def draw_matrix(size: int, *, of_runs: float, of_pairs: float, rng: np.random.Generator) -> Values:
    """Draw overlaps of 2·size runs whose terms in Δ have the variance `of_runs` in all, and its pairs `of_pairs`."""
    in_a = np.arange(2 * size) < size
    # within a model the term of a run counts with the sign +, and between the models with -: in Δ once each
    terms = rng.normal(0, np.sqrt(of_runs / 2) / 2, 2 * size)
    same = in_a[:, None] == in_a
    pairs = np.triu(rng.normal(0, np.sqrt(of_pairs), same.shape), 1)
    overlap = 0.5 + np.where(same, 1, -1) * (terms[:, None] + terms) + pairs + pairs.T
    np.fill_diagonal(overlap, 1)
    return np.asarray(overlap)


@pytest.mark.parametrize("size", [3, 4, 6])
def test_the_prediction_for_as_many_seeds_is_the_jackknife_of_the_pilot(size: int) -> None:
    """Unless the terms of the pairs alone exceed it."""
    rng = np.random.default_rng(size + 7)
    scores = 4 * rng.normal(size=(2, 1, 30)) + rng.gumbel(size=(2, size, 30))
    lists = np.argsort(-scores.reshape(-1, 1, 30), axis=2)[:, :, :5].astype(np.int32)
    overlaps = overlap_counts(list(lists), 5)
    variance = run_variance(overlaps.counts / overlaps.denominator)
    assert variance.of_runs > 0
    error = jackknife(overlaps, np.arange(2 * size) >= size).standard_error
    assert error is not None
    assert variance.half_width(np.array(size)) == pytest.approx(t.ppf(0.975, size - 1) * error)


@pytest.mark.parametrize(("size", "of_pairs"), product((3, 5), (0.0, 0.01)))
def test_both_variances_are_estimated_without_bias(size: int, of_pairs: float) -> None:
    rng = np.random.default_rng(1)
    found = [run_variance(draw_matrix(size, of_runs=0.04, of_pairs=of_pairs, rng=rng)) for _ in range(2000)]
    assert np.mean([each.of_pairs for each in found]) == pytest.approx(of_pairs, rel=0.05, abs=1e-12)
    # cut at zero, it is too large where the pairs dominate
    assert np.mean([each.of_runs for each in found]) == pytest.approx(0.04, rel=0.05 if of_pairs == 0 else 0.5)


def test_terms_of_runs_narrow_with_the_root_of_the_seeds_and_terms_of_pairs_faster() -> None:
    seeds = np.array([5, 20])
    for variance, ratio in (
        (RunVariance(1.0, 0.0), 2.0),
        (RunVariance(0.0, 1.0), np.sqrt((2 / 15 + 2 / 25) / (2 / 360 + 2 / 400))),
    ):
        five, twenty = variance.half_width(seeds) / t.ppf(0.975, seeds - 1)
        assert five / twenty == pytest.approx(ratio)


def matrix_of(overlap: Values) -> Matrix:
    size = len(overlap) // 2
    return Matrix("users", 5, [f"{model} #{run}" for model in "ab" for run in range(size)], overlap.tolist())


def test_the_seeds_needed_are_the_fewest_whose_half_width_is_the_margin() -> None:
    overlap = draw_matrix(6, of_runs=0.01, of_pairs=0.0, rng=np.random.default_rng(0))
    endpoint = Endpoint("users", "users", None, 5, True, 0.02)
    described = Endpoint("item_1", "items", 1, 5, False, 0.02)
    (row,) = planned_precision([matrix_of(overlap)], [endpoint, described], baseline="a", others=["b"])
    assert row.half_widths is not None
    assert list(row.half_widths) == [4, 6, 10, 20]
    assert row.replicates_needed is not None
    fewest = np.array([row.replicates_needed - 1, row.replicates_needed])
    below, enough = run_variance(overlap).half_width(fewest)
    assert below > 0.02 >= enough


def test_lists_that_do_not_vary_predict_nothing() -> None:
    overlap = np.kron(np.array([[1.0, 0.1], [0.1, 1.0]]), np.ones((3, 3)))
    endpoint = Endpoint("users", "users", None, 5, True, 0.1)
    (row,) = planned_precision([matrix_of(overlap)], [endpoint], baseline="a", others=["b"])
    assert (row.half_widths, row.replicates_needed) == (None, None)


def test_a_margin_that_a_thousand_seeds_do_not_reach_needs_no_number_of_seeds() -> None:
    overlap = draw_matrix(4, of_runs=0.04, of_pairs=0.0, rng=np.random.default_rng(0))
    endpoint = Endpoint("users", "users", None, 5, True, 1e-4)
    (row,) = planned_precision([matrix_of(overlap)], [endpoint], baseline="a", others=["b"])
    assert row.half_widths is not None
    assert row.replicates_needed is None
