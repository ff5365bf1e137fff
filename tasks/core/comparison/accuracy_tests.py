"""Tests of a difference in held-out accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.core.inference.multiplicity import holm
from tasks.core.types import Values

TESTED = ("ndcg", "recall", "precision", "map")
"""Metrics whose differences are tested, at one cutoff; the first is named in sentences."""
EQUIVALENCE = 0.02
"""Share of the baseline's mean within which two models count as equally accurate."""
DRAWS = 9_999
FEWEST_SEEDS = 5


@dataclass(frozen=True)
class AccuracyTest:
    """One metric of two models; `difference` is b - a.

    low_95, high_95 : bootstrap interval of the difference over users and seeds at once
    p_users_t, p_users_flip : paired t test, and randomisation of signs, over users
    p_seeds : exact permutation of run labels, two-sided; None below 5 seeds a model
    p_holm : `p` after Holm over the metrics of this pair of models; None for a test that is by itself
    p_equivalent : two one-sided t tests over users against ±2% of a's mean: small where the models are equally accurate
    """

    metric: str
    a: str
    b: str
    mean_a: float
    mean_b: float
    difference: float
    low_95: float
    high_95: float
    p_users_t: float
    p_users_flip: float
    p_seeds: float | None
    p_equivalent: float
    users: int
    seeds: int
    p_holm: float | None = None

    @property
    def p(self) -> float:
        """Of a difference over users *and*, from five seeds on, over seeds: the largest p (intersection-union test)."""
        return max(p for p in (self.p_users_t, self.p_users_flip, self.p_seeds) if p is not None)

    @property
    def sentence(self) -> str:
        """What the tests say, in words."""
        values = f"{self.mean_a:.4f} against {self.mean_b:.4f}"
        if self.p_equivalent <= 0.05:
            return f"{self.a} and {self.b} are equally accurate within 2% ({self.metric} {values})."
        if (self.p if self.p_holm is None else self.p_holm) > 0.05:
            return f"Which of {self.a} and {self.b} is more accurate cannot be told ({self.metric} {values})."
        better, worse = (self.b, self.a) if self.difference > 0 else (self.a, self.b)
        alone = "" if self.p_seeds is not None else f"; over users alone: {FEWEST_SEEDS} seeds would be tested too"
        return f"{better} is more accurate than {worse} ({self.metric} {values}{alone})."


def holm_by_pair(tests: Sequence[AccuracyTest]) -> list[AccuracyTest]:
    """The tests with their p after Holm over the metrics of each pair of models."""
    pairs: dict[tuple[str, str], list[AccuracyTest]] = {}
    for test in tests:
        pairs.setdefault((test.a, test.b), []).append(test)
    return [
        replace(test, p_holm=p)
        for found in pairs.values()
        for test, p in zip(found, holm([test.p for test in found]).tolist(), strict=True)
    ]


def compare_accuracy(metric: str, a: str, b: str, of_a: Values, of_b: Values, *, seed: int) -> AccuracyTest:
    """Test a metric of two models, (S_A, U) and (S_B, U), of the same users in the same order.

    Raises
    ------
    ValueError
        Other users, or fewer than two of them.
    """
    from scipy import stats

    if of_a.shape[1] != of_b.shape[1] or of_a.shape[1] < 2:
        raise ValueError(f"{of_a.shape[1]} and {of_b.shape[1]} users; expected the same, two at least")
    rng = np.random.default_rng(seed)
    paired = of_b.mean(axis=0) - of_a.mean(axis=0)
    mean_a, mean_b = float(of_a.mean()), float(of_b.mean())
    if np.ptp(paired) == 0:  # no variation to test on: the tests agree on certainty, or on nothing
        certain = float(paired[0] == 0)
        p_t = p_flip = certain
        within = abs(float(paired[0])) < EQUIVALENCE * mean_a
        p_equivalent = 0.0 if within else 1.0
    else:
        p_t = float(stats.ttest_1samp(paired, 0.0).pvalue)
        p_flip = _sign_flip(paired, rng)
        bound = EQUIVALENCE * mean_a
        above = stats.ttest_1samp(paired, -bound, alternative="greater").pvalue
        below = stats.ttest_1samp(paired, bound, alternative="less").pvalue
        p_equivalent = float(max(above, below))
    low, high = _crossed_bootstrap(of_a, of_b, rng)
    seeds = min(len(of_a), len(of_b))
    return AccuracyTest(
        metric=metric,
        a=a,
        b=b,
        mean_a=mean_a,
        mean_b=mean_b,
        difference=mean_b - mean_a,
        low_95=low,
        high_95=high,
        p_users_t=p_t,
        p_users_flip=p_flip,
        p_seeds=_run_labels(of_a.mean(axis=1), of_b.mean(axis=1), rng) if seeds >= FEWEST_SEEDS else None,
        p_equivalent=p_equivalent,
        users=of_a.shape[1],
        seeds=seeds,
    )


def _sign_flip(differences: Values, rng: np.random.Generator) -> float:
    """Two-sided randomisation: under the null each user's difference is as likely of either sign.

    Eight users have 256 sums, of which every draw takes one: a byte in place of eight signs.
    """
    observed = abs(float(differences.sum()))
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # (256, 8)
    drawn = np.zeros(DRAWS)
    for eight in np.pad(differences, (0, -len(differences) % 8)).reshape(-1, 8):
        drawn += (signs @ eight)[rng.integers(0, 256, DRAWS, dtype=np.uint8)]
    hits = int((np.abs(drawn) >= observed * (1 - 1e-12)).sum())
    return (hits + 1) / (DRAWS + 1)


def _run_labels(of_a: Values, of_b: Values, rng: np.random.Generator) -> float:
    from scipy import stats

    def difference(a: Values, b: Values, axis: int) -> Values:
        return np.asarray(b.mean(axis=axis) - a.mean(axis=axis))

    found = stats.permutation_test((of_a, of_b), difference, vectorized=True, n_resamples=DRAWS, rng=rng)
    return float(found.pvalue)


def _crossed_bootstrap(of_a: Values, of_b: Values, rng: np.random.Generator, draws: int = 2000) -> tuple[float, float]:
    """Percentile interval of the difference of means, users and seeds drawn anew together (Owen 2007)."""
    seeds, users = len(of_a), of_a.shape[1]
    both = np.concatenate([of_a, of_b])
    found = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(rng.integers(0, users, users), minlength=users)  # each user is drawn
        means = both @ times.astype(np.float64) / users  # (S_A + S_B,)
        a, b = means[:seeds], means[seeds:]
        found[draw] = rng.choice(b, len(b)).mean() - rng.choice(a, len(a)).mean()
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
