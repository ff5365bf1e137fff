"""Level of a test that is repeated with more seeds, by simulation: python tests/benchmarks/repeated_looks.py [REPS]

Two models are the same: for each of 60 users, a run ranks 30 candidates by a fixed score plus Gumbel noise of its own
and lists the first 5. Both models get seeds in steps, and every step tests the lists of all users at the level .05, as
the verdict does. Somebody who stops at the first significant test rejects if any of the tests does. Printed for each
number of looks: the level of the first looks of 4, 5, 6, 8, 10, and the highest level of all schedules of that many
looks at 4 to 20 seeds. `tasks.core.inference.repeated_looks.LEVELS` holds the highest ones, rounded up to a percent.
"""

import argparse
from itertools import combinations

import numpy as np

from tasks.core.inference.multiplicity import LEVEL
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts_by_entity
from tasks.core.inference.permutation import permutation_p_by_entity
from tasks.core.types import Mask

USUAL = (4, 5, 6, 8, 10)
SEEDS = (*USUAL, 12, 16, 20)
USERS, CANDIDATES, N = 60, 30, 5


def draw_overlaps(repetitions: int, runs: int, *, seed: int = 0) -> Overlaps:
    """Draw lists of the same model, and return the overlaps of every two runs: counts (repetitions, runs, runs)."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((repetitions, runs, runs), dtype=np.int64)
    for scores in 2 * rng.normal(size=(USERS, CANDIDATES)):
        perturbed = scores + rng.gumbel(size=(runs, repetitions, CANDIDATES))
        lists = np.argsort(-perturbed, axis=2)[:, :, :N].astype(np.int32)
        counts += overlap_counts_by_entity(list(lists), N).counts  # each repetition in place of an entity
    return Overlaps(counts, N * USERS, N)


def rejections(repetitions: int, seeds: tuple[int, ...] = SEEDS) -> dict[int, Mask]:
    """Return number of seeds -> whether the test of each repetition rejects; more seeds include the fewer."""
    most = max(seeds)
    overlaps = draw_overlaps(repetitions, 2 * most)
    rejected = {}
    for replicates in seeds:
        chosen = overlaps.of_runs([*range(replicates), *range(most, most + replicates)])
        labels = np.repeat([False, True], replicates)
        rejected[replicates] = permutation_p_by_entity(chosen, labels, seed=replicates) <= LEVEL
    return rejected


def level(rejected: dict[int, Mask], schedule: tuple[int, ...]) -> float:
    """Return how often one of the looks of a schedule rejects."""
    return float(np.any([rejected[replicates] for replicates in schedule], axis=0).mean())


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=10_000)
    rejected = rejections(parser.parse_args().repetitions)
    print("| looks | seeds per model | level | highest level | at seeds |")
    print("| --- | --- | --- | --- | --- |")
    for looks in (1, 2, 3, 4, 5, len(SEEDS)):
        usual = USUAL[:looks] if looks <= len(USUAL) else SEEDS
        highest = max(combinations(SEEDS, looks), key=lambda schedule: level(rejected, schedule))
        names = [", ".join(map(str, schedule)) for schedule in (usual, highest)]
        print(
            f"| {looks} | {names[0]} | {level(rejected, usual):.3f} | {level(rejected, highest):.3f} | {names[1]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
