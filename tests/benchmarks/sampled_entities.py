"""Intervals of sampled entities, by simulation: python -m tests.benchmarks.sampled_entities [--repetitions 1000]

A population has 2,000 users, whose lists have n = 5 slots. In each slot a run lists one of two candidates: the first
with probability p under model A and q under model B, so that Δ of a user is the mean of (p - q)² over the slots. It
varies between users. The slots of a run have a normal variable in common, which is 1% of their variance. Each
repetition draws new runs and a new sample of users, and estimates Δ of the population. The margin is that Δ: every
claim that Δ is above or below it is wrong. "Without" are the intervals that ignore the sample. Each share has the
standard error √(share (1 - share) / repetitions).
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from itertools import product

import numpy as np
from scipy import stats

from tasks.core.inference.jackknife import Uncertainty, jackknife
from tasks.core.inference.sampling import sampled_overlaps
from tasks.core.types import Counts, Ids
from tests.benchmarks.measuring import argument_parser, table_head, table_row
from tests.benchmarks.verdict_errors import Probabilities

USERS, N = 2000, 5
SEEDS = (4, 6, 10)
"""Seeds per model."""
SAMPLES = (50, 200, 1000)
SHARED = 0.01
"""Share of a slot's variance that all slots of a run have in common."""


@dataclass(frozen=True)
class Population(Probabilities):
    """All users.

    Attributes
    ----------
    p, q : (U, n) float64
    """

    def draw(self, rng: np.random.Generator, users: Counts, seeds: int) -> list[Ids]:
        """Return the lists (E, n) of the drawn users in new runs: of A, then of B."""
        levels = np.repeat(stats.norm.ppf([self.p[users], self.q[users]]), seeds, axis=0)  # (R, E, n)
        own = rng.standard_normal(levels.shape, dtype=np.float32)
        common = rng.standard_normal((2 * seeds, 1, 1))
        first = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own < levels
        return list((2 * np.arange(N) + first).astype(np.int32))


def populations() -> dict[str, Population]:
    """Return populations whose users have one Δ or many, or of which few users have any."""
    rng = np.random.default_rng(20)
    p = rng.uniform(0.05, 0.5, (USERS, N))
    share = rng.beta(0.5, 1.5, (USERS, 1))
    few = np.zeros((USERS, 1))
    few[: USERS // 50] = 1
    return {
        "one Δ": Population(p, p + 0.3),
        "Δ varies": Population(p, p + np.sqrt(share) * (0.95 - p)),
        "Δ of 1 user in 50": Population(p / 10, p / 10 + few * (0.95 - p / 10)),
    }


@dataclass(frozen=True)
class Shares:
    """Shares of the repetitions.

    Attributes
    ----------
    covered, rho_covered : float
        The 95% interval of Δ, or of ρ where there is one, holds the population's.
    above, below : float
        A false claim about the margin, at the levels .025 and .05.
    width : float
        Mean width of the 95% interval of Δ.
    """

    covered: float
    above: float
    below: float
    width: float
    rho_covered: float


def uncertainties(population: Population, *, seeds: int, drawn: int, repetitions: int) -> Iterator[Uncertainty]:
    """Yield the uncertainty of each repetition."""
    rng = np.random.default_rng([seeds, drawn])
    labels = np.repeat([False, True], seeds)
    for _ in range(repetitions):
        users = rng.choice(USERS, drawn, replace=False)
        lists = population.draw(rng, users, seeds)
        overlaps, covariance = sampled_overlaps(lists, N, sizes=(seeds, seeds), population=USERS)
        yield replace(jackknife(overlaps, labels), sampling=covariance.of_pair(0, 1))


def simulate(population: Population, *, seeds: int, drawn: int, repetitions: int) -> tuple[Shares, Shares]:
    """Return the shares without and with the sampling errors."""
    rows: tuple[list[tuple[float, ...]], list[tuple[float, ...]]] = [], []
    for with_sample in uncertainties(population, seeds=seeds, drawn=drawn, repetitions=repetitions):
        for of_kind, uncertainty in zip(rows, (replace(with_sample, sampling=None), with_sample), strict=True):
            of_kind.append(_outcome(uncertainty, population.delta, population.rho))
    without, included = (Shares(*np.nanmean(np.array(of_kind), axis=0).tolist()) for of_kind in rows)
    return without, included


def _outcome(uncertainty: Uncertainty, delta: float, rho: float) -> tuple[float, ...]:
    """Return the values of one repetition whose means are `Shares`; nan for what there is no interval of."""
    of_rho = uncertainty.rho_limits(0.95)
    rho_covered = np.nan if of_rho is None else of_rho.low <= rho <= of_rho.high
    wide, narrow = uncertainty.limits(0.95), uncertainty.limits(0.90)
    if wide is None or narrow is None:  # unlimited, which holds every Δ and claims nothing
        return True, False, False, np.nan, rho_covered
    return wide.low <= delta <= wide.high, wide.low > delta, narrow.high < delta, wide.high - wide.low, rho_covered


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argument_parser(__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    columns = [
        f"{what}: {kind}" for what in ("interval of Δ", "false above", "false below") for kind in ("without", "with")
    ]
    print(table_head("users", "drawn", "seeds", *columns, "width: without", "with", "interval of ρ: without", "with"))
    for (name, population), drawn, seeds in product(populations().items(), SAMPLES, SEEDS):
        without, included = simulate(population, seeds=seeds, drawn=drawn, repetitions=repetitions)
        pairs = zip(astuple(without), astuple(included), strict=True)
        print(table_row(name, drawn, seeds, *(f"{share:.3f}" for pair in pairs for share in pair)), flush=True)


if __name__ == "__main__":
    main()
