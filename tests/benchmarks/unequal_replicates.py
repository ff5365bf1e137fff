"""Level and power with unequal numbers of runs: python -m tests.benchmarks.unequal_replicates [REPETITIONS]

Every user has 10 candidates, and a run lists the 5 with the highest score: preference plus Gumbel noise. In some models
all users of a run have the same noise, so that their lists move together. In others every user has noise of its own.
The probability of a candidate to enter a list is the same, so Δ is 0 between two such models, but the overlap of two
runs, averaged over users, varies much more in the first. Power is simulated with other preferences in model B.

Compared are four permutation tests at the level 0.05: of Δ; of the pseudo-F of Alekseyenko (2016) on the squared
distances 1 - O, which is W = 1 + 2Δ/V with V = (1 - O_AA)/S_A + (1 - O_BB)/S_B; of the project, which is Δ divided by
its jackknife standard error if the numbers of runs differ; and of Δ on equally many runs, the first of each model.
"""

import argparse
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.inference.permutation import permutation_p_by_entity
from tasks.core.inference.split_statistics import scaled_deltas
from tasks.core.types import Mask, Values
from tests.benchmarks.measuring import table_head, table_row

N, CANDIDATES, LEVEL = 5, 10, 0.05
DESIGNS = ((4, 10), (10, 4), (5, 8), (6, 6))
BLOCK = 100
"""Repetitions that are drawn at a time."""


@dataclass(frozen=True)
class Models:
    """Two models of lists.

    Attributes
    ----------
    name : str
    users : int
    together_a, together_b : bool
        Whether all users of a run have the same noise.
    changed : float
        Share of the users who have other preferences in B. With 0, Δ is 0 in expectation.
    spread : float
        Difference between the largest and the smallest preference of a user.
    """

    name: str
    users: int
    together_a: bool
    together_b: bool
    changed: float = 0.0
    spread: float = 0.0


MODELS = (
    Models("Δ = 0; users move together in A only", 30, True, False),
    Models("Δ = 0; users move together in A only", 300, True, False),
    Models("Δ = 0; users move together in neither", 30, False, False),
    Models("Δ > 0 in a tenth of the users; together in neither", 30, False, False, changed=0.1, spread=4.0),
    Models("Δ > 0 in all users; together in A only", 30, True, False, changed=1.0, spread=4.0),
)


def draw_overlaps(models: Models, a: int, b: int, *, repetitions: int, rng: np.random.Generator) -> Overlaps:
    """Draw the lists of `a` runs of A and `b` runs of B, and count their overlaps, (repetitions, a + b, a + b)."""
    counts = []
    preferences = np.linspace(models.spread / 2, -models.spread / 2, CANDIDATES)
    changed = np.arange(models.users) < round(models.changed * models.users)
    of_b = np.where(changed[:, None], np.roll(preferences, 1), preferences)  # (U, candidates)
    for start in range(0, repetitions, BLOCK):
        size = min(BLOCK, repetitions - start)
        listed = np.zeros((size, a + b, models.users, CANDIDATES), dtype=np.float32)
        for runs, group, together, preference in (
            (a, slice(None, a), models.together_a, preferences),
            (b, slice(a, None), models.together_b, of_b),
        ):
            noise = rng.gumbel(size=(size, runs, 1 if together else models.users, CANDIDATES))
            best = np.argpartition(preference + noise, -N, axis=-1)[..., -N:]
            np.put_along_axis(listed[:, group], np.broadcast_to(best, (size, runs, models.users, N)), 1, axis=-1)
        flat = listed.reshape(size, a + b, -1)
        counts.append((flat @ flat.transpose(0, 2, 1)).astype(np.int64))
    return Overlaps(np.concatenate(counts), N * models.users, N)


def all_splits(a: int, b: int) -> Mask:
    """Return all labels of `a` runs of A and `b` of B, the first `a` runs first: (M, a + b) bool."""
    return np.array([~np.isin(range(a + b), group) for group in combinations(range(a + b), a)])


def p_of_delta(overlaps: Overlaps, a: int, b: int) -> Values:
    """Return p of the permutation test of Δ for each matrix, (E,)."""
    deltas = scaled_deltas(overlaps.counts, all_splits(a, b))
    return np.asarray((deltas >= deltas[0]).mean(axis=0))


def p_of_pseudo_f(overlaps: Overlaps, a: int, b: int) -> Values:
    """Return p of the permutation test of the pseudo-F for each matrix, (E,)."""
    splits = all_splits(a, b)
    first, second = np.triu_indices(a + b, 1)
    distances = 1 - overlaps.counts[:, first, second].T / overlaps.denominator  # (P, E)
    in_b = splits[:, first].astype(int) + splits[:, second]  # (M, P)
    within_a, within_b = ((in_b == value) @ distances / (size * (size - 1) / 2) for value, size in ((0, a), (2, b)))
    statistics = ((in_b == 1) @ distances / (a * b) - (within_a + within_b) / 2) / (within_a / a + within_b / b)
    return np.asarray((statistics >= statistics[0] - 1e-12 * abs(statistics[0])).mean(axis=0))


def rejection_rates(models: Models, a: int, b: int, *, repetitions: int, seed: int = 0) -> dict[str, float]:
    """Return how often each test has p ≤ LEVEL, as a share of the repetitions."""
    overlaps = draw_overlaps(models, a, b, repetitions=repetitions, rng=np.random.default_rng([seed, a, b]))
    labels, fewer = np.arange(a + b) >= a, min(a, b)
    first_runs = overlaps.of_runs([*range(fewer), *range(a, a + fewer)])
    p_values = {
        "Δ": p_of_delta(overlaps, a, b),
        "pseudo-F": p_of_pseudo_f(overlaps, a, b),
        "project": permutation_p_by_entity(overlaps, labels, seed=0),
        "Δ, equally many runs": permutation_p_by_entity(first_runs, np.arange(2 * fewer) >= fewer, seed=0),
    }
    # p is a count over a count of splits: the tolerance only absorbs the rounding of this quotient.
    return {name: float((p <= LEVEL + 1e-12).mean()) for name, p in p_values.items()}


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=4000)
    repetitions = parser.parse_args().repetitions
    for models in MODELS:
        for a, b in DESIGNS:
            rates = rejection_rates(models, a, b, repetitions=repetitions)
            if models is MODELS[0] and (a, b) == DESIGNS[0]:
                print(table_head("models", "users", "runs of A, B", *rates))
            cells = [f"{rate:.3f} ± {sqrt(rate * (1 - rate) / repetitions):.3f}" for rate in rates.values()]
            print(table_row(models.name, models.users, f"{a}, {b}", *cells), flush=True)


if __name__ == "__main__":
    main()
