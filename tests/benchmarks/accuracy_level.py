"""Level of the tests of accuracy, by simulation: python -m tests.benchmarks.accuracy_level [REPETITIONS]

Users and runs are drawn anew in each repetition. Counted is how often a model is called more accurate than one of the
same expected accuracy, and how often two models are called equally accurate whose expected accuracies differ by exactly
2%, which is the bound. Both should be at most 5%. The interval covers the true difference whenever the first test does
not reject. "Before" is the rule of earlier versions: a paired t test over users, from five seeds on together with a
permutation of run labels, and a test of equivalence over users. Its sign flips are left out: they hardly differ from
the t test.
"""

import argparse
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from tasks.core.comparison.accuracy_tests import EQUIVALENCE, compare_accuracy
from tasks.core.inference.multiplicity import LEVEL
from tasks.core.inference.student import Estimate
from tasks.core.types import Values
from tests.core.comparison.examples import on_one_split

MEAN, BOUND = 0.3, 0.3 * EQUIVALENCE
USERS_SD = 0.25
"""Of the part of a user's accuracy that is the same for both models."""
DIFFERENCE_SD = BOUND / 3
"""Of the difference of the means: equal models are then called equally accurate in most repetitions."""
RESIDUAL = 0.3
"""Share of the residual of user and run in the variance that does not come from the runs."""
SHARES = (0.02, 0.2, 0.5, 0.8)
DRAWS = 9_999


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Attributes
    ----------
    seeds : tuple of int
        Of A and B. 0 stands for a recommender without a random seed.
    users : int
    share : float
        Share of the runs in the variance of the difference.
    ratio : float
        Variance between runs of B, divided by that of A.
    """

    seeds: tuple[int, int]
    users: int
    share: float = 0.5
    ratio: float = 1.0


@dataclass(frozen=True)
class Rates:
    """How often each test decides wrongly.

    `length` is the median length of the interval, as a multiple of what it would be if the variance were known.
    """

    level_before: float
    equivalence_before: float
    level: float
    equivalence: float
    length: float


def draw(design: Design, rng: np.random.Generator) -> tuple[Values, Values]:
    """Return the values of two models of equal expected accuracy: (S, T) each, or (T,) without a random seed."""
    of_users = rng.normal(MEAN, USERS_SD, design.users)
    runs_variances = np.array([1.0, design.ratio])
    n_runs = np.array(design.seeds)
    seeded = n_runs > 0
    runs_scale = design.share / (runs_variances[seeded] / n_runs[seeded]).sum()
    other = (1 - design.share) * design.users  # variance of a user's difference, in units of the difference's
    residual = RESIDUAL * other / (1 / n_runs[seeded]).sum()
    models = []
    for runs, runs_variance in zip(design.seeds, runs_variances, strict=True):
        values = of_users + rng.normal(0, DIFFERENCE_SD * np.sqrt((1 - RESIDUAL) * other / 2), design.users)
        if runs:
            values = values + rng.normal(0, DIFFERENCE_SD * np.sqrt(runs_scale * runs_variance), (runs, 1))
            values += rng.normal(0, DIFFERENCE_SD * np.sqrt(residual), (runs, design.users))
        models.append(values)
    return models[0], models[1]


def simulate(design: Design, *, repetitions: int, seed: int = 0) -> Rates:
    """Count wrong decisions of the rule before and of the present one."""
    rng = np.random.default_rng(seed)
    differs, equivalent, differs_before, equivalent_before, lengths = [], [], [], [], []
    for _ in range(repetitions):
        of_a, of_b = draw(design, rng)
        test = compare_accuracy("", "a", "b", on_one_split(of_a), on_one_split(of_b))
        differs.append(test.p <= LEVEL)
        # B's expected accuracy is moved to either bound, which changes the difference and nothing else
        moved = [
            Estimate(test.difference + shift, test.standard_error, test.degrees_of_freedom) for shift in (-BOUND, BOUND)
        ]
        bound = EQUIVALENCE * test.mean_a
        equivalent.append([estimate.p_equivalent(bound) <= LEVEL for estimate in moved])
        lengths.append((test.high_95 - test.low_95) / (2 * stats.norm.ppf(0.975) * DIFFERENCE_SD))

        differences = np.atleast_2d(of_b).mean(axis=0) - np.atleast_2d(of_a).mean(axis=0)
        error = differences.std(ddof=1) / np.sqrt(design.users)
        over_users = Estimate(test.difference, standard_error=error, degrees_of_freedom=design.users - 1)
        differs_before.append(over_users.p <= LEVEL and _run_label_p(of_a, of_b, rng) <= LEVEL)
        equivalent_before.append([replace(over_users, value=at.value).p_equivalent(bound) <= LEVEL for at in moved])
    return Rates(
        level_before=float(np.mean(differs_before)),
        equivalence_before=float(np.mean(equivalent_before)),
        level=float(np.mean(differs)),
        equivalence=float(np.mean(equivalent)),
        length=float(np.median(lengths)),
    )


def _run_label_p(of_a: Values, of_b: Values, rng: np.random.Generator) -> float:
    """Return p of the permutation of run labels, of which earlier versions asked five seeds of each model."""
    if min(of_a.ndim, of_b.ndim) == 1 or min(len(of_a), len(of_b)) < 5:
        return 0.0
    means = np.concatenate([of_a.mean(axis=1), of_b.mean(axis=1)])
    means -= means.mean()
    if len(means) == 10:
        splits = np.array(list(combinations(range(10), 5)))
        sums = np.abs(means[splits].sum(axis=1))
        return float(np.mean(sums >= abs(means[:5].sum()) * (1 - 1e-12)))
    sums = np.abs(rng.permuted(np.tile(means, (DRAWS, 1)), axis=1)[:, : len(of_a)].sum(axis=1))
    return float((np.sum(sums >= abs(means[: len(of_a)].sum()) * (1 - 1e-12)) + 1) / (DRAWS + 1))


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=2000)
    repetitions = parser.parse_args().repetitions
    designs = [
        *(Design(seeds, users) for seeds in ((2, 2), (2, 10), (5, 5), (5, 10), (10, 10)) for users in (200, 943)),
        *(Design(seeds, 200, ratio=25.0) for seeds in ((2, 2), (10, 2), (5, 5))),
        *(Design(seeds, 200) for seeds in ((0, 2), (0, 5))),
    ]
    columns = [
        *("seeds of A, B", "users", "variance of runs, B / A"),
        *("called different, before", "now", "called equal, before", "now", "length of the interval"),
    ]
    print("|", " | ".join(columns), "|")
    print("|", " | ".join(["---"] * len(columns)), "|")
    for design in designs:
        rates = [simulate(replace(design, share=share), repetitions=repetitions) for share in SHARES]
        cells = [
            ", ".join(str(seeds or "none") for seeds in design.seeds),
            str(design.users),
            f"{design.ratio:g}" if all(design.seeds) else "",
            *(
                " ".join(f"{getattr(rate, name):.3f}".removeprefix("0") for rate in rates)
                for name in ("level_before", "level", "equivalence_before", "equivalence")
            ),
            " ".join(f"{rate.length:.1f}" for rate in rates),
        ]
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
