"""Growth of each step's time with users, items, interactions and k: python tests/benchmarks/grid.py [--draw FILE]

Each of the four is doubled three times from one size, while the others stay. Printed are the seconds of every step,
best of three, and the exponent of the power law fitted to them: 0 is constant, 1 linear, 2 quadratic. The nearest
neighbours of all users are quadratic in the users by definition; no other step should grow faster than linearly.
"""

import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from measuring import argument_parser, best_of_three, save_svg

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.recommendations import preferences, recommend

BASE = {"users": 8_000, "items": 4_000, "interactions": 400_000, "k": 32}
DOUBLINGS = 3
SWEEPS = 2
"""Sweeps of a fit, over which the time of one is averaged."""

Times = dict[str, dict[int, dict[str, float]]]
"""Dimension that grows -> its size -> step -> seconds."""


def write(path: Path, users: int, items: int, count: int) -> None:
    """Write ratings of different pairs, at least one for every user and item."""
    rng = np.random.default_rng(0)
    pairs = rng.choice(users * items, size=count, replace=False)
    largest = np.arange(max(users, items))
    pairs[: len(largest)] = largest % users * items + largest % items
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["user", "item", "rating"])
        lines.writerows((pair // items, pair % items, 4) for pair in np.unique(pairs).tolist())


def measure(users: int, items: int, count: int, k: int, folder: Path) -> dict[str, float]:
    """Return the seconds of each step on data of one size."""
    path = folder / "ratings.csv"
    write(path, users, items, count)
    config = DatasetConfig(name="file", path=str(path))
    located = locate(config)

    def read_and_index() -> Interactions:
        return build(read_ratings(config, located), PreprocessConfig(min_rating=None))

    interactions = read_and_index()
    matrix = interactions.matrix
    settings = AlsConfig(factors=k, iterations=SWEEPS)
    rng = np.random.default_rng(1)
    factors = Factors(*(rng.normal(size=(size, k)).astype(np.float32) for size in matrix.shape))
    split = hold_out(interactions, RandomSplit(), seed=1)
    lists = [rng.integers(1, 1000, size=(users, 100)).cumsum(axis=1).astype(np.int32) for _ in range(2)]
    rows = np.arange(min(500, users), dtype=np.int32)
    return {
        "read and index": best_of_three(read_and_index),
        "split": best_of_three(lambda: hold_out(interactions, RandomSplit(), seed=1)),
        "sweep": best_of_three(lambda: als.fit(matrix, settings, seed=1)) / SWEEPS,
        "neighbours of 500 users": best_of_three(lambda: nearest(factors.users, n=100, rows=rows)),
        "neighbours of all users": best_of_three(lambda: nearest(factors.users, n=100)),
        "recommendations": best_of_three(lambda: recommend(factors, matrix, n=100)),
        "evaluation": best_of_three(lambda: evaluate(preferences(factors), split, (10, 20))),
        "lists of two runs compared": best_of_three(lambda: Pair.of(*lists).at(10)),
    }


def draw(times: Times, path: Path) -> None:
    """Draw seconds against size, one panel for each dimension."""
    figure, panels = plt.subplots(1, len(times), figsize=(12, 3.6), sharey=True)
    for panel, (dimension, by_size) in zip(panels, times.items(), strict=True):
        for step in next(iter(by_size.values())):
            panel.loglog(list(by_size), [steps[step] for steps in by_size.values()], marker="o", ms=3, label=step)
        panel.set(xlabel=dimension)
        panel.minorticks_off()
        panel.set_xticks(list(by_size), [f"{size:,}" for size in by_size], fontsize=7)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("seconds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    save_svg(figure, path)


def main() -> None:
    """Print a table for each dimension, and draw them if asked to."""
    parser = argument_parser(__doc__)
    parser.add_argument("--draw", type=Path)
    arguments = parser.parse_args()
    times: Times = {}
    with tempfile.TemporaryDirectory() as folder:
        for dimension in BASE:
            times[dimension] = {}
            for doubling in range(DOUBLINGS + 1):
                sizes = BASE | {dimension: BASE[dimension] << doubling}
                times[dimension][sizes[dimension]] = measure(*sizes.values(), folder=Path(folder))
    base = "{users:,} users, {items:,} items, {interactions:,} interactions, k={k}".format(**BASE)
    print(f"{base}, each doubled {DOUBLINGS} times: seconds")
    for dimension, by_size in times.items():
        print(f"\n{dimension:<28}" + "".join(f"{size:>11,}" for size in by_size) + "   exponent")
        for step in next(iter(by_size.values())):
            seconds = [steps[step] for steps in by_size.values()]
            exponent = np.polyfit(np.log(list(by_size)), np.log(seconds), 1)[0]
            print(f"{step:<28}" + "".join(f"{value:11.4f}" for value in seconds) + f"{exponent:11.2f}")
    if arguments.draw:
        draw(times, arguments.draw)


if __name__ == "__main__":
    main()
