"""What the frequency-scaled penalty of Rendle et al. (2022) gains, which implicit does not have.

    python tests/benchmarks/frequency_weighted.py --data DIR_OR_ZIP

For each exponent ν of the frequencies, the weight of all cells and the penalty are chosen on the validation part, and
the model is fitted to the train part with three seeds. ν = 0 is what implicit and latentlab fit.
"""

from itertools import product
from pathlib import Path

import numpy as np
import threadpoolctl
from measuring import argument_parser, load_interactions, table_head, table_row
from scipy.sparse import csr_array

from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models.factors import Factors
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import preferences
from tasks.core.types import Values

FACTORS, ITERATIONS, SEEDS = 32, 10, 3
EXPONENTS = (0.0, 0.5, 1.0)
WEIGHTS = (0.05, 0.1, 0.2)
PENALTIES = (1.0, 2.5, 5.0, 10.0)


def solve(observed: csr_array, other: Values, weight: float, penalties: Values) -> Values:
    """Solve all rows of one side exactly: (weight·YᵀY + Σ over observed yyᵀ + penalty·I) x = Σ over observed y."""
    pairs = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
    systems = (observed @ pairs).reshape(-1, FACTORS, FACTORS) + weight * other.T @ other
    systems[:, np.arange(FACTORS), np.arange(FACTORS)] += penalties[:, None]
    return np.linalg.solve(systems, (observed @ other)[:, :, None])[:, :, 0]


def fit(split: Split, exponent: float, weight: float, penalty: float, seed: int) -> Factors:
    """Fit the objective of Rendle et al. (2022), section 3, with alternating exact solves in float64."""
    ones = csr_array(split.train != 0, dtype=np.float64)
    by_item = ones.T.tocsr()
    penalties = []
    for side in (ones, by_item):
        scale = (np.diff(side.indptr) + weight * side.shape[1]) ** exponent
        penalties.append(penalty * scale / scale.mean())  # of the same mean for every exponent
    rng = np.random.default_rng(seed)
    users, items = (rng.normal(0, 0.1 / np.sqrt(FACTORS), (size, FACTORS)) for size in ones.shape)
    for _ in range(ITERATIONS):
        users = solve(ones, items, weight, penalties[0])
        items = solve(by_item, users, weight, penalties[1])
    return Factors(users.astype(np.float32), items.astype(np.float32))  # 0 without interactions


def accuracy(split: Split, exponent: float, weight: float, penalty: float, seed: int = 1) -> float:
    """Return ndcg_at_10 of one fit."""
    return evaluate(preferences(fit(split, exponent, weight, penalty, seed)), split, (10,)).means()["ndcg_at_10"]


def main() -> None:
    """Print the table of docs/published.md."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MovieLens 100K")
    _, interactions = load_interactions(parser.parse_args().data)
    validation, test = (hold_out(interactions, RandomSplit(), seed=1, validation=part) for part in (True, False))
    columns = ("ν", "weight of all cells", "penalty", "ndcg_at_10, validation", "ndcg_at_10, test, 3 seeds")
    print(table_head(*columns), flush=True)
    threadpoolctl.threadpool_limits(1)  # the systems are small
    for exponent in EXPONENTS:
        found = {pair: accuracy(validation, exponent, *pair) for pair in product(WEIGHTS, PENALTIES)}
        weight, penalty = max(found, key=found.__getitem__)
        on_test = [accuracy(test, exponent, weight, penalty, seed) for seed in range(1, SEEDS + 1)]
        spread = f"{np.mean(on_test):.4f} ± {np.std(on_test, ddof=1):.4f}"
        cells = (f"{exponent:g}", f"{weight:g}", f"{penalty:g}", f"{found[weight, penalty]:.4f}", spread)
        print(table_row(*cells), flush=True)


if __name__ == "__main__":
    main()
