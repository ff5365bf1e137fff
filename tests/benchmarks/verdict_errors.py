"""Errors of the verdict, by simulation with known Δ: python tests/benchmarks/verdict_errors.py [--repetitions 2000]

A run's list has n slots. In each slot the run lists one of two candidates: the first with probability p under model A
and q under model B, so that Δ is the mean of (p - q)² over the slots. The slots of a run have a normal variable in
common, which is a share of their variance. A family has single lists (n = 5, margin .2) and means over 40 lists (n = 5
or 10, margin .1).

"Before" is the former rule: 95% and 90% intervals with S_A + S_B - 2 degrees of freedom, not adjusted for the number of
endpoints. Each share has the standard error √(share (1 - share) / repetitions).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from scipy import stats

from tasks.core.comparison.verdict import Claims, Verdict, judge
from tasks.core.inference.effect import effect
from tasks.core.inference.jackknife import Uncertainty, jackknife
from tasks.core.inference.multiplicity import holm
from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.inference.permutation import permutation_p_by_entity, smallest_p
from tasks.core.types import Values

SEEDS = (4, 6, 10)
"""Seeds per model."""
SHARED = 0.05
"""Usual share of a slot's variance that all slots of the run have in common. It is smaller in ALS on MovieLens 100K."""


@dataclass(frozen=True)
class Probabilities:
    """The probabilities of the first candidate of each slot under both models; a slot has two candidates.

    Attributes
    ----------
    p, q : equal shapes, float64
    """

    p: Values
    q: Values

    @property
    def delta(self) -> float:
        """The true Δ."""
        return float(((self.p - self.q) ** 2).mean())

    @property
    def rho(self) -> float:
        """The true ρ."""
        within_a, within_b = ((x * x + (1 - x) ** 2).mean() for x in (self.p, self.q))
        between = (self.p * self.q + (1 - self.p) * (1 - self.q)).mean()
        return float(between / np.sqrt(within_a * within_b))


@dataclass(frozen=True)
class Lists(Probabilities):
    """An endpoint.

    Attributes
    ----------
    p, q : (entities * n,) float64
    n : int
    margin : float
    shared : float
        See `SHARED`.
    """

    n: int
    margin: float
    shared: float = SHARED

    def draw(self, rng: np.random.Generator, shared: Values, seeds: int) -> Overlaps:
        """Return the overlaps (repetitions, R, R) of runs that share the variables `shared` (repetitions, R)."""
        repetitions, runs = shared.shape
        counts = np.empty((repetitions, runs, runs), dtype=np.int64)
        levels = np.repeat([stats.norm.ppf(self.p), stats.norm.ppf(self.q)], seeds, axis=0)  # (R, slots)
        for repetition in range(repetitions):
            own = rng.standard_normal((runs, len(self.p)), dtype=np.float32)
            common = np.sqrt(self.shared) * shared[repetition][:, None]
            first = common + np.sqrt(1 - self.shared) * own < levels
            signs = np.where(first, 1, -1).astype(np.float32)
            counts[repetition] = ((signs @ signs.T + len(self.p)) / 2).round()
        return Overlaps(counts, len(self.p), self.n)


def family(
    rng: np.random.Generator, singles: int, *, lowest: float, highest: float, scale: float = 1, shared: float = SHARED
) -> list[Lists]:
    """Return single lists and three means, whose p lie between two values and whose Δ is `scale` times the margin."""
    endpoints = []
    for entities, n, margin in [(1, 5, 0.2)] * singles + [(40, 5, 0.1), (40, 5, 0.1), (40, 10, 0.1)]:
        p = rng.uniform(lowest, highest, entities * n)
        endpoints.append(Lists(p, p + np.sqrt(scale * margin), n, margin, shared))
    return endpoints


