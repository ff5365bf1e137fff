"""Cost of folding in: python -m tests.benchmarks.fold_in

Solves for 10,000 users with 100 random items each among 20,000, with random item factors. Best of three.
"""

import numpy as np
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.models.fold_in import fold_in
from tasks.core.models.threads import cores
from tests.benchmarks.measuring import argument_parser, best_of_three, table_head, table_row

USERS, ITEMS, PER_USER = 10_000, 20_000, 100


def fold_in_seconds(factors: int) -> float:
    """Return how long it takes to fold in the users against item factors of a length."""
    rng = np.random.default_rng(0)
    indices = rng.integers(0, ITEMS, USERS * PER_USER).astype(np.int32)
    indptr = np.arange(USERS + 1, dtype=np.int32) * PER_USER
    interactions = csr_array((np.ones(len(indices), dtype=np.float32), indices, indptr), shape=(USERS, ITEMS))
    interactions.sum_duplicates()
    items = rng.normal(size=(ITEMS, factors)).astype(np.float32) / np.float32(factors) ** 0.5
    settings = AlsConfig(factors=factors, iterations=1, alpha=10.0, regularization=1.0)
    return best_of_three(lambda: fold_in(interactions, items, settings))


def main() -> None:
    """Print the table."""
    argument_parser(__doc__).parse_args()
    print(f"{USERS:,} users with {PER_USER} items each, {ITEMS:,} items, {cores()} cores\n")
    print(table_head("factors", "seconds"))
    for factors in (16, 64, 256):
        print(table_row(factors, f"{fold_in_seconds(factors):.2f}"))


if __name__ == "__main__":
    main()
