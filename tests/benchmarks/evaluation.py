"""Cost of evaluation: python tests/benchmarks/evaluation.py --data DIR_OR_ZIP

Evaluates one model on its held-out split with every metric at cutoffs 5, 10 and 20, on MovieLens 100K and on 5,479
users x 3,000 items. Each reference recommender is trained and evaluated likewise. Best of three.
"""

from pathlib import Path

import numpy as np
from measuring import argument_parser, best_of_three, load_interactions, table_head, table_row
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models import als
from tasks.core.models.reference_recommenders import RECOMMENDERS
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import preferences

CUTOFFS = (5, 10, 20)
USERS, ITEMS, PER_USER = 5_479, 3_000, 100
"""Size of the larger data; some of a user's draws are of the same item."""


def larger_split() -> Split:
    """Return the split of random interactions in which an item's popularity falls with a power of its rank."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, ITEMS + 1) ** 0.8
    users = np.repeat(np.arange(USERS), PER_USER)
    items = rng.choice(ITEMS, PER_USER * USERS, p=weights / weights.sum())
    matrix = csr_array((np.ones(len(users), dtype=np.float32), (users, items)), shape=(USERS, ITEMS))
    matrix.sum_duplicates()
    return hold_out(Interactions(matrix, np.arange(USERS), np.arange(ITEMS), None), RandomSplit(), seed=1)


def main() -> None:
    """Print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MovieLens 100K")
    _, interactions = load_interactions(parser.parse_args().data)
    splits = {"MovieLens 100K": hold_out(interactions, RandomSplit(), seed=1), "larger": larger_split()}
    print(table_head("", "users x items", "seconds"))
    for name, split in splits.items():
        size = " x ".join(f"{number:,}" for number in split.train.shape)
        factors = als.fit(split.train, AlsConfig(factors=50, iterations=2), seed=1)
        seconds = best_of_three(lambda factors=factors, split=split: evaluate(preferences(factors), split, CUTOFFS))
        print(table_row(f"{name}, ALS k=50", size, f"{seconds:.2f}"))
        for reference, train in RECOMMENDERS.items():
            seconds = best_of_three(
                lambda train=train, split=split: evaluate(train(split.train, split.known, 1), split, CUTOFFS)
            )
            print(table_row(f"{name}, {reference} with its training", size, f"{seconds:.2f}"))


if __name__ == "__main__":
    main()
