"""A difference of two models' means over several splits of one data set, whose train parts have interactions in common.

Each split is analysed as in `tasks.core.inference.means.crossed`, with users and runs. This module adds the splits.
"""

from dataclasses import dataclass

import numpy as np

from tasks.core.inference.means.crossed import mean_difference, mean_squares, upper_limits
from tasks.core.inference.student import Estimate
from tasks.core.types import Counts, Values

_LEAST_FREEDOM = 4.0
"""Fewest degrees of freedom of a difference over more than four splits."""


@dataclass(frozen=True)
class SplitValues:
    """Values of one metric of one model on each of R splits.

    Attributes
    ----------
    values : tuple of (S, T_r) or (T_r,) float64
        One array for each split: S runs, which no other split has, and T_r users with test items. One dimension stands
        for a recommender that has no random seed.
    users : tuple of (T_r,) int64
        Who the users of each split are.
    held_out_ratio : float
        Number of interactions that a split holds out, divided by the number that it trains on. Without effect on one
        split.
    """

    values: tuple[Values, ...]
    users: tuple[Counts, ...]
    held_out_ratio: float

    @property
    def mean(self) -> float:
        """Mean over splits of the mean over runs and users."""
        return float(np.mean([values.mean() for values in self.values]))

    @property
    def largest(self) -> float:
        """The largest absolute value."""
        return float(max(np.abs(values).max() for values in self.values))

    @property
    def n_users(self) -> int:
        """Number of users who have test items in at least one split."""
        return len(np.unique(np.concatenate(self.users)))

    @property
    def fewest_users(self) -> int:
        """Number of users of the split that has fewest."""
        return min(map(len, self.users))

    @property
    def n_runs(self) -> int | None:
        """Runs in each split; None for a recommender that has no random seed."""
        return len(self.values[0]) if self.values[0].ndim == 2 else None


def mean_difference_over_splits(of_a: SplitValues, of_b: SplitValues) -> Estimate:
    """Estimate the difference of two models' means, with the variance of users, of runs and of splits.

    With one split, this is `tasks.core.inference.means.crossed.mean_difference`. With R splits, let δ_rt be the
    difference of the models' means over the runs of split r for user t, d_r its mean over the T_r users of the split,
    and D the mean of the d_r. D varies for three reasons:

    - It would be another one for other users. A user has test items in several splits, so that the users' part of d_r
      does not average out over the splits. With the contribution u_t = Σ_r (δ_rt - D)/(R·T_r) of each of T users,

          U = T/(T - 1) · Σ_t u_t²

      is the variance over users of a user's mean difference, divided by T, if all users are in all splits.
    - Runs of other seeds. The runs of a split are those of no other split, so that their part averages out:

          C/R, with C = Σ_m max(mean over r of (R_mr - E_mr), 0),

      where R_mr and E_mr are those of `mean_difference` in split r.
    - Splits hold out and train on other interactions. The variance s² of the d_r contains this part F, the part C of
      the runs and the part W that users have in it, so that F = max(s² - W - C, 0). Let V be the mean over splits of
      the variance of the δ_rt over users, divided by T_r. V is the sum of W and of the covariance of two splits that
      have users in common. U is the sum of W/R and of (R - 1)/R times this covariance. Hence

          W = R/(R - 1) · max(V - U, 0).

      The train parts of two splits have most of their interactions in common, so that their F are correlated and s²
      underestimates the variance. Nadeau and Bengio (2003, "Inference for the generalization error", Machine Learning
      52, section 3) take the share of the data that is held out as the correlation. The variance of the mean of R is
      then (1/R + n_test/n_train) in place of 1/R times the variance that is seen. For k folds n_test/n_train is
      1/(k - 1), as Bouckaert and Frank (2004) use it for cross-validation.

    Together,

        variance = max(U, W/R) + C/R + F·(1/R + n_test/n_train).

    The degrees of freedom are Satterthwaite's (1946), for mean squares of which W and C are subtracted:

        (U + Σ_m R_m/R + max(L - W - C, 0)·w)² / (U²/(T - 1) + (L·w)²/(R - 1) + Σ_m (R_m/R)²/(R·(S_m - 1))),

    with w = 1/R + n_test/n_train, R_m the mean of the R_mr, and for the reason given in `mean_difference` the upper 80%
    limit L of s² in place of s². Where W and C are nearly all of s², this has hardly any degrees of freedom, although F
    hardly matters. They are therefore R - 1 at least, those of s² alone, but no more than four of them: with more, the
    test rejects too often where F is large (`tests/benchmarks/resampled_level.py`).

    Parameters
    ----------
    of_a, of_b : SplitValues
        Of the same splits, with the same users in the same order: at least two in each split. If a model has a single
        run in each split, the part C cannot be told from F and is counted there.

    Returns
    -------
    Estimate
        Of the mean of B minus that of A. The standard error is 0 if the difference varies neither over users nor over
        runs nor over splits.
    """
    n_splits = len(of_a.values)
    if n_splits == 1:
        return mean_difference(of_a.values[0], of_b.values[0])
    squares = [mean_squares(a, b) for a, b in zip(of_a.values, of_b.values, strict=True)]
    means = np.array([split.difference for split in squares])  # (R,)
    difference = float(means.mean())
    n_users, of_users = _users_component(
        [split.differences for split in squares], of_a.users, difference=difference, n_splits=n_splits
    )
    within = n_splits / (n_splits - 1) * max(float(np.mean([split.users for split in squares])) - of_users, 0.0)
    runs = np.mean([split.runs for split in squares], axis=0)  # (models with runs,)
    residuals = np.mean([split.residuals for split in squares], axis=0)
    of_runs = float(np.maximum(runs - residuals, 0.0).sum())
    of_means, weight = float(means.var(ddof=1)), 1 / n_splits + of_a.held_out_ratio
    variance = max(of_users, within / n_splits) + of_runs / n_splits
    variance += max(of_means - within - of_runs, 0.0) * weight

    upper = float(upper_limits(np.array([of_means]), np.array([n_splits - 1]))[0])
    parts = np.array([of_users, upper * weight, *(runs / n_splits)])
    freedoms = np.array([n_users - 1, n_splits - 1, *(n_splits * squares[0].runs_freedom)])
    total = of_users + float(runs.sum()) / n_splits + max(upper - within - of_runs, 0.0) * weight
    # shares are squared instead of variances, whose squares may be too small for a float
    shares = parts / total if total else np.array([1.0, *np.zeros(len(parts) - 1)])
    return Estimate(
        value=difference,
        standard_error=float(np.sqrt(variance)),
        degrees_of_freedom=max(float(1 / (shares**2 / freedoms).sum()), min(n_splits - 1, n_users - 1, _LEAST_FREEDOM)),
    )


def _users_component(
    differences: list[Values], users: tuple[Counts, ...], *, difference: float, n_splits: int
) -> tuple[int, float]:
    """Return the number of users T, and U of `mean_difference_over_splits`."""
    n_users = len(np.unique(np.concatenate(users)))
    # T times the contributions, whose squares may be too small for a float
    contributions = np.zeros(max(of_split.max() for of_split in users) + 1)
    for of_split, values in zip(users, differences, strict=True):
        contributions[of_split] += n_users / (n_splits * len(values)) * (values - difference)
    return n_users, float((contributions**2).sum() / (n_users - 1) / n_users)
