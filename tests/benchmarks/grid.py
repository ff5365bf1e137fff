"""What each step costs as users, items, interactions and k grow: python tests/benchmarks/grid.py [--draw FILE]

From one shape, each of the four is doubled thrice while the others stay. Printed are the seconds of every step, the
least of three times, and the exponent of the power law that fits them: 1 is in proportion, 0 is not at all, 2 with the
square. All nearest neighbours of all users are a square of users by their nature; nothing else may be.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from measuring import least
from scipy.sparse import csr_array

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data import preprocessing, splits
from tasks.core.data.interactions import Interactions
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.ranking import evaluation
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.recommendations import preferences, recommend

BASE = {"users": 8_000, "items": 4_000, "interactions": 400_000, "k": 32}
DOUBLINGS = 3
SWEEPS = 2


def write(path: Path, users: int, items: int, count: int) -> None:
    """Ratings of distinct pairs; every user and item has one at least."""
    stream = np.random.default_rng(0)
    pairs = stream.choice(users * items, size=count, replace=False)
    pairs[: max(users, items)] = np.arange(max(users, items)) % users * items + np.arange(max(users, items)) % items
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["user", "item", "rating"])
        lines.writerows((pair // items, pair % items, 4) for pair in np.unique(pairs).tolist())


def measure(users: int, items: int, count: int, k: int, folder: Path) -> dict[str, float]:
    """Seconds of each step on one shape."""
    path = folder / "ratings.csv"
    write(path, users, items, count)
    config = DatasetConfig(name="file", path=str(path))
    located = locate(config)

    def build() -> Interactions:
        return preprocessing.build(read_ratings(config, located), PreprocessConfig(min_rating=None))

    loaded = build()
    matrix: csr_array = loaded.matrix
    settings = AlsConfig(factors=k, iterations=SWEEPS)
    stream = np.random.default_rng(1)
    factors = Factors(*(stream.normal(size=(size, k)).astype(np.float32) for size in matrix.shape))
    part = splits.hold_out(loaded, RandomSplit(), seed=1)
    lists = [stream.integers(1, 1000, size=(users, 100)).cumsum(axis=1).astype(np.int32) for _ in range(2)]
    return {
        "read and index": least(build),
        "split": least(lambda: splits.hold_out(loaded, RandomSplit(), seed=1)),
        "sweep": least(lambda: als.fit(matrix, settings, seed=1)) / SWEEPS,
        "neighbours of 500 users": least(lambda: nearest(factors.users, n=100, rows=np.arange(500, dtype=np.int32))),
        "neighbours of all users": least(lambda: nearest(factors.users, n=100)),
        "recommendations": least(lambda: recommend(factors, matrix, n=100)),
        "evaluation": least(lambda: evaluation.evaluate(preferences(factors), part, (10, 20))),
        "lists of two runs compared": least(lambda: Pair.of(*lists).at(10)),
    }


def main() -> None:
    """Print a table for each of the four, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", type=Path)
    arguments = parser.parse_args()
    found: dict[str, dict[int, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for grown in BASE:
            found[grown] = {}
            for doubling in range(DOUBLINGS + 1):
                shape = {name: value << (doubling if name == grown else 0) for name, value in BASE.items()}
                found[grown][shape[grown]] = measure(*shape.values(), folder=Path(folder))
    print(", ".join(f"{value:,} {name}" for name, value in BASE.items()) + ", and each doubled thrice: seconds")
    for grown, seconds in found.items():
        sizes = list(seconds)
        print(f"\n{grown:<28}" + "".join(f"{size:>11,}" for size in sizes) + "   exponent")
        for step in seconds[sizes[0]]:
            values = [seconds[size][step] for size in sizes]
            exponent = np.polyfit(np.log(sizes), np.log(values), 1)[0]
            print(f"{step:<28}" + "".join(f"{value:11.4f}" for value in values) + f"{exponent:11.2f}")
    if arguments.draw:
        draw(found, arguments.draw)


def draw(found: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    """A panel for each of the four, seconds against size."""
    plt.rcParams["svg.hashsalt"] = "latentlab"
    figure, panels = plt.subplots(1, len(found), figsize=(12, 3.6), sharey=True)
    for panel, (grown, seconds) in zip(panels, found.items(), strict=True):
        for step in next(iter(seconds.values())):
            panel.loglog(list(seconds), [each[step] for each in seconds.values()], marker="o", ms=3, label=step)
        panel.set(xlabel=grown)
        panel.minorticks_off()
        panel.set_xticks(list(seconds), [f"{size:,}" for size in seconds], fontsize=7)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("seconds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
