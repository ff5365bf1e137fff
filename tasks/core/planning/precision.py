"""Expected width of the interval of Δ for a number of seeds, from an earlier run of the same models (a pilot).

If a sample of the entities has lists, the widths are those for the drawn entities. Their sampling error, which more
seeds do not reduce, is not in them (`tasks.core.inference.sampling`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.comparison.endpoints import Endpoint
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.types import Counts, Values

LEAST_REPLICATES = 3
"""Runs of each model without which there is no jackknife."""
REPLICATES = (4, 6, 10, 20)
"""Numbers of seeds for which the half-width is shown."""
_MOST_REPLICATES = 1000
"""As many as a config can have."""


@dataclass(frozen=True)
class Precision:
    """What the interval of Δ of two models on one endpoint can be expected to show.

    Attributes
    ----------
    target : str
        Target of the endpoint.
    n : int
        Length of the lists.
    a, b : str
        Names of the models.
    margin : float
        The smallest Δ that matters.
    half_widths : dict of int to float, or None
        Number of seeds of each model -> expected half-width of the 95% interval of Δ, in units of overlap. None if the
        pilot shows no variation between seeds, from which no width follows.
    replicates_needed : int or None
        The fewest seeds whose expected half-width is at most the margin; None if 1,000 are too few, or without widths.
    """

    target: str
    n: int
    a: str
    b: str
    margin: float
    half_widths: dict[int, float] | None
    replicates_needed: int | None


@dataclass(frozen=True)
class RunVariance:
    """Variance of Δ that the runs of two models contribute.

    The overlap of two runs is a mean plus a term of each run plus a term of the pair. The terms of the runs contribute
    to the variance of Δ in proportion to 1/S (Hoeffding 1948: Δ is a two-sample U-statistic), those of the pairs in
    proportion to about 1/S². Close to Δ = 0 the terms of the pairs dominate.

    Attributes
    ----------
    of_runs : float
        Sum over both models of the variance of a run's term in Δ.
    of_pairs : float
        Variance of the terms of the pairs.
    """

    of_runs: float
    of_pairs: float

    def half_width(self, replicates: Counts) -> Values:
        """Return the expected half-width of the 95% interval for numbers of seeds (...), each at least 3.

        It is t·√V with S - 1 degrees of freedom. V is the expectation of the jackknife variance, in which the pairs
        within each model count twice as much as in the variance itself (Efron and Stein 1981):
        V = of_runs/S + 2·of_pairs/(S·(S - 2)) + 2·of_pairs/S².
        """
        from scipy.special import stdtrit

        variance = self.of_runs / replicates + self.of_pairs * _pair_weight(replicates)
        return np.asarray(stdtrit(replicates - 1, 0.975) * np.sqrt(variance))


def run_variance(overlap: Values) -> RunVariance:
    """Estimate the variance that runs contribute to Δ.

    Parameters
    ----------
    overlap : (2S, 2S) float64
        Overlap of every two runs: S runs of A, then S of B, S at least 3.

    Returns
    -------
    RunVariance
        `of_pairs` is the mean square of the residuals of the additive models of the three blocks (A, B, and between
        them). `of_runs` is what it leaves of the jackknife variance, times S, or 0 if it leaves nothing.
    """
    size = len(overlap) // 2
    between = overlap[:size, size:]
    within = overlap[:size, :size], overlap[size:, size:]
    residuals = between - between.mean(axis=1, keepdims=True) - between.mean(axis=0) + between.mean()
    squares, jackknife = float((residuals**2).sum()), 0.0
    for block, to_other in zip(within, (between.mean(axis=1), between.mean(axis=0)), strict=True):
        to_own = (block.sum(axis=1) - 1) / (size - 1)  # mean overlap with the other runs of the model
        # Δ without a run, up to a constant
        jackknife += (size - 1) * float(np.var(to_own / (size - 2) - to_other / (size - 1)))
        of_run = (to_own - to_own.mean()) * (size - 1) / (size - 2)
        residuals = block - to_own.mean() - of_run[:, None] - of_run
        squares += float((residuals[np.triu_indices(size, 1)] ** 2).sum())
    of_pairs = squares / (size * (size - 3) + (size - 1) ** 2)
    return RunVariance(max(jackknife - of_pairs * float(_pair_weight(np.array(size))), 0.0) * size, of_pairs)


def planned_precision(
    matrices: Sequence[Matrix], endpoints: Iterable[Endpoint], *, baseline: str, others: Sequence[str]
) -> list[Precision]:
    """Return the expected precision of the baseline against each other model on each endpoint of the family.

    Parameters
    ----------
    matrices : sequence of Matrix
        The run matrices of the pilot, one of each endpoint at least.
    endpoints : iterable of Endpoint
        Those of the experiment.
    baseline : str
        The baseline.
    others : sequence of str
        The other models.

    Returns
    -------
    list of Precision
        Of equally many runs of both models: the first ones of the model that has more.
    """
    by_endpoint = {(matrix.target, matrix.n): matrix for matrix in matrices}
    family = [endpoint for endpoint in endpoints if endpoint.family]
    return [
        _precision(by_endpoint[endpoint.target, endpoint.n], endpoint, baseline, other)
        for other in others
        for endpoint in family
    ]


def _precision(matrix: Matrix, endpoint: Endpoint, a: str, b: str) -> Precision:
    runs = [np.flatnonzero([model == name for model in matrix.models]) for name in (a, b)]
    size = min(map(len, runs))
    chosen = np.concatenate([positions[:size] for positions in runs])
    variance = run_variance(np.array(matrix.overlap)[np.ix_(chosen, chosen)])
    replicates = np.arange(LEAST_REPLICATES, _MOST_REPLICATES + 1)
    half_widths = variance.half_width(replicates)
    if half_widths[0] < 1e-9:  # not exactly 0 where the overlaps are rounded
        return Precision(endpoint.target, endpoint.n, a, b, endpoint.margin, None, None)
    enough = replicates[half_widths <= endpoint.margin]
    return Precision(
        endpoint.target,
        endpoint.n,
        a,
        b,
        endpoint.margin,
        {shown: float(half_widths[shown - LEAST_REPLICATES]) for shown in REPLICATES},
        int(enough[0]) if len(enough) else None,
    )


def _pair_weight(replicates: Counts) -> Values:
    return np.asarray(2 / (replicates * (replicates - 2)) + 2 / replicates**2)
