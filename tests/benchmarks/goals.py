"""What the verdict is meant to hold, in one table: python -m tests.benchmarks.goals [--pool DIR] [--data DATA] [N]

N is the number of repetitions.
Each row is the largest (or smallest) share of its simulation, which the named script explains and prints in full.
Shares have the standard error √(share (1 - share) / repetitions). --pool and --data are those of `real_pools.py`.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from tasks.core.comparison.verdict import Verdict
from tests.benchmarks import accuracy_level, planned_looks, real_pools, verdict_errors
from tests.benchmarks.measuring import argument_parser, table_head, table_row
from tests.benchmarks.verdict_errors import Shares, family, nearly_constant

Row = tuple[str, str, str, str]
SINGLES = {4: 1, 8: 5}
"""Endpoints of a family -> single lists among them."""


def differences(repetitions: int) -> Iterator[Row]:
    """Yield the false differences of a model against itself."""
    rng = np.random.default_rng(19)
    found = {
        f"{size} endpoints, {seeds} seeds": verdict_errors.false_differences(
            family(rng, SINGLES[size], lowest=0.1, highest=0.9, scale=0), seeds, repetitions
        )
        for size, seeds in product(SINGLES, verdict_errors.SEEDS)
    }
    yield row("a false difference anywhere", "at most .05", found)
    looks = planned_looks.simulate(repetitions, 4, 0.0)["planned"]
    yield row("the same, planned looks", "at most .05", {"6, 8 and 12 seeds": looks.anywhere.any(axis=1).mean()})


def margins(repetitions: int) -> Iterator[Row]:
    """Yield the false claims about the margin, and the coverage of the simultaneous intervals."""
    rng = np.random.default_rng(20)
    kinds = {
        "both vary": partial(family, lowest=0.1, highest=0.5),
        "one varies less": partial(family, lowest=0.35, highest=0.5),
        "one nearly constant": partial(family, lowest=0.005, highest=0.04),
    }
    found = {
        (kind, f"{size} endpoints", seeds): verdict_errors.simulate(make(rng, SINGLES[size]), seeds, repetitions)
        for (kind, make), size, seeds in product(kinds.items(), SINGLES, verdict_errors.SEEDS)
    }
    vary = {at: shares for at, shares in found.items() if at[0] != "one nearly constant"}
    constant = {at: shares for at, shares in found.items() if at[0] == "one nearly constant"}
    constant |= {
        ("both nearly constant", f"{size} single lists", seeds): verdict_errors.simulate(
            nearly_constant(rng, size), seeds, repetitions
        )
        for size, seeds in product((1, 4), verdict_errors.SEEDS)
    }
    for shares, goal, of in ((vary, ".05", ""), (constant, ".08", ", nearly constant lists")):
        yield row(f"a false claim above the margin{of}", f"at most {goal}", labelled(shares, "above"))
        yield row(f"a false claim below the margin{of}", f"at most {goal}", labelled(shares, "below"))
    of_all = {label(at): shares.covered[1] for at, shares in vary.items() if at[2] > 4}
    yield row("all simultaneous intervals hold Δ, 6 and 10 seeds", "at least .94", of_all, smallest=True)
    widths = {label(at): shares.width for at, shares in vary.items() if at[2] == 4}
    yield row("mean width of simultaneous intervals, 4 seeds", "reported", widths)


def accuracy(repetitions: int) -> Iterator[Row]:
    """Yield the errors of the tests of accuracy."""
    seeds = [(2, 2), (5, 5), (10, 10)]
    designs = [accuracy_level.Design(of, 200, share=share) for of, share in product(seeds, accuracy_level.SHARES)]
    found = {
        f"{design.seeds[0]} seeds, run share {design.share}": accuracy_level.simulate(design, repetitions=repetitions)
        for design in designs
    }
    yield row("a false difference in accuracy", "at most .06", {at: rates.level for at, rates in found.items()})
    yield row("false equivalence in accuracy", "at most .06", {at: rates.equivalence for at, rates in found.items()})


def pools(folder: Path, data: Path | None, draws: int) -> Iterator[Row]:
    """Yield what is found on draws from pools of real fits."""
    overlaps = real_pools.pool_overlaps(folder, data)
    for (a, b), replicates in product(real_pools.PAIRS, (6, 10)):
        runs = real_pools.draw_runs(a, b, replicates, draws)
        drawn = {name: real_pools.overlaps_of_draws(overlaps[name], runs) for name in real_pools.MARGINS}
        judged = real_pools.verdicts(drawn, np.arange(2 * replicates) >= replicates, real_pools.MARGINS)
        different = [any(one.startswith("different") for one in draw) for draw in zip(*judged.values(), strict=True)]
        unstable = np.mean([[one is Verdict.UNSTABLE for one in of_draws] for of_draws in judged.values()])
        goal = "at most .05" if a == b else "as before"
        name = f"real fits, {a} against {b}, {replicates} seeds: any difference"
        yield name, goal, f"{np.mean(different):.3f}", f"unstable: {unstable:.3f} of the endpoints"
    for replicates in (6, 10):
        users = real_pools.steady_users(folder, "k50", "k500", replicates, draws // 2)
        for name, (alone, in_family) in (("above", users.above), ("below", users.below)):
            claim = f"real fits, steady users, {replicates} seeds: a false claim {name} the margin"
            where = (
                f"worst of {len(alone)} users, in a family of 4; alone {alone.max():.3f}, median {np.median(alone):.3f}"
            )
            yield claim, "at most .08", f"{in_family.max():.3f}", where


def label(at: tuple[str, str, int]) -> str:
    """Return the place of a simulation in words."""
    return f"{at[0]}, {at[1]}, {at[2]} seeds"


def labelled(found: dict[tuple[str, str, int], Shares], claim: str) -> dict[str, float]:
    """Return the share of a claim, after the adjustment, by place."""
    return {label(at): getattr(shares, claim)[1] for at, shares in found.items()}


def row(name: str, goal: str, found: dict[str, float], *, smallest: bool = False) -> Row:
    """Return the row of the worst share."""
    at = (min if smallest else max)(found, key=found.__getitem__)
    return name, goal, f"{found[at]:.3f}", at


def main() -> None:
    """Print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("repetitions", nargs="?", type=int, default=2000)
    arguments = parser.parse_args()
    print(table_head("what", "goal", "worst", "where"))
    parts = [differences(arguments.repetitions), margins(arguments.repetitions), accuracy(arguments.repetitions)]
    if arguments.pool:
        parts.append(pools(arguments.pool, arguments.data, arguments.repetitions))
    for part in parts:
        for cells in part:
            print(table_row(*cells), flush=True)


if __name__ == "__main__":
    main()
