"""Tests of a difference in held-out accuracy.

A metric of a model is an array (S, T): S seeds on one split, T users with test items. Tests over users average over the
seeds first, because another seed is not another sample of users. Tests over seeds average over the users. A difference
counts as significant if it is so over users and, with five seeds or more, over seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.core.config.evaluation import POPULARITY
from tasks.core.inference.multiplicity import LEVEL, holm
from tasks.core.types import Values

TESTED = ("ndcg", "recall", "precision", "map")
"""Metrics whose differences are tested, at one cutoff. Sentences name the first."""
EQUIVALENCE = 0.02
"""Two models are equally accurate if they differ by less than this share of the first model's mean."""
_ROUNDING = 1e-12
"""Differences count as equal if they vary by no more than this share of the largest value."""
_SMALLEST = float(np.finfo(np.float64).tiny)
"""Smallest p of a t test, in place of 0, which is what smaller ones are rounded to."""
DRAWS = 9_999
"""Random draws of each randomization test."""
FEWEST_SEEDS = 5
"""Fewest seeds of each model for a test over seeds."""


@dataclass(frozen=True)
class AccuracyTest:
    """Tests of one metric for two models.

    Attributes
    ----------
    metric : str
        Such as `ndcg_at_10`.
    a, b : str
        Names of the models.
    mean_a, mean_b : float
        Means over seeds and users.
    difference : float
        b - a.
    low_95, high_95 : float
        Bootstrap interval of the difference, over users and seeds at once.
    p_users_t : float or None
        Over users: paired t test; None if the difference is the same for all users and not 0: the test needs variance.
    p_users_flip : float
        Over users: randomization of signs.
    p_seeds : float or None
        Over seeds: permutation of run labels, two-sided; None with fewer than five seeds of a model.
    p_equivalent : float
        Two one-sided t tests over users against ±2% of a's mean, or sign tests if the difference is the same for all
        users. A small p shows that the models are equally accurate.
    users, seeds : int
        Number of users, and seeds of the model that has fewer.
    p_holm : float or None
        `p` after Holm's adjustment over the metrics of this pair of models; None if there is no adjustment.
    """

    metric: str
    a: str
    b: str
    mean_a: float
    mean_b: float
    difference: float
    low_95: float
    high_95: float
    p_users_t: float | None
    p_users_flip: float
    p_seeds: float | None
    p_equivalent: float
    users: int
    seeds: int
    p_holm: float | None = None

    @property
    def p(self) -> float:
        """The largest p over users and over seeds: a difference must show in each test (intersection-union test)."""
        return max(p for p in (self.p_users_t, self.p_users_flip, self.p_seeds) if p is not None)

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        means = f"{self.metric}: {self.a} {self.mean_a:.4f}, {self.b} {self.mean_b:.4f}"
        if self.p_equivalent <= LEVEL:
            return f"{self.a} and {self.b} are equally accurate to within 2% ({means})."
        if (self.p if self.p_holm is None else self.p_holm) > LEVEL:
            return f"{self.a} and {self.b} do not differ significantly in accuracy ({means})."
        better, worse = (self.b, self.a) if self.difference > 0 else (self.a, self.b)
        limitation = ""
        if self.p_seeds is None:
            limitation = f"; tested over users only, because a test over seeds needs {FEWEST_SEEDS} seeds"
        return f"{better} is significantly more accurate than {worse} ({means}{limitation})."


def usual_cutoff(cutoffs: Sequence[int]) -> int:
    """Return the cutoff that sentences and first tables use: 10, or the first cutoff if 10 is not among them."""
    return 10 if 10 in cutoffs else cutoffs[0]


def tested_metrics(cutoffs: Sequence[int]) -> list[str]:
    """Return the metrics whose differences are tested, at the usual cutoff (0 if there are no cutoffs)."""
    cutoff = usual_cutoff(cutoffs) if cutoffs else 0
    return [f"{name}_at_{cutoff}" for name in TESTED]


def compare_with_baseline(
    values: Mapping[str, Mapping[str, Values]], baseline: str, *, seed: int
) -> list[AccuracyTest]:
    """Test every model against the baseline, on every metric.

    Parameters
    ----------
    values : mapping of model to metric to (S, T) float64
        The same T users in the same order for all models. May be empty.
    baseline : str
        Name of the baseline, which becomes `a`.
    seed : int
        Of the randomization tests and the bootstrap.

    Returns
    -------
    list of AccuracyTest
        p is adjusted over the metrics of each pair of models. Empty if there are fewer than two users.
    """
    return _holm_by_pair(
        [
            compare_accuracy(metric, baseline, model, values[baseline][metric], array, seed=seed)
            for model, metrics in values.items()
            if model != baseline
            for metric, array in metrics.items()
            if array.shape[1] > 1
        ]
    )


def compare_with_popularity(
    values: Mapping[str, Mapping[str, Values]], popularity: Mapping[str, Values], *, metric: str, seed: int
) -> list[AccuracyTest]:
    """Test every model against the popularity recommender, on one metric.

    Parameters
    ----------
    values : mapping of model to metric to (S, T) float64
        May be empty.
    popularity : mapping of metric to (T,) float64
        The popularity recommender's values for the same users; may be empty if `values` is.
    metric : str
        The metric to test.
    seed : int
        Of the randomization tests and the bootstrap.

    Returns
    -------
    list of AccuracyTest
        Popularity is `a`, and p is not adjusted. Empty if there are fewer than two users.
    """
    return [
        compare_accuracy(metric, POPULARITY, model, popularity[metric][None, :], metrics[metric], seed=seed)
        for model, metrics in values.items()
        if metrics[metric].shape[1] > 1
    ]


