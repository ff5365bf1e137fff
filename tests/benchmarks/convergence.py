"""Convergence of plain and of balanced ALS, and their lists along the iterations:

    python tests/benchmarks/convergence.py [--data DIR_OR_ZIP] [--k 50 500] [--short] [--draw FILE]

Plain and balanced ALS are trained with equal settings and seeds, in one process. Printed are the objective along the
iterations, the time that balanced ALS needs to reach the objective of plain ALS, and overlap@5 of the lists of all
users and of all items: between two seeds of one model, and between plain ALS and its own optimum. That optimum is
reached by continuing from the last factors of plain ALS with balancing.

--data names MovieLens 100K; without it, the synthetic data set is used. --short trains k=500 only, with one seed and
100 iterations of balanced ALS.
"""

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
from measuring import argument_parser, load_interactions, save_svg, size_text
from scipy.sparse import csr_array

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.models import als
from tasks.core.models.als import Iteration, Start
from tasks.core.models.balance import imbalance
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import nearest
from tasks.core.types import Ids

N = 5
ITERATIONS = {50: {"none": 20_000, "balanced": 2000}, 500: {"none": 1500, "balanced": 1000}}
"""k -> acceleration -> iterations of a fit. Any other k is trained as 500 is."""
COMPARED = 1500
"""Iteration of plain ALS whose objective balanced ALS has to reach."""
MARKS = (5, 10, 15, 20, 30, 50, 100, 200, 500, 1000, 1500, 2000, 5000, 10_000, 20_000)
"""Iterations after which the objective is printed and lists are made."""
FIRST_LISTS = 15
"""First of the marks at which overlaps are printed."""
NAMES = {"none": "plain ALS", "balanced": "balanced ALS"}

ListsOfSides = dict[str, Ids]


@dataclass
class Course:
    """One fit along its iterations.

    `steps` are (iteration, seconds of training, objective), `lists` are those after some of the iterations.
    """

    steps: list[tuple[int, float, float]] = field(default_factory=list)
    lists: dict[int, ListsOfSides] = field(default_factory=dict)
    seconds: float = 0.0
    factors: Factors | None = None

    def add(self, iteration: Iteration) -> None:
        """Record an iteration; the callback of `als.fit`."""
        self.seconds += iteration.seconds
        if iteration.objective is not None:
            self.steps.append((iteration.iteration, self.seconds, iteration.objective))
            if iteration.iteration in MARKS:
                self.lists[iteration.iteration] = make_lists(iteration.factors)


def make_lists(factors: Factors) -> ListsOfSides:
    """Return the N nearest neighbours of all users and of all items."""
    return {side: nearest(getattr(factors, side), n=N).ids for side in ("users", "items")}


def overlap_text(lists_a: ListsOfSides, lists_b: ListsOfSides) -> str:
    """Return the overlap of two runs' lists, for users and for items, in words."""
    return " ".join(f"{side} {Pair.of(ids, lists_b[side]).at(N).overlap:.3f}" for side, ids in lists_a.items())


