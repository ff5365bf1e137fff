"""Predicted and realised half-width of the interval of Δ: python tests/benchmarks/planned_precision.py [REPETITIONS]

Two models get 10 seeds each. The first 3, 4 or 6 of them are the pilot, from which `latentlab check` predicts the
half-width of the 95% interval at 10 seeds. The realised one is t (9 degrees of freedom) times the jackknife standard
error of all 10. Printed are the 5%, 25%, 50%, 75% and 95% quantiles of predicted/realised. The lists are the first 5 of
30 candidates, ranked by a fixed score plus noise of the run; of one user, or of 40 users whose noise in one run has a
part in common.
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.stats import t

from tasks.core.inference.jackknife import jackknife
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.planning.precision import run_variance
from tasks.core.types import Ids

N, CANDIDATES, FINAL, PILOTS = 5, 30, 10, (3, 4, 6)
Draw = Callable[[np.random.Generator, int], list[Ids]]
"""(generator, runs) -> the lists (E, N) of each run of one model."""


def synthetic(users: int, *, shift: float = 0.0, noise: float = 1.0) -> Draw:
    """Return a model whose scores are those of the baseline plus `shift` times others."""
    fixed = np.random.default_rng(1)
    scores, other, shared = fixed.normal(size=(3, users, CANDIDATES))
    in_common = 0.5 if users > 1 else 0.0

    def draw(rng: np.random.Generator, runs: int) -> list[Ids]:
        own = noise * rng.gumbel(size=(runs, users, CANDIDATES)) + in_common * rng.normal(size=(runs, 1, 1)) * shared
        return list(np.argsort(-(2 * scores + shift * other + own), axis=2)[:, :, :N].astype(np.int32))

    return draw


CASES: dict[str, tuple[Draw, Draw]] = {
    "one user, same model": (synthetic(1), synthetic(1)),
    "one user, another model": (synthetic(1), synthetic(1, shift=2)),
    "one user, steady against noisy": (synthetic(1, noise=0.2), synthetic(1, shift=0.5)),
    "40 users, same model": (synthetic(40), synthetic(40)),
    "40 users, another model": (synthetic(40), synthetic(40, shift=2)),
}


def ratios(a: Draw, b: Draw, *, repetitions: int, seed: int = 0) -> dict[int, list[float]]:
    """Return predicted/realised half-width at 10 seeds by the seeds of the pilot, where the 10 seeds vary."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([False, True], FINAL)
    found: dict[int, list[float]] = {pilot: [] for pilot in PILOTS}
    for _ in range(repetitions):
        overlaps = overlap_counts([*a(rng, FINAL), *b(rng, FINAL)], N)
        error = jackknife(overlaps, labels).standard_error
        if not error:
            continue
        realised = t.ppf(0.975, FINAL - 1) * error
        for pilot in PILOTS:
            chosen = overlaps.of_runs([*range(pilot), *range(FINAL, FINAL + pilot)])
            predicted = run_variance(chosen.counts / chosen.denominator).half_width(np.array(FINAL))
            found[pilot].append(float(predicted / realised))
    return found


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=500)
    repetitions = parser.parse_args().repetitions
    print("| models | seeds of the pilot | 5% | 25% | 50% | 75% | 95% |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (a, b) in CASES.items():
        for pilot, of_pilot in ratios(a, b, repetitions=repetitions).items():
            quantiles = np.quantile(of_pilot, [0.05, 0.25, 0.5, 0.75, 0.95])
            print(f"| {name} | {pilot} |", " | ".join(f"{quantile:.2f}" for quantile in quantiles), "|", flush=True)


if __name__ == "__main__":
    main()
