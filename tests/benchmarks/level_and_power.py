"""Level and power of the permutation test, by simulation: python tests/benchmarks/level_and_power.py [REPETITIONS]

Two models are trained with R seeds each on one data set of 60 users and 50 items, many times and always with new seeds.
Counted is how often a test on the first 5 neighbours of all users finds a difference at the level 0.05: the permutation
of run labels, which the verdict rests on, and for comparison the paired t test over users of a typical notebook, which
compares one run of each model with a second run of the first.
"""

import argparse
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
class Rejections:
    """How often each test had p <= LEVEL.

    `attainable_level` is the largest probability up to LEVEL that the discrete p of the permutation test can have under
    the null hypothesis.
    """

    repetitions: int
    permutation: int
    paired_t: int
    attainable_level: float


@cache
def small_data() -> csr_array:
    """Return a 60 x 50 matrix of rank 6 plus noise, of which the highest quarter of the cells is 1."""
    rng = np.random.default_rng(1)
    preferences = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 50)) + rng.normal(size=(60, 50))
    return csr_array((preferences > np.quantile(preferences, 0.75)).astype(np.float32))


def make_lists(config: AlsConfig, seed: int) -> Ids:
    """Train a model and return the first neighbours of every user."""
    return nearest(als.fit(small_data(), config, seed=seed).users, n=N).ids


def paired_t_p(first_a: Ids, second_a: Ids, first_b: Ids) -> float:
    """Return p of the paired t test over users: overlap of two runs of A, minus overlap of a run of A and one of B."""
    within, between = Pair.of(first_a, second_a), Pair.of(first_a, first_b)
    differences = [
        within.of_entity(user).at(N).overlap - between.of_entity(user).at(N).overlap for user in range(len(first_a))
    ]
    return float(stats.ttest_1samp(differences, 0).pvalue) if np.ptp(differences) else 1.0


def simulate(a: AlsConfig, b: AlsConfig, *, replicates: int, repetitions: int, seed: int = 0) -> Rejections:
    """Count how often each test rejects the hypothesis that models A and B give the same lists."""
    labels = np.repeat([False, True], replicates)
    permutation_rejections = paired_t_rejections = splits = 0
    for repetition in range(repetitions):
        seeds = np.random.SeedSequence([seed, repetition]).generate_state(2 * replicates) & 0x7FFFFFFF
        runs = [make_lists(b if of_b else a, int(run_seed)) for of_b, run_seed in zip(labels, seeds, strict=True)]
        result = permutation_test(overlap_counts(runs, N), labels, seed=repetition)
        splits = result.splits
        permutation_rejections += result.p <= LEVEL
        paired_t_rejections += paired_t_p(runs[0], runs[1], runs[replicates]) <= LEVEL
    attainable_level = float(np.floor(LEVEL * splits) / splits)
    return Rejections(repetitions, int(permutation_rejections), int(paired_t_rejections), attainable_level)


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    print("| A | B | seeds per model | repetitions | attainable level | permutation of run labels | paired t test |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    a = AlsConfig(factors=4, iterations=5)
    for factors in (4, 5, 8):
        b = AlsConfig(factors=factors, iterations=5)
        names = [f"k={config.factors}, {config.iterations} iterations" for config in (a, b)]
        for replicates in (4, 6):
            counts = simulate(a, b, replicates=replicates, repetitions=repetitions)
            rates = (counts.attainable_level, counts.permutation / repetitions, counts.paired_t / repetitions)
            cells = [*names, replicates, repetitions, *(f"{rate:.3f}" for rate in rates)]
            print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