def train(
    matrix: csr_array, k: int, acceleration: str, iterations: int, seed: int, start: Start | None = None
) -> Course:
    """Run one fit, with enough snapshots to see when it reaches an objective."""
    config = AlsConfig.model_validate({"factors": k, "iterations": iterations, "acceleration": acceleration})
    course = Course()
    snapshots = {*range(1, 101), *range(100, iterations + 1, max(iterations // 100, 1)), *MARKS}
    course.factors = als.fit(matrix, config, seed=seed, snapshots=snapshots, on_iteration=course.add, start=start)
    return course


def compare(matrix: csr_array, k: int, seeds: tuple[int, ...], iterations: dict[str, int]) -> dict[str, Course]:
    """Train both kinds of ALS with one k, print all comparisons, and return the courses of the first seed."""
    courses = {
        acceleration: [train(matrix, k, acceleration, number, seed) for seed in seeds]
        for acceleration, number in iterations.items()
    }
    plain, balanced = courses["none"][0], courses["balanced"][0]
    print(f"\nk={k}, regularization 0.01: objective (and seconds of training)")
    print_objectives(plain, balanced)
    print_time_to_objective(plain, balanced)
    if len(seeds) > 1:
        for acceleration, of_seeds in courses.items():
            print_overlap_of_seeds(NAMES[acceleration], *of_seeds)
        print_overlap_with_optimum(matrix, k, plain, iterations["balanced"], seeds[0])
    return {NAMES[acceleration]: of_seeds[0] for acceleration, of_seeds in courses.items()}


def print_objectives(plain: Course, balanced: Course) -> None:
    """Print both objectives at each mark that one of the fits has reached."""
    texts = [
        {step: f"{objective:12.4f} ({seconds:6.1f} s)" for step, seconds, objective in course.steps}
        for course in (plain, balanced)
    ]
    for mark in MARKS:
        if any(mark in text for text in texts):
            of_plain, of_balanced = (text.get(mark, "-") for text in texts)
            print(f"  after {mark:6,} iterations  plain {of_plain:23}   balanced {of_balanced}")


def print_time_to_objective(plain: Course, balanced: Course) -> None:
    """Print when balanced ALS first has the objective of plain ALS."""
    last = min(COMPARED, plain.steps[-1][0])
    plain_seconds, target = next((seconds, objective) for step, seconds, objective in plain.steps if step == last)
    step, seconds, objective = next(step for step in balanced.steps if step[2] <= target)
    print(f"  plain ALS has {target:,.1f} after {last:,} iterations and {plain_seconds:.1f} s")
    print(f"  balanced ALS has {objective:,.1f} after {step} iterations and {seconds:.2f} s")
    print(f"  {plain_seconds / seconds:.1f} times faster, with {last / step:.0f} times fewer iterations")


def print_overlap_of_seeds(name: str, first: Course, second: Course) -> None:
    """Print the overlap of two seeds' lists along the iterations, and the last objectives."""
    print(f"  overlap@{N} between two seeds, {name}:")
    for mark, lists in first.lists.items():
        if mark in second.lists and mark >= FIRST_LISTS:
            print(f"    after {mark:6,} iterations  {overlap_text(lists, second.lists[mark])}")
    print(f"    final objectives        {first.steps[-1][2]:.4f}, {second.steps[-1][2]:.4f}")


def print_overlap_with_optimum(matrix: csr_array, k: int, plain: Course, iterations: int, seed: int) -> None:
    """Print the overlap of plain ALS with the optimum that its last factors lead to once they are balanced."""
    print(f"  overlap@{N} between plain ALS and its own optimum:")
    assert plain.factors is not None
    optimum = train(matrix, k, "balanced", iterations, seed, Start(1, plain.factors))
    optimal_lists = list(optimum.lists.values())[-1]
    for mark, lists in plain.lists.items():
        if mark >= FIRST_LISTS:
            print(f"    after {mark:6,} iterations  {overlap_text(lists, optimal_lists)}")
    print(f"    final imbalance of plain ALS {imbalance(plain.factors.users, plain.factors.items):.4f}")


def draw(courses_by_k: dict[int, dict[str, Course]], path: Path) -> None:
    """Draw the objective against the seconds of training, relative to the lowest of the panel; one panel for each k."""
    figure, panels = plt.subplots(1, len(courses_by_k), figsize=(4.6 * len(courses_by_k), 3.4), squeeze=False)
    for panel, (k, courses) in zip(panels[0], courses_by_k.items(), strict=True):
        lowest = min(objective for course in courses.values() for _, _, objective in course.steps)
        for (name, course), style in zip(courses.items(), ("--", "-"), strict=True):
            points = [(seconds, objective / lowest - 1) for _, seconds, objective in course.steps]
            # on a logarithmic axis, what differs by rounding only is left out
            seconds, excess = zip(*(point for point in points if point[1] > 1e-7), strict=True)
            panel.loglog(seconds, excess, style, label=name)
        panel.set(title=f"k={k}", xlabel="seconds of training", ylabel="objective / lowest objective - 1")
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    figure.tight_layout()
    save_svg(figure, path)


def main() -> None:
    """Print the comparisons for each k, and draw the objectives if asked to."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--k", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--draw", type=Path)
    arguments = parser.parse_args()
    name, interactions = load_interactions(arguments.data)
    matrix = interactions.matrix
    print(f"{name}: {size_text(matrix)}")
    if arguments.short:
        courses = {500: compare(matrix, 500, (1,), {**ITERATIONS[500], "balanced": 100})}
    else:
        courses = {k: compare(matrix, k, (1, 2), ITERATIONS.get(k, ITERATIONS[500])) for k in arguments.k}
    if arguments.draw:
        draw(courses, arguments.draw)


if __name__ == "__main__":
    main()