def nearly_constant(rng: np.random.Generator, singles: int) -> list[Lists]:
    """Return single lists that hardly vary, of which the models exchange one entry; the margin is Δ."""
    endpoints = []
    for _ in range(singles):
        p, q = rng.uniform(0.005, 0.04, (2, 5))
        q[0] = 1 - q[0]
        endpoints.append(Lists(p, q, 5, float(((p - q) ** 2).mean())))
    return endpoints


def false_differences(endpoints: Sequence[Lists], seeds: int, repetitions: int) -> float:
    """Return the share of families in which a difference is claimed at one endpoint or more."""
    rng = np.random.default_rng([seeds, len(endpoints)])
    labels = np.repeat([False, True], seeds)
    shared = rng.standard_normal((repetitions, 2 * seeds))
    p = [permutation_p_by_entity(endpoint.draw(rng, shared, seeds), labels, seed=0) for endpoint in endpoints]
    return float(np.mean([holm(of_family).min() <= 0.05 for of_family in np.transpose(p)]))


@dataclass(frozen=True)
class Shares:
    """Shares of the families in which something happened at one endpoint or more.

    Attributes
    ----------
    above, below : (before, after)
        A claim about the margin.
    covered : (each, all)
        Mean share of 95% intervals that hold Δ, and share of families whose simultaneous intervals all do.
    rho_covered : float
        Mean share of 95% intervals of ρ that hold ρ, of those that exist.
    width : float
        Mean width of the simultaneous intervals.
    """

    above: tuple[float, float]
    below: tuple[float, float]
    covered: tuple[float, float]
    rho_covered: float
    width: float


def simulate(endpoints: Sequence[Lists], seeds: int, repetitions: int) -> Shares:
    """Draw families of runs, and count claims about the margin before and after their adjustment.

    A claim counts whether or not a difference is significant: the shares are upper bounds.
    """
    rng = np.random.default_rng([seeds, len(endpoints)])
    labels = np.repeat([False, True], seeds)
    shared = rng.standard_normal((repetitions, 2 * seeds))
    shape = repetitions, len(endpoints)
    p_above, p_below, covered, widths = np.empty(shape), np.empty(shape), np.empty((2, *shape)), np.empty(shape)
    before = np.empty((2, *shape), dtype=bool)
    of_rho = []
    for position, endpoint in enumerate(endpoints):
        overlaps = endpoint.draw(rng, shared, seeds)
        for repetition in range(repetitions):
            at = repetition, position
            uncertainty = jackknife(overlaps.of_entity(repetition), labels)
            margin, delta = endpoint.margin, endpoint.delta
            p_above[at], p_below[at] = uncertainty.p_at_most(margin), uncertainty.p_at_least(margin)
            before[:, *at] = former_claims(uncertainty, margin, 2 * seeds - 2)
            each, simultaneous = (uncertainty.limits(1 - 0.05 / tests) for tests in (1, len(endpoints)))
            covered[:, *at] = [part is None or part.low <= delta <= part.high for part in (each, simultaneous)]
            widths[at] = np.nan if simultaneous is None else simultaneous.high - simultaneous.low
            if (of_ratio := uncertainty.rho_limits(0.95)) is not None:
                of_rho.append(of_ratio.low <= endpoint.rho <= of_ratio.high)

    def anywhere(p: Values, level: float) -> float:
        return float(np.mean([holm(of_family).min() <= level for of_family in p]))

    return Shares(
        (float(before[0].any(axis=1).mean()), anywhere(p_above, 0.025)),
        (float(before[1].any(axis=1).mean()), anywhere(p_below, 0.05)),
        (float(covered[0].mean()), float(covered[1].all(axis=1).mean())),
        float(np.mean(of_rho)) if of_rho else np.nan,
        float(np.nanmean(widths)),
    )


