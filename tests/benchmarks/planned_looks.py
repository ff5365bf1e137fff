"""Level of planned and of unplanned looks, and the seeds that planned looks save, by simulation.

    python tests/benchmarks/planned_looks.py [REPETITIONS]

Two models have one endpoint, the lists of 20 users, or four: the list of one user, which is the primary endpoint, and
the lists of 20 users, 20 items and 20 recommendations. Each list has 40 candidates, whose scores are fixed for a model.
A run adds a Gumbel-distributed error of its own to every score and lists the best five. The scores of model B are those
of A plus a shift times a normal deviate. A shift of 0 makes a model that is compared with itself.

A difference counts as found once the p of an endpoint, after Holm's adjustment over the endpoints, is at most the level
of a look. Planned looks stop at the first look at which that is so for the primary endpoint. The column "any" counts
repetitions with a difference on any endpoint at any look: no rule for stopping can find more.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.inference.effect import delta_by_entity
from tasks.core.inference.multiplicity import LEVEL, holm
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts
from tasks.core.inference.permutation import permutation_p_by_entity
from tasks.core.inference.sequential import plan_looks
from tasks.core.types import Mask, Values

ENTITIES = {1: (20,), 4: (1, 20, 20, 20)}
"""Number of endpoints -> lists in each, the primary endpoint first."""
CANDIDATES, N = 40, 5
PLANNED, UNPLANNED = (6, 8, 12), (4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Found:
    """In which repetitions a difference is found at which look.

    Attributes
    ----------
    primary, anywhere : (M, looks) bool
        On the primary endpoint, and on any endpoint, of M repetitions.
    replicates : tuple of int
        Of each look.
    delta : float
        Mean Δ of the primary endpoint at the last look.
    """

    primary: Mask
    anywhere: Mask
    replicates: tuple[int, ...]
    delta: float

    @property
    def seeds(self) -> float:
        """Mean number of seeds for each model, if training stops once the primary endpoint is found to differ."""
        stops = np.where(self.primary.any(axis=1), self.primary.argmax(axis=1), len(self.replicates) - 1)
        return float(np.asarray(self.replicates)[stops].mean())


def overlaps(repetitions: int, replicates: int, endpoints: int, shift: float, seed: int) -> list[Overlaps]:
    """Draw the overlaps of every two runs of A and B, the runs of A first: (M, R, R) for each endpoint."""
    drawn = []
    for endpoint, entities in enumerate(ENTITIES[endpoints]):
        counts = []
        for repetition in range(repetitions):
            rng = np.random.default_rng([seed, endpoint, repetition])
            scores = rng.normal(scale=2.0, size=(entities, CANDIDATES))
            of_b = scores + shift * rng.normal(size=scores.shape)
            means = np.repeat([scores, of_b], replicates, axis=0)  # (R, E, candidates)
            best = np.argpartition(-(means + rng.gumbel(size=means.shape)), N, axis=2)[:, :, :N]
            counts.append(overlap_counts(list(best.astype(np.int32)), N).counts)
        drawn.append(Overlaps(np.stack(counts), N * entities, N))
    return drawn


def adjusted_p(drawn: Sequence[Overlaps], replicates: int) -> Values:
    """Return p after Holm's adjustment over the endpoints (M, endpoints), with the first runs of each model."""
    most = drawn[0].counts.shape[-1] // 2
    runs = [*range(replicates), *range(most, most + replicates)]
    labels = np.repeat([False, True], replicates)
    p = [permutation_p_by_entity(endpoint.of_runs(runs), labels, seed=replicates) for endpoint in drawn]
    return np.array([holm(row) for row in np.transpose(p)])


def found_at(p: dict[int, Values], levels: dict[int, float], drawn: Sequence[Overlaps]) -> Found:
    """Compare p at some numbers of replicates with their levels."""
    found = np.stack([p[replicates] <= level for replicates, level in levels.items()], axis=1)  # (M, looks, endpoints)
    labels = np.repeat([False, True], drawn[0].counts.shape[-1] // 2)
    return Found(found[:, :, 0], found.any(axis=2), tuple(levels), float(delta_by_entity(drawn[0], labels).mean()))


def planned_levels(endpoints: int) -> dict[int, float]:
    """Return the replicates of every look that is taken, with the level of a difference there."""
    return {
        look.replicates: look.levels.difference for look in plan_looks(PLANNED, tests=endpoints) if not look.skipped
    }


def simulate(repetitions: int, endpoints: int, shift: float, seed: int = 0) -> dict[str, Found]:
    """Return what designs find in the same runs: planned looks, fixed seeds, and for equal models unplanned looks."""
    designs = {"planned": planned_levels(endpoints), "fixed": {PLANNED[-1]: LEVEL}}
    if shift == 0:  # what a test finds that does not hold its level is no measure of its power
        designs["unplanned"] = dict.fromkeys(UNPLANNED, LEVEL)
    drawn = overlaps(repetitions, PLANNED[-1], endpoints, shift, seed)
    p = {count: adjusted_p(drawn, count) for count in {count for levels in designs.values() for count in levels}}
    return {name: found_at(p, levels, drawn) for name, levels in designs.items()}


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=2000)
    repetitions = parser.parse_args().repetitions
    start = time.monotonic()
    print("| endpoints | shift | Δ | looks | any | primary | mean seeds per model |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for endpoints, shift in ((1, 0.0), (4, 0.0), (4, 0.5), (4, 1.0), (4, 2.0)):
        for name, found in simulate(repetitions, endpoints, shift).items():
            looks = f"{name}: {', '.join(map(str, found.replicates))}"
            rates = (found.anywhere.any(axis=1).mean(), found.primary.any(axis=1).mean())
            cells = [endpoints, shift, f"{found.delta:.3f}", looks, *(f"{rate:.3f}" for rate in rates)]
            print("|", " | ".join(map(str, cells)), "|", f"{found.seeds:.1f} |", flush=True)
    print(f"\n{repetitions} repetitions, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
