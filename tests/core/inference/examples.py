"""Lists of runs for the tests of inference, and Δ and p computed from their definitions in rational numbers."""

from fractions import Fraction
from itertools import combinations, product
from math import inf

import numpy as np

# One entity's lists in six runs, three of A and three of B, and the entries that every two of them share.
SIX = [[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 4, 6], [1, 7, 8, 9], [1, 7, 8, 2], [7, 8, 9, 3]]
SIX_LABELS = np.array([False, False, False, True, True, True])
SIX_COUNTS = [
    [4, 3, 3, 1, 2, 1],
    [3, 4, 2, 1, 2, 1],
    [3, 2, 4, 1, 2, 0],
    [1, 1, 1, 4, 3, 3],
    [2, 2, 2, 3, 4, 2],
    [1, 1, 0, 3, 2, 4],
]


def runs_of(*entities):
    """For each entity its lists, one a run -> for each run its lists (E, n)."""
    return [np.array(run, dtype=np.int32) for run in zip(*entities, strict=True)]


def halves(a, b):
    """Labels of a runs of A followed by b runs of B."""
    return np.arange(a + b) >= a


def random_runs(rng, runs, *, entities, n, candidates):
    """Runs whose lists are n random candidates."""
    order = np.argsort(rng.random((runs, entities, candidates)), axis=2)
    return list(order[:, :, :n].astype(np.int32))


def exact_delta(counts, denominator, labels):
    """Δ by its definition."""

    def mean(pairs):
        overlaps = [Fraction(int(counts[r][s]), denominator) for r, s in pairs]
        return sum(overlaps) / len(overlaps)

    a, b = np.flatnonzero(~labels), np.flatnonzero(labels)
    return (mean(combinations(a, 2)) + mean(combinations(b, 2))) / 2 - mean(product(a, b))


def exact_studentised_delta(counts, denominator, labels):
    """Δ·|Δ| divided by the jackknife variance of Δ by its definition, which orders splits as Δ divided by its root.

    A group of two has no pair once a run is left out; its overlap within then counts as unchanged.
    """

    def mean(pairs):
        overlaps = [Fraction(int(counts[r][s]), denominator) for r, s in pairs]
        return sum(overlaps) / len(overlaps)

    groups = [list(np.flatnonzero(labels == group)) for group in (False, True)]
    variance = Fraction(0)
    for group, other in (groups, groups[::-1]):
        without = []
        for run in group:
            rest = [member for member in group if member != run]
            within = mean(combinations(rest if len(rest) > 1 else group, 2))
            without.append((within + mean(combinations(other, 2))) / 2 - mean(product(rest, other)))
        center = sum(without) / len(without)
        variance += Fraction(len(group) - 1, len(group)) * sum((delta - center) ** 2 for delta in without)
    delta = exact_delta(counts, denominator, labels)
    if not variance:
        return inf * int(np.sign(delta)) if delta else 0
    return delta * abs(delta) / variance


def exact_p(counts, denominator, labels):
    """The share of all choices of the runs of A whose statistic is at least the observed one."""
    runs, runs_of_a = len(labels), int((~labels).sum())
    statistic = exact_delta if 2 * runs_of_a == runs else exact_studentised_delta
    observed = statistic(counts, denominator, labels)
    at_least = []
    for group in combinations(range(runs), runs_of_a):
        split = np.ones(runs, dtype=bool)
        split[list(group)] = False
        at_least.append(statistic(counts, denominator, split) >= observed)
    return sum(at_least) / len(at_least)
