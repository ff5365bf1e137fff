"""Level of the tests of accuracy on several splits: python -m tests.benchmarks.resampled_level [REPETITIONS]

Values of two models of equal expected accuracy are drawn with normal distributions: users, users on one split, splits,
seeds and a residual. The parts of two splits are correlated as the correction of Nadeau and Bengio assumes. Counted is
how often the models are called different at the level .05, by

- t: Student's t test over the differences of the splits,
- corrected t: the same with the corrected variance, which leaves out the users and the seeds,
- ours: users, seeds and splits at once, see `tasks.core.inference.means.resampled`.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tasks.core.inference.means.resampled import SplitValues, mean_difference_over_splits
from tasks.core.inference.multiplicity import LEVEL
from tasks.core.types import Values
from tests.benchmarks.measuring import table_head, table_row

MEAN, USERS_SD, DIFFERENCE_SD = 0.3, 0.25, 0.002
SHARES = {
    "users": (0.7, 0.1, 0.1, 0.05, 0.05),
    "splits": (0.1, 0.1, 0.7, 0.05, 0.05),
    "seeds": (0.1, 0.1, 0.05, 0.7, 0.05),
    "residual": (0.1, 0.5, 0.05, 0.05, 0.3),
    "all alike": (0.2, 0.2, 0.2, 0.2, 0.2),
}
"""Shares of users, users on one split, splits, seeds and residual in the variance of the difference."""


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Attributes
    ----------
    kind : str
        `random` (a fifth of the interactions is held out, of all users), `interactions` or `users` (folds).
    splits, seeds, users : int
        Numbers of splits, of seeds of each model on each split, and of users.
    shares : str
        Name in `SHARES`.
    """

    kind: str
    splits: int
    seeds: int
    users: int = 150
    shares: str = "all alike"

    @property
    def correlation(self) -> float:
        """Of the parts of two splits: the share of the data that is held out."""
        return 0.2 if self.kind == "random" else 1 / self.splits


@dataclass(frozen=True)
class Rates:
    """How often each test calls models of equal accuracy different.

    `length` is the median length of our interval, as a multiple of what it would be if the variance were known.
    """

    t: float
    corrected: float
    ours: float
    length: float


def draw(design: Design, rng: np.random.Generator) -> tuple[SplitValues, SplitValues]:
    """Return the values of two models of equal expected accuracy."""
    splits, seeds, users = design.splits, design.seeds, design.users
    by_user = design.kind == "users"
    of_split = tuple(np.array_split(rng.permutation(users), splits)) if by_user else (np.arange(users),) * splits
    # standard deviations that give each part its share in the variance of the difference
    cells = users if by_user else users * splits
    correlation = design.correlation
    shared = (1 - correlation) / splits + correlation
    scales = np.sqrt([users, cells, 1 / shared, splits * seeds / 2, cells * seeds / 2])
    user, cell, split, run, residual = DIFFERENCE_SD * scales * np.sqrt(SHARES[design.shares])
    level, of_users = rng.normal(MEAN, USERS_SD, users), rng.normal(0, user, users)
    common, own = rng.normal(0, split, 1), rng.normal(0, split, splits)
    of_splits = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    models: list[list[Values]] = [[], []]
    for index, of_the_split in zip(of_split, of_splits, strict=True):
        differences = of_users[index] + rng.normal(0, cell, len(index)) + of_the_split
        for values, sign in zip(models, (-0.5, 0.5), strict=True):
            noise = rng.normal(0, run, (seeds, 1)) + rng.normal(0, residual, (seeds, len(index)))
            values.append(level[index] + sign * differences + noise)
    ratio = correlation / (1 - correlation)
    a, b = (SplitValues(tuple(values), of_split, ratio) for values in models)
    return a, b


def other_tests(of_a: SplitValues, of_b: SplitValues) -> tuple[float, float]:
    """Return p of the t test over the differences of the splits, and that of its corrected form."""
    means = [b.mean() - a.mean() for a, b in zip(of_a.values, of_b.values, strict=True)]
    splits, error = len(means), np.std(means, ddof=1)
    weights = np.array([1 / splits, 1 / splits + of_a.held_out_ratio])
    plain, corrected = 2 * stats.t.sf(abs(np.mean(means)) / (error * np.sqrt(weights)), splits - 1)
    return float(plain), float(corrected)


def simulate(design: Design, *, repetitions: int, seed: int = 0) -> Rates:
    """Count wrong decisions."""
    rng = np.random.default_rng(seed)
    decisions, lengths = [], []
    for _ in range(repetitions):
        of_a, of_b = draw(design, rng)
        estimate = mean_difference_over_splits(of_a, of_b)
        decisions.append([p <= LEVEL for p in (*other_tests(of_a, of_b), estimate.p)])
        limits = estimate.interval()
        lengths.append((limits.high - limits.low) / (2 * stats.norm.ppf(0.975) * DIFFERENCE_SD))
    return Rates(*np.mean(decisions, axis=0).tolist(), length=float(np.median(lengths)))


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    print(table_head("splits", "number", "seeds", "t", "corrected t", "ours", "length of our interval"))
    for kind in ("random", "interactions", "users"):
        for splits in (2, 5, 10):
            for seeds in (1, 2, 5):
                rates = [
                    simulate(Design(kind, splits, seeds, shares=shares), repetitions=repetitions) for shares in SHARES
                ]
                rows = [
                    " ".join(f"{getattr(rate, name):.3f}".removeprefix("0") for rate in rates)
                    for name in ("t", "corrected", "ours")
                ]
                lengths = " ".join(f"{rate.length:.1f}" for rate in rates)
                print(table_row(kind, splits, seeds, *rows, lengths), flush=True)


if __name__ == "__main__":
    main()
