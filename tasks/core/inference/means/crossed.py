"""A difference of two models' means over users and runs at once: a crossed random-effects analysis."""

from dataclasses import dataclass

import numpy as np

from tasks.core.inference.student import Estimate
from tasks.core.types import Counts, Values

_UPPER_LIMIT = 0.8
"""Confidence of the upper limit of a component of few degrees of freedom, from which those of a sum are computed."""


@dataclass(frozen=True)
class MeanSquares:
    """What the variance of a difference on one split is computed from, see `mean_difference`.

    Attributes
    ----------
    difference : float
        Of the means, B minus A.
    differences : (T,) float64
        Of the means over runs of each user, B minus A.
    users : float
        U.
    runs, residuals : (M,) float64
        R_m and E_m of the models that have runs. Empty if one of the models has a single run.
    runs_freedom : (M,) int64
        Degrees of freedom of R_m.
    """

    difference: float
    differences: Values
    users: float
    runs: Values
    residuals: Values
    runs_freedom: Counts


def mean_difference(of_a: Values, of_b: Values) -> Estimate:
    """Estimate the difference of two models' means, with the variance of users and of runs.

    The value of user t in run s of model m is Y_mst = μ_m + u_mt + r_ms + e_mst. The users are a random sample that the
    models share, so u_At and u_Bt are correlated. The runs are a random sample of each model's seeds. Users and runs
    are crossed (Baayen, Davidson and Bates 2008), with one value per cell. The difference of the means over S_A and S_B
    runs and T users has the variance

        Var(u_B - u_A)/T + Σ_m σ²_r,m/S_m + Σ_m σ²_e,m/(S_m·T).

    It is estimated from mean squares of the two-way layout (Searle, Casella and McCulloch 1992, chapter 4):

        U = variance over users of the difference of the models' means over runs, divided by T
        R_m = variance of the run means of model m, divided by S_m
        E_m = residual mean square of users × runs of model m, divided by S_m·T

    U contains the users component and Σ E_m, and R_m contains the runs component and E_m. So U + Σ (R_m - E_m) is
    unbiased. A negative estimate of a component counts as 0, which makes the variance larger:

        variance = max(U, Σ E_m) + Σ max(R_m - E_m, 0).

    The degrees of freedom are Satterthwaite's (1946) for U + Σ R_m,

        (U + Σ R_m)² / (U²/(T - 1) + Σ R_m²/(S_m - 1)),

    but with the upper 80% limit R_m·(S_m - 1)/χ²_.2(S_m - 1) in place of R_m. Without it, an R_m that is small by
    chance gives a small variance and many degrees of freedom at once: with two runs, a null hypothesis can be rejected
    in more than 10% of cases in place of 5%. From five runs on the limit changes little.

    Parameters
    ----------
    of_a, of_b : (S, T) or (T,) float64
        Values of the same T ≥ 2 users in the same order. One dimension stands for a recommender that has no random
        seed and therefore no runs component. If a model has a single run, its runs component cannot be estimated, and
        the analysis is over users only: U with T - 1 degrees of freedom, which is the paired t test.

    Returns
    -------
    Estimate
        Of the mean of B minus that of A. The standard error is 0 if the difference varies neither over users nor over
        runs.
    """
    squares = mean_squares(of_a, of_b)
    n_users, users, runs, residuals = len(squares.differences), squares.users, squares.runs, squares.residuals
    variance = max(users, residuals.sum()) + np.maximum(runs - residuals, 0.0).sum()

    upper_runs = upper_limits(runs, squares.runs_freedom)
    total = users + upper_runs.sum()
    # Shares are squared instead of variances, whose squares may be too small for a float.
    shares = np.array([users, *upper_runs]) / total if total else np.array([1.0, *np.zeros(len(runs))])
    return Estimate(
        value=squares.difference,
        standard_error=float(np.sqrt(variance)),
        degrees_of_freedom=float(1 / (shares**2 / [n_users - 1, *squares.runs_freedom]).sum()),
    )


def mean_squares(of_a: Values, of_b: Values) -> MeanSquares:
    """Return the mean squares of two models' values on one split.

    Parameters
    ----------
    of_a, of_b : (S, T) or (T,) float64
        As for `mean_difference`.

    Returns
    -------
    MeanSquares
    """
    by_user = [np.atleast_2d(values).mean(axis=0) for values in (of_a, of_b)]  # 2 x (T,)
    by_run = [values for values in (of_a, of_b) if values.ndim == 2]
    if any(len(values) == 1 for values in by_run):
        by_run = []
    differences = by_user[1] - by_user[0]
    return MeanSquares(
        difference=float(by_user[1].mean() - by_user[0].mean()),
        differences=differences,
        users=float(differences.var(ddof=1)) / len(differences),
        runs=np.array([values.mean(axis=1).var(ddof=1) / len(values) for values in by_run]),
        residuals=np.array([_residual_mean_square(values) / values.size for values in by_run]),
        runs_freedom=np.array([len(values) - 1 for values in by_run]),
    )


def upper_limits(squares: Values, freedom: Counts) -> Values:
    """Return the upper limits of mean squares, each of which has a χ² distribution about the true value.

    Parameters
    ----------
    squares : (M,) float64
        Mean squares.
    freedom : (M,) int64
        Their degrees of freedom.

    Returns
    -------
    (M,) float64
        At the confidence of `_UPPER_LIMIT`, one-sided.
    """
    from scipy.special import chdtri

    return np.asarray(squares * freedom / chdtri(freedom, _UPPER_LIMIT))


def _residual_mean_square(values: Values) -> float:
    """Return the mean square of what neither the user nor the run explains in values (S, T)."""
    runs, users = values.shape
    residuals = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((residuals**2).sum() / ((runs - 1) * (users - 1)))
