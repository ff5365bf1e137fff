"""The simulation of docs/verdict.md at a smaller size: level and power of the tests that it counts."""

from scipy.stats import binom, binomtest

from tasks.core.config.als import AlsConfig
from tests.benchmarks.level_and_power import simulate

SMALL = AlsConfig(factors=4, iterations=5)


def test_permutation_test_rejects_equal_models_at_the_attainable_level() -> None:
    """Two-sided: more rejections would be wrong, and fewer would cost power."""
    counts = simulate(SMALL, SMALL, replicates=5, repetitions=400)
    assert counts.attainable_level == 6 / 126
    assert binomtest(counts.permutation, 400, counts.attainable_level).pvalue > 0.001
    # the paired t test of a notebook finds a difference in most pairs of identical models
    assert counts.paired_t > binom.ppf(0.999, 400, 0.5)


def test_permutation_test_detects_twice_the_factors() -> None:
    """With 5 seeds per model, the power is at least 0.95."""
    counts = simulate(SMALL, AlsConfig(factors=8, iterations=5), replicates=5, repetitions=60, seed=1)
    assert counts.permutation >= 57