def former_claims(uncertainty: Uncertainty, margin: float, degrees_of_freedom: int) -> tuple[bool, bool]:
    """Return whether the former intervals lie above and below the margin."""
    if not uncertainty.estimates:
        if not uncertainty.steady:
            return False, False
        return uncertainty.steady.p_at_most(margin) <= 0.025, uncertainty.steady.p_at_least(margin) <= 0.05
    estimate = uncertainty.estimates[0]
    high, low = stats.t.ppf([0.975, 0.95], degrees_of_freedom) * estimate.standard_error
    return estimate.value - high > margin, estimate.value + low < margin


def noisy_lists(seeds: int, repetitions: int) -> dict[Verdict, int]:
    """Count the verdicts on single lists with no candidate in common that are each drawn from 40 candidates."""
    rng = np.random.default_rng(seeds)
    labels = np.repeat([False, True], seeds)
    verdicts = dict.fromkeys(Verdict, 0)
    order = np.argsort(rng.random((repetitions, 2 * seeds, 40)), axis=2)[:, :, :5]
    order[:, seeds:] += 40
    listed = np.zeros((repetitions, 2 * seeds, 80), dtype=np.float32)
    np.put_along_axis(listed, order, 1, axis=2)
    overlaps = Overlaps((listed @ listed.transpose(0, 2, 1)).astype(np.int64), 5, 5)
    p = permutation_p_by_entity(overlaps, labels, seed=0)
    for repetition in range(repetitions):
        own = overlaps.of_entity(repetition)
        uncertainty = jackknife(own, labels)
        claims = Claims(
            p[repetition], uncertainty.p_at_most(0.2), uncertainty.p_at_least(0.2), smallest_p(seeds, seeds)
        )
        verdicts[judge(claims, ceiling=effect(own, labels).ceiling, margin=0.2)] += 1
    return verdicts


def print_shares(name: str, endpoints: Sequence[Lists], seeds: int, repetitions: int) -> None:
    """Print a row of the table of margins."""
    shares = simulate(endpoints, seeds, repetitions)
    rates = (*shares.above, *shares.below, *shares.covered, shares.width, shares.rho_covered)
    print(f"| {name} | {seeds} |", " | ".join(f"{rate:.3f}" for rate in rates), "|", flush=True)


def main() -> None:
    """Print the tables of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    repetitions = parser.parse_args().repetitions
    rng = np.random.default_rng(19)
    singles = {4: 1, 8: 5}
    print("| a model against itself | seeds | a false difference anywhere |")
    print("| --- | --- | --- |")
    for size, seeds in product(singles, SEEDS):
        endpoints = family(rng, singles[size], lowest=0.1, highest=0.9, scale=0)
        print(f"| {size} endpoints | {seeds} | {false_differences(endpoints, seeds, repetitions):.3f} |", flush=True)
    print("\n| Δ at the margin | seeds | false above: before | after | false below: before | after |", end="")
    print(" each 95% interval | all simultaneous intervals | their mean width | ρ |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    kinds = {
        "both vary": partial(family, lowest=0.1, highest=0.5),
        "one varies less": partial(family, lowest=0.35, highest=0.5),
        "both vary, 0.3 in common": partial(family, lowest=0.1, highest=0.5, shared=0.3),
        "one nearly constant": partial(family, lowest=0.005, highest=0.04),
    }
    for (kind, make), size, seeds in product(kinds.items(), singles, SEEDS):
        print_shares(f"{kind}, {size} endpoints", make(rng, singles[size]), seeds, repetitions)
    for size, seeds in product((1, 4), SEEDS):
        print_shares(f"both nearly constant, single lists, {size}", nearly_constant(rng, size), seeds, repetitions)
    print("\n| lists drawn from two disjoint sets of 40 candidates |", " | ".join(Verdict), "|")
    print("| --- |", " | ".join("---" for _ in Verdict), "|")
    for seeds in (6, 10):
        counts = noisy_lists(seeds, repetitions)
        print(f"| {seeds} seeds |", " | ".join(f"{counts[verdict] / repetitions:.3f}" for verdict in Verdict), "|")


if __name__ == "__main__":
    main()
