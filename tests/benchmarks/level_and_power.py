"""Does the test keep its level, and does it find what is there? python tests/benchmarks/level_and_power.py

Small ALS fits, all of them fresh: two models with R seeds each on one data set of 60 users and 50 items, many times.
The verdict's permutation of run labels is asked about all users' first 5 neighbours, and beside it the test that
notebooks reach for: one run of each model against a second run of the first, paired over the users.
"""

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from scipy.sparse import csr_array

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.inference.permutation import permutation_test
from tasks.core.models import als
from tasks.core.ranking.neighbours import nearest
from tasks.core.types import Ids

N, LEVEL = 5, 0.05


@dataclass(frozen=True)
class Rates:
    """How often p was at most .05; `attainable` is the share that a discrete p may reach under the null."""

    a: str
    b: str
    replicates: int
    repetitions: int
    permutation: int
    naive: int
    attainable: float


@cache
def data() -> csr_array:
    """60 x 50, a quarter filled, of rank 6 and noise."""
    rng = np.random.default_rng(1)
    taste = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 50)) + rng.normal(size=(60, 50))
    return csr_array((taste > np.quantile(taste, 0.75)).astype(np.float32))


def lists(config: AlsConfig, seed: int) -> Ids:
    """The first neighbours of every user after a fresh fit."""
    return nearest(als.fit(data(), config, seed=seed).users, n=N).ids


def naive(first: Ids, second: Ids, other: Ids) -> float:
    """p of the paired t test over users: overlap of two runs of A less that of a run of A and one of B."""
    within, between = Pair.of(first, second), Pair.of(first, other)
    each = range(len(first))
    differences = [within.of_entity(user).at(N).overlap - between.of_entity(user).at(N).overlap for user in each]
    return float(stats.ttest_1samp(differences, 0).pvalue) if np.ptp(differences) else 1.0


def simulate(a: AlsConfig, b: AlsConfig, *, replicates: int, repetitions: int, seed: int = 0) -> Rates:
    """Count rejections of "a and b list alike"."""
    labels = np.repeat([False, True], replicates)
    hits = naive_hits = 0
    splits = 0
    for repetition in range(repetitions):
        seeds = np.random.SeedSequence([seed, repetition]).generate_state(2 * replicates) & 0x7FFFFFFF
        runs = [lists(b if of_b else a, int(chosen)) for of_b, chosen in zip(labels, seeds, strict=True)]
        found = permutation_test(overlap_counts(runs, N), labels, seed=repetition)
        splits = found.splits
        hits += found.p <= LEVEL
        naive_hits += naive(runs[0], runs[1], runs[replicates]) <= LEVEL
    attainable = np.floor(LEVEL * splits) / splits
    names = [f"k={config.factors}, {config.iterations} iterations" for config in (a, b)]
    return Rates(*names, replicates, repetitions, hits, naive_hits, float(attainable))


def main() -> None:
    """Print the table of docs/verdict.md."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    small = AlsConfig(factors=4, iterations=5)
    others = (small, AlsConfig(factors=5, iterations=5), AlsConfig(factors=8, iterations=5))
    print("| A | B | seeds a model | repetitions | attainable level | run labels permuted | paired t over users |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for other in others:
        for replicates in (4, 6):
            found = simulate(small, other, replicates=replicates, repetitions=repetitions)
            rates = (found.attainable, found.permutation / repetitions, found.naive / repetitions)
            cells = [found.a, found.b, replicates, repetitions, *(f"{rate:.3f}" for rate in rates)]
            print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