def compare_accuracy(metric: str, a: str, b: str, of_a: Values, of_b: Values, *, seed: int) -> AccuracyTest:
    """Test one metric of two models.

    Parameters
    ----------
    metric : str
        Name of the metric.
    a, b : str
        Names of the models.
    of_a, of_b : (S_A, T), (S_B, T) float64
        Values of the metric, for the same users in the same order.
    seed : int
        Of the randomization tests and the bootstrap.

    Returns
    -------
    AccuracyTest

    Raises
    ------
    ValueError
        If the numbers of users differ, or are less than two.
    """
    from scipy import stats

    if of_a.shape[1] != of_b.shape[1] or of_a.shape[1] < 2:
        raise ValueError(
            f"found {of_a.shape[1]} and {of_b.shape[1]} users; expected the same users for both models, at least two"
        )
    rng = np.random.default_rng(seed)
    differences = of_b.mean(axis=0) - of_a.mean(axis=0)  # (T,)
    mean_a, mean_b = float(of_a.mean()), float(of_b.mean())
    bound = EQUIVALENCE * mean_a
    rounding = _ROUNDING * max(np.abs(of_a).max(), np.abs(of_b).max())
    if np.ptp(differences) <= rounding:
        # a t test needs variance, and that of rounding errors would give p near 0
        constant = 0.0 if np.abs(differences).max() <= rounding else mean_b - mean_a
        p_users_t = None if constant else 1.0
        p_users_flip, p_equivalent = _constant_p(constant, bound, len(differences))
    else:
        p_users_t = max(float(stats.ttest_1samp(differences, 0.0).pvalue), _SMALLEST)
        p_users_flip = _sign_flip_p(differences, rng)
        above = stats.ttest_1samp(differences, -bound, alternative="greater").pvalue
        below = stats.ttest_1samp(differences, bound, alternative="less").pvalue
        p_equivalent = max(float(above), float(below), _SMALLEST)
    # The order of the calls that draw from the generator decides the numbers: bootstrap first, then run labels.
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
        p_users_t=p_users_t,
        p_users_flip=p_users_flip,
        p_seeds=_run_label_p(of_a.mean(axis=1), of_b.mean(axis=1), rng) if seeds >= FEWEST_SEEDS else None,
        p_equivalent=p_equivalent,
        users=of_a.shape[1],
        seeds=seeds,
    )


def _holm_by_pair(tests: Sequence[AccuracyTest]) -> list[AccuracyTest]:
    """Return the tests with p adjusted over the metrics of each pair of models (Holm)."""
    pairs: dict[tuple[str, str], list[AccuracyTest]] = {}
    for test in tests:
        pairs.setdefault((test.a, test.b), []).append(test)
    return [
        replace(test, p_holm=p_holm)
        for of_pair in pairs.values()
        for test, p_holm in zip(of_pair, holm([test.p for test in of_pair]).tolist(), strict=True)
    ]


def _constant_p(difference: float, bound: float, users: int) -> tuple[float, float]:
    """Return p of a difference that is the same for all users, two-sided and of equivalence.

    The observed sums are the most extreme of all signs: 2 of 2^users two-sided, 1 of 2^users within the bound. Both are
    at least the smallest p of a sample of signs.
    """
    smallest = 1 / (DRAWS + 1)
    two_sided = max(2.0 ** (1 - users), smallest) if difference else 1.0
    return two_sided, max(2.0**-users, smallest) if abs(difference) < bound else 1.0


def _sign_flip_p(differences: Values, rng: np.random.Generator) -> float:
    """Return the two-sided p of a randomization test: without an effect each user's difference has a random sign."""
    observed = abs(float(differences.sum()))
    # Signs are drawn for eight users at a time: one random byte picks one of the 256 possible sums.
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # (256, 8)
    sums = np.zeros(DRAWS)
    for eight in np.pad(differences, (0, -len(differences) % 8)).reshape(-1, 8):
        sums += (signs @ eight)[rng.integers(0, 256, DRAWS, dtype=np.uint8)]
    hits = int((np.abs(sums) >= observed * (1 - 1e-12)).sum())
    return (hits + 1) / (DRAWS + 1)


def _run_label_p(of_a: Values, of_b: Values, rng: np.random.Generator) -> float:
    from scipy import stats

    def difference(a: Values, b: Values, axis: int) -> Values:
        return np.asarray(b.mean(axis=axis) - a.mean(axis=axis))

    result = stats.permutation_test((of_a, of_b), difference, vectorized=True, n_resamples=DRAWS, rng=rng)
    return float(result.pvalue)


def _crossed_bootstrap(of_a: Values, of_b: Values, rng: np.random.Generator, draws: int = 2000) -> tuple[float, float]:
    """Return the 95% percentile interval of the difference of means; users and seeds are resampled (Owen 2007)."""
    seeds, users = len(of_a), of_a.shape[1]
    both = np.concatenate([of_a, of_b])
    differences = np.empty(draws)
    for draw in range(draws):
        times_drawn = np.bincount(rng.integers(0, users, users), minlength=users)  # (T,)
        means = both @ times_drawn.astype(np.float64) / users  # (S_A + S_B,)
        a, b = means[:seeds], means[seeds:]
        differences[draw] = rng.choice(b, len(b)).mean() - rng.choice(a, len(a)).mean()
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)
