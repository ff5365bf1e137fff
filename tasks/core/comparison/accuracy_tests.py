"""Tests of a difference in held-out accuracy.

A metric of a model is an array (S, T) for each split: S seeds, T users with test items. Users, seeds and, where there
are several, splits are random, so a difference is tested over all of them at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.core.formatting import p_statement
from tasks.core.inference.means.resampled import SplitValues, mean_difference_over_splits
from tasks.core.inference.multiplicity import LEVEL, holm

TESTED = ("ndcg", "recall", "precision", "map")
"""Metrics whose differences are tested, at one cutoff. Sentences name the first."""
EQUIVALENCE = 0.02
"""Two models are equally accurate if they differ by less than this share of the first model's mean."""
_ROUNDING = 1e-12
"""A difference does not vary if its standard error is no more than this share of the largest value."""
_SMALLEST_OF_SIGNS = 1e-4
"""Smallest p of a difference that does not vary."""


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
        Means over seeds and users, and over splits.
    difference : float
        b - a.
    low_95, high_95 : float or None
        Interval of the difference; None if the difference varies neither over users nor over seeds nor over splits.
    p_equivalent : float
        Two one-sided tests against ±2% of a's mean. A small p shows that the models are equally accurate.
    users, seeds : int
        Number of users, and seeds on each split of the model that has fewer. A recommender without a random seed does
        not count. With one seed on one split, interval and p are over users only, and hold for these fits.
    p_holm : float or None
        `p_difference` after Holm's adjustment; None with one fit, because no claim about the models is made.
    p_users_t, p_users_flip, p_seeds : float or None
        Tests of earlier versions over users, by t and by flips of signs, and over seeds. None in later records.
    p_difference : float or None
        Two-sided p of the difference; None in records of earlier versions.
    p_equivalent_holm : float or None
        `p_equivalent` after Holm's adjustment; None with one fit and in records of earlier versions.
    standard_error, degrees_of_freedom : float or None
        Of the difference, behind the interval and each p. None if the difference varies neither over users nor over
        seeds nor over splits, and in records of earlier versions.
    splits : int
        Number of splits, on each of which the models have seeds of their own.
    """

    metric: str
    a: str
    b: str
    mean_a: float
    mean_b: float
    difference: float
    low_95: float | None
    high_95: float | None
    p_equivalent: float
    users: int
    seeds: int
    p_holm: float | None = None
    p_users_t: float | None = None
    p_users_flip: float | None = None
    p_seeds: float | None = None
    p_difference: float | None = None
    p_equivalent_holm: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    splits: int = 1

    @property
    def is_of_models(self) -> bool:
        """Whether a claim about the models can be made: one of the models has several fits, with a seed each."""
        return self.seeds > 1 or self.splits > 1

    @property
    def p(self) -> float:
        """The unadjusted p of the difference. In a record of an earlier version it is the largest of several."""
        if self.p_difference is not None:
            return self.p_difference
        return max(p for p in (self.p_users_t, self.p_users_flip, self.p_seeds) if p is not None)

    @property
    def is_over(self) -> str:
        """What the difference is tested over, in words."""
        if not self.is_of_models:
            return "users only"
        return "users and seeds" if self.splits == 1 else "users, seeds and splits"

    @property
    def more_accurate(self) -> str | None:
        """The model that is significantly more accurate; None if none is, or if they are equal to within 2%."""
        if not self.is_of_models or self._p_equivalent <= LEVEL:
            return None
        p = self.p if self.p_holm is None else self.p_holm
        return (self.b if self.difference > 0 else self.a) if p <= LEVEL else None

    @property
    def _p_equivalent(self) -> float:
        return self.p_equivalent if self.p_equivalent_holm is None else self.p_equivalent_holm

    @property
    def sentence(self) -> str:
        """The outcome in words: the claim, if one can be made, and the numbers."""
        over = self.is_over
        metric = f"{self.metric} on {'this split' if self.splits == 1 else f'{self.splits} splits'}"
        numbers = f"{self.a} {self.mean_a:.4f}, {self.b} {self.mean_b:.4f}; difference {self.difference:+.4f}"
        if self.low_95 is None or self.high_95 is None:
            numbers += f" for all {over.removesuffix(' only')}"
        else:
            numbers += f", 95% interval {self.low_95:+.4f} to {self.high_95:+.4f}"
        p, adjusted = (self.p, "") if self.p_holm is None else (self.p_holm, " after Holm's adjustment")
        if self.p_difference is None:
            return (
                f"{metric}: {numbers}; {p_statement(p)}{adjusted}. An earlier version computed "
                "this p and did not test users and seeds at once; run the config again to do so."
            )
        if not self.is_of_models:
            return (
                f"{metric}: {numbers}; {p_statement(p)} over {over}. This holds for these fits "
                "and not for the models: seeds are not tested, because a model has one seed."
            )
        claim = f"no difference in accuracy between {self.a} and {self.b} is shown at the {LEVEL:.0%} level"
        p_equivalent = self._p_equivalent
        if p_equivalent <= LEVEL:
            claim, p = f"{self.a} and {self.b} are equally accurate to within {EQUIVALENCE:.0%}", p_equivalent
        elif better := self.more_accurate:
            worse = self.a if better == self.b else self.b
            claim = f"{better} is significantly more accurate than {worse}"
        return f"{metric}: {claim} ({numbers}; {p_statement(p)} over {over}{adjusted})."


def usual_cutoff(cutoffs: Sequence[int]) -> int:
    """Return the cutoff that sentences and first tables use: 10, or the first cutoff if 10 is not among them."""
    return 10 if 10 in cutoffs else cutoffs[0]


def tested_metrics(cutoffs: Sequence[int]) -> list[str]:
    """Return the metrics whose differences are tested, at the usual cutoff (0 if there are no cutoffs)."""
    cutoff = usual_cutoff(cutoffs) if cutoffs else 0
    return [f"{name}_at_{cutoff}" for name in TESTED]


def compare_with_baseline(values: Mapping[str, Mapping[str, SplitValues]], baseline: str) -> list[AccuracyTest]:
    """Test every model against the baseline, on every metric.

    Parameters
    ----------
    values : mapping of model to metric to SplitValues
        The same users in the same order for all models. May be empty.
    baseline : str
        Name of the baseline, which becomes `a`.

    Returns
    -------
    list of AccuracyTest
        Adjusted over all metrics and models. Empty if a split has fewer than two users.
    """
    return _adjusted(
        [
            compare_accuracy(metric, baseline, model, values[baseline][metric], of_model)
            for model, metrics in values.items()
            if model != baseline
            for metric, of_model in metrics.items()
            if of_model.fewest_users > 1
        ]
    )


def compare_with_references(
    values: Mapping[str, Mapping[str, SplitValues]],
    references: Mapping[str, Mapping[str, SplitValues]],
    *,
    metric: str,
) -> list[AccuracyTest]:
    """Test every model against every reference recommender, on one metric.

    Parameters
    ----------
    values : mapping of model to metric to SplitValues
        May be empty.
    references : mapping of name to metric to SplitValues
        The reference recommenders' values for the same users. May be empty.
    metric : str
        The metric to test.

    Returns
    -------
    list of AccuracyTest
        The reference recommender is `a`. Adjusted over references and models. Empty if a split has fewer
        than two users.
    """
    return _adjusted(
        [
            compare_accuracy(metric, name, model, of_reference[metric], metrics[metric])
            for name, of_reference in references.items()
            for model, metrics in values.items()
            if metrics[metric].fewest_users > 1
        ]
    )


def compare_accuracy(metric: str, a: str, b: str, of_a: SplitValues, of_b: SplitValues) -> AccuracyTest:
    """Test one metric of two models.

    The difference, its interval and the test of equivalence rest on one standard error over users, seeds and splits,
    with one number of degrees of freedom; see `tasks.core.inference.means.resampled.mean_difference_over_splits`.

    Parameters
    ----------
    metric : str
        Name of the metric.
    a, b : str
        Names of the models.
    of_a : SplitValues
        Values of the metric.
    of_b : SplitValues
        For the same splits, and the same users in the same order. With random seeds.

    Returns
    -------
    AccuracyTest
        Without adjustment.

    Raises
    ------
    ValueError
        If the numbers of users differ, or are less than two.
    """
    for split_of_a, split_of_b in zip(of_a.values, of_b.values, strict=True):
        if split_of_a.shape[-1] != split_of_b.shape[1] or split_of_b.shape[1] < 2:
            raise ValueError(
                f"found {split_of_a.shape[-1]} and {split_of_b.shape[1]} users; expected the same users for both "
                "models, at least two"
            )
    estimate = mean_difference_over_splits(of_a, of_b)
    bound = EQUIVALENCE * of_a.mean
    rounding = _ROUNDING * max(of_a.largest, of_b.largest)
    users = of_b.n_users
    varies = estimate.standard_error > rounding
    limits = estimate.interval() if varies else None
    if varies:
        p_difference, p_equivalent = estimate.p, estimate.p_equivalent(bound)
    else:
        # The standard error is 0 or that of rounding errors, so a t test would give a p near 0. The signs of the users'
        # differences still say something: all are equal.
        p_difference = _sign_p(2, users) if abs(estimate.value) > rounding else 1.0
        p_equivalent = _sign_p(1, users) if abs(estimate.value) < bound else 1.0
    return AccuracyTest(
        metric=metric,
        a=a,
        b=b,
        mean_a=of_a.mean,
        mean_b=of_b.mean,
        difference=estimate.value,
        low_95=limits.low if limits else None,
        high_95=limits.high if limits else None,
        p_equivalent=p_equivalent,
        users=users,
        seeds=min(model.n_runs for model in (of_a, of_b) if model.n_runs is not None),
        p_difference=p_difference,
        standard_error=estimate.standard_error if varies else None,
        degrees_of_freedom=estimate.degrees_of_freedom if varies else None,
        splits=len(of_b.values),
    )


def _adjusted(tests: Sequence[AccuracyTest]) -> list[AccuracyTest]:
    """Return the tests with p adjusted (Holm), over all differences and over all claims of equivalence.

    Tests over users only make no claim about the models and are not adjusted.
    """
    family = [test for test in tests if test.is_of_models]
    differences = iter(holm([test.p for test in family]).tolist())
    equivalences = iter(holm([test.p_equivalent for test in family]).tolist())
    return [
        replace(test, p_holm=next(differences), p_equivalent_holm=next(equivalences)) if test.is_of_models else test
        for test in tests
    ]


def _sign_p(extreme: int, users: int) -> float:
    """Return p of a difference that is the same for all users, if `extreme` of the 2^users signs are as extreme."""
    return max(extreme * 2.0**-users, _SMALLEST_OF_SIGNS)
