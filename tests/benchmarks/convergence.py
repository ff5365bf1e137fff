"""How fast ALS and balanced ALS come to their optimum, and what the lists do on the way:

    python tests/benchmarks/convergence.py [--data DIR] [--k 50 500] [--short] [--draw FILE]

Plain and balanced fits of the same settings and seeds through our own train step, in one run: the objective along the
iterations, the time to the objective at which plain ALS ends, and overlap@5 of all users' and items' lists between two
seeds of one model, and of plain ALS with its own optimum: the one that its last factors lead to once they are balanced.
Reads MovieLens 100K from the directory given as --data, else the embedded data set. --short: k=500 alone, one
seed, and balanced for 100 iterations only.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import preprocessing
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.models import als
from tasks.core.models.als import Iteration, Start
from tasks.core.models.balance import imbalance
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import nearest
from tasks.core.types import Ids

N = 5
LENGTHS = {50: {"none": 20_000, "balanced": 2000}, 500: {"none": 1500, "balanced": 1000}}
MARKS = (5, 10, 15, 20, 30, 50, 100, 200, 500, 1000, 1500, 2000, 5000, 10_000, 20_000)


@dataclass
class Course:
    """A fit along its iterations: (iteration, seconds of training, objective), and lists at some of them."""

    steps: list[tuple[int, float, float]] = field(default_factory=list)
    lists: dict[int, dict[str, Ids]] = field(default_factory=dict)
    seconds: float = 0.0
    factors: Factors | None = None

    def note(self, at: Iteration) -> None:
        """What `als.fit` tells."""
        self.seconds += at.seconds
        if at.objective is not None:
            self.steps.append((at.iteration, self.seconds, at.objective))
            if at.iteration in MARKS:
                self.lists[at.iteration] = lists(at.factors)


def lists(factors: Factors) -> dict[str, Ids]:
    """The N nearest of all users and of all items."""
    return {side: nearest(getattr(factors, side), n=N).ids for side in ("users", "items")}


def overlaps(one: dict[str, Ids], other: dict[str, Ids]) -> str:
    """Of users and of items."""
    return " ".join(f"{side} {Pair.of(one[side], other[side]).at(N).overlap:.3f}" for side in one)


def course(matrix: object, k: int, acceleration: str, iterations: int, seed: int, start: Start | None = None) -> Course:
    """One fit, looked at often enough to see when it reaches an objective."""
    config = AlsConfig.model_validate({"factors": k, "iterations": iterations, "acceleration": acceleration})
    found = Course()
    looks = {*range(1, 101), *range(100, iterations + 1, max(iterations // 100, 1)), *MARKS}
    found.factors = als.fit(matrix, config, seed=seed, snapshots=looks, on_iteration=found.note, start=start)  # type: ignore[arg-type]
    return found


def compare(matrix: object, k: int, seeds: tuple[int, ...], lengths: dict[str, int]) -> dict[str, Course]:
    """Print what a k shows; its first seed's courses."""
    found = {kind: [course(matrix, k, kind, lengths[kind], seed) for seed in seeds] for kind in lengths}
    plain, balanced = found["none"][0], found["balanced"][0]
    print(f"\nk={k}, regularization 0.01: objective (and seconds of training)")
    for mark in MARKS:
        cells = []
        for kind, each in (("plain", plain), ("balanced", balanced)):
            at = [step for step in each.steps if step[0] == mark]
            cells.append(f"{kind} {at[0][2]:12.4f} ({at[0][1]:6.1f} s)" if at else " " * 31)
        if any(cell.strip() for cell in cells):
            print(f"  after {mark:6,} iterations  " + "   ".join(cells))
    stop = min(1500, lengths["none"])
    target, slow = next((value, seconds) for step, seconds, value in plain.steps if step == stop)
    step, fast, value = next(each for each in balanced.steps if each[2] <= target)
    print(f"  plain ALS has {target:,.1f} after {stop:,} iterations and {slow:.1f} s")
    print(f"  balanced ALS has {value:,.1f} after {step} iterations and {fast:.2f} s")
    print(f"  {slow / fast:.1f} times sooner, in {stop / step:.0f} times fewer iterations")
    for kind, pair in found.items():
        if len(seeds) > 1:
            one, other = pair
            print(f"  overlap@{N} of two seeds' lists, {'plain' if kind == 'none' else kind}:")
            for mark in one.lists:
                if mark in other.lists and mark >= 15:
                    print(f"    after {mark:6,} iterations  {overlaps(one.lists[mark], other.lists[mark])}")
            print(f"    objectives at the end   {', '.join(f'{each.steps[-1][2]:.4f}' for each in pair)}")
    if len(seeds) > 1:
        print(f"  overlap@{N} of plain ALS's lists with those of its own optimum:")
        assert plain.factors is not None
        optimum = course(matrix, k, "balanced", lengths["balanced"], seeds[0], Start(1, plain.factors))
        for mark in plain.lists:
            if mark >= 15:
                print(
                    f"    after {mark:6,} iterations  {overlaps(plain.lists[mark], list(optimum.lists.values())[-1])}"
                )
        print(f"    imbalance of plain ALS at the end {imbalance(plain.factors.users, plain.factors.items):.4f}")
    return {"plain ALS": plain, "balanced ALS": balanced}


def draw(courses: dict[int, dict[str, Course]], path: Path) -> None:
    """The objective above the least that was seen, by seconds of training, a panel a k."""
    plt.rcParams["svg.hashsalt"] = "latentlab"
    figure, panels = plt.subplots(1, len(courses), figsize=(4.6 * len(courses), 3.4), squeeze=False)
    for panel, (k, found) in zip(panels[0], courses.items(), strict=True):
        least = min(value for each in found.values() for _, _, value in each.steps)
        for (name, each), style in zip(found.items(), ("--", "-"), strict=True):
            seconds, above = zip(*((s, v / least - 1) for _, s, v in each.steps if v > least * (1 + 1e-7)), strict=True)
            panel.loglog(seconds, above, style, label=name)
        panel.set(title=f"k={k}", xlabel="seconds of training", ylabel="objective above the least, as a share of it")
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print what each k shows, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--k", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--draw", type=Path)
    arguments = parser.parse_args()
    dataset = DatasetConfig(name="synthetic-100k")
    if arguments.data:
        dataset = DatasetConfig(name="movielens-100k", path=str(arguments.data))
    matrix = preprocessing.build(read_ratings(dataset, locate(dataset)), PreprocessConfig()).matrix
    print(f"{dataset.name}: {matrix.shape[0]} users, {matrix.shape[1]} items, {matrix.nnz} interactions")
    if arguments.short:
        courses = {500: compare(matrix, 500, (1,), {**LENGTHS[500], "balanced": 100})}
    else:
        courses = {k: compare(matrix, k, (1, 2), LENGTHS.get(k, LENGTHS[500])) for k in arguments.k}
    if arguments.draw:
        draw(courses, arguments.draw)


if __name__ == "__main__":
    main()
