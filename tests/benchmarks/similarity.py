"""Neighbours by factors and by predicted scores: python -m tests.benchmarks.similarity [--data DIR_OR_ZIP] [--cost]

Plain ALS with k=50 and k=500, and k=500 at its optimum, which balanced ALS reaches in 30 iterations, are trained with
three seeds each. No two models share a seed. Printed is overlap@5 of the lists of all users, and in brackets of all
items: the mean over every two seeds of one model, or over every seed of one model with every seed of another.

Then the time of making the lists of all users and items by scores, relative to that by factors: both are made by turns
in one process, and the ratio is the median over the rounds. BLAS has its usual number of threads, as in an experiment.
--cost prints this part only.

--data names MovieLens 100K; without it, the synthetic data set is used.
"""

from pathlib import Path
from statistics import median

import numpy as np

from tasks.core.comparison.agreement import OtherSimilarity, other_similarity
from tasks.core.config.als import AlsConfig
from tasks.core.config.base import LIST_LENGTH
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.models.threads import cores
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.similarity import SIMILARITIES, make_neighbours
from tasks.core.types import Ids
from tests.benchmarks.measuring import argument_parser, load_interactions, seconds, size_text, table_head, table_row

SEEDS, N = 3, 5
OPTIMUM = "k=500 at its optimum"
MODELS = {
    "k=50 x 15": AlsConfig(factors=50, iterations=15),
    "k=500 x 15": AlsConfig(factors=500, iterations=15),
    "k=500 x 300": AlsConfig(factors=500, iterations=300),
    OPTIMUM: AlsConfig(factors=500, iterations=30, acceleration="balanced"),
}
PAIRS = (
    *((model, model) for model in MODELS),
    ("k=500 x 300", OPTIMUM),
    ("k=500 x 15", OPTIMUM),
    ("k=50 x 15", "k=500 x 15"),
    ("k=50 x 15", "k=500 x 300"),
)
ROUNDS = 11
SIDES = ("users", "items")


def neighbours(factors: Factors, by: str, n: int) -> dict[str, Ids]:
    """Return the n nearest users and items of all."""
    return {side: make_neighbours(factors, side, by, n=n).ids for side in SIDES}


def overlap_text(rows: list[OtherSimilarity], a: str, b: str) -> str:
    """Return the overlap of two models, or within one, for users and in brackets for items."""
    texts = []
    for side in SIDES:
        row = next(row for row in rows if row.target == side and {a, b} <= {row.a, row.b})
        within = row.within_a if row.a == a else row.within_b
        overlap = within if a == b else row.between
        texts.append(f"{overlap:.3f}".removeprefix("0"))
    return f"{texts[0]} ({texts[1]})"


def print_overlaps(fits: dict[str, list[Factors]]) -> None:
    """Print a row for each pair of models, and a column for each similarity."""
    first = fits["k=50 x 15"][0]
    entities = {side: Entities.all(len(getattr(first, side))) for side in SIDES}
    columns = []
    for by in SIMILARITIES:
        lists = {model: [neighbours(factors, by, N) for factors in of_model] for model, of_model in fits.items()}
        columns.append(other_similarity(lists, by=by, n=N, query=(), entities=entities))
    print(table_head(f"overlap@{N}, users (items)", *(f"by {by}" for by in SIMILARITIES)))
    for a, b in PAIRS:
        label = f"seeds of {a}" if a == b else f"{a} against {b}"
        print(table_row(label, *(overlap_text(rows, a, b) for rows in columns)))


def print_cost(name: str, factors: Factors) -> None:
    """Print the median time of each kind of lists, and the median of their ratio in a round."""
    rounds = [
        [seconds(lambda by=by: neighbours(factors, by, LIST_LENGTH)) for by in SIMILARITIES] for _ in range(ROUNDS)
    ]
    of_factors, of_scores = (median(times) for times in zip(*rounds, strict=True))
    ratio = median(by_scores / by_factors for by_factors, by_scores in rounds)
    size = f"{len(factors.users):,} x {len(factors.items):,}, {name}"
    print(table_row(size, f"{of_factors:.3f} s", f"{of_scores:.3f} s", f"{ratio:.2f}"))


def random_factors(users: int, items: int, k: int) -> Factors:
    """Return factors of independent normal values."""
    rng = np.random.default_rng(20)
    return Factors(*(rng.standard_normal((rows, k), dtype=np.float32) for rows in (users, items)))


def main() -> None:
    """Print both tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cost", action="store_true")
    arguments = parser.parse_args()
    name, interactions = load_interactions(arguments.data)
    print(f"{name}: {size_text(interactions.matrix)}\n")
    if arguments.cost:
        trained = als.fit(interactions.matrix, MODELS["k=500 x 15"], seed=0)
    else:
        fits = {
            model: [als.fit(interactions.matrix, config, seed=100 * position + seed) for seed in range(SEEDS)]
            for position, (model, config) in enumerate(MODELS.items())
        }
        print_overlaps(fits)
        trained = fits["k=500 x 15"][0]
        print()
    print(table_head(f"lists of {LIST_LENGTH}, k=500, {cores()} threads", "by factors", "by scores", "ratio"))
    print_cost(name, trained)
    print_cost("random", random_factors(10_000, 5_000, 500))


if __name__ == "__main__":
    main()
