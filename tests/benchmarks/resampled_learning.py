"""Level of the tests of accuracy on several splits, with models that learn: resampled_learning.py [DATA_SETS]

Many small data sets are generated, split several times, and two models are fitted on each split with seeds of their
own. Their expected accuracies are equal:

- same: both have the same settings, so that they differ by their seeds only;
- mirrored: the items are two halves with the same properties, between which a user's tastes are drawn independently.
  One model gives eight times the weight to interactions with one half, the other to those with the other half. The
  models differ on every user, on every split and in every data set, and by symmetry not in expectation.

Counted is how often the tests of `resampled_level` call them different at the level .05.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse import csr_array, diags_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.evaluation import FoldsSplit, RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.folds import hold_out_fold
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.inference.means.resampled import SplitValues, mean_difference_over_splits
from tasks.core.inference.multiplicity import LEVEL
from tasks.core.models import als
from tasks.core.models.fold_in import fold_in
from tasks.core.ranking import metrics
from tasks.core.types import Values
from tests.benchmarks.measuring import table_head, table_row
from tests.benchmarks.resampled_level import other_tests

USERS, HALF, TASTES, LIKED = 80, 25, 3, (10, 20)
"""Users, items of each half, latent tastes for a half, and the range of a user's numbers of interactions."""
SETTINGS = AlsConfig(factors=4, iterations=5, regularization=1.0)
SPLITS, SEEDS, CUTOFF = 5, 2, 10
WEIGHTS = {
    "same": (np.ones(2 * HALF), np.ones(2 * HALF)),
    "mirrored": (np.repeat([8.0, 1.0], HALF), np.repeat([1.0, 8.0], HALF)),
}


def generate(rng: np.random.Generator) -> csr_array:
    """Return the interactions of new users, (U, I). The items are the same in all data sets, with equal halves."""
    of_items = np.random.default_rng(1).normal(size=(HALF, TASTES))
    scores = np.hstack([rng.normal(size=(USERS, TASTES)) @ of_items.T for _ in range(2)])
    scores += rng.gumbel(size=scores.shape)
    rank = np.argsort(np.argsort(-scores, axis=1), axis=1)
    return csr_array((rank < rng.integers(*LIKED, size=(USERS, 1))).astype(np.float32))


def random_splits(matrix: csr_array, seed: int) -> Iterator[Split]:
    """Yield splits that each hold out a fifth of the interactions at random."""
    users, items = matrix.shape
    interactions = Interactions(matrix, np.arange(users), np.arange(items), None, None)
    for number in range(SPLITS):
        yield hold_out(interactions, RandomSplit(), seed=seed + number)


def folds(by: str) -> Callable[[csr_array, int], Iterator[Split]]:
    """Return a function that yields the folds of interactions or users."""
    config = FoldsSplit.model_validate({"strategy": "folds", "by": by, "folds": SPLITS, "visible": None})
    return lambda matrix, seed: (hold_out_fold(matrix, config, number, seed=seed) for number in range(SPLITS))


STRATEGIES = {"random": random_splits, "interactions": folds("interactions"), "users": folds("users")}


def measure(split: Split, weights: Values, seed: int) -> Values:
    """Fit a model to a split whose items are weighted; return the accuracy of each user with test items."""
    scale = diags_array(weights.astype(np.float32))
    factors = als.fit(csr_array(split.train @ scale), SETTINGS, seed=seed, threads=1)
    users = factors.users
    if split.visible is not None:
        held_out = np.flatnonzero(np.diff(split.visible.indptr))
        users[held_out] = fold_in(csr_array(split.visible @ scale)[held_out], factors.items, SETTINGS)
    scores = np.where(split.known.toarray() > 0, -np.inf, users @ factors.items.T)
    hits = metrics.find_hits(np.argsort(-scores, axis=1)[:, :CUTOFF].astype(np.int32), split.test)
    relevant = np.diff(split.test.indptr).astype(np.int64)
    return metrics.accuracy(hits[relevant > 0], relevant[relevant > 0], CUTOFF)[f"ndcg_at_{CUTOFF}"]


def measured(splits: list[Split], weights: Values, rng: np.random.Generator) -> SplitValues:
    """Return the accuracy of a model on each split, with seeds of their own."""
    values, users = [], []
    for split in splits:
        values.append(np.stack([measure(split, weights, int(rng.integers(2**31))) for _ in range(SEEDS)]))
        users.append(np.flatnonzero(np.diff(split.test.indptr)))
    return SplitValues(tuple(values), tuple(users), float(np.mean([split.held_out_ratio for split in splits])))


def main() -> None:
    """Print the table of docs/verdict.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_sets", nargs="?", type=int, default=300)
    data_sets = parser.parse_args().data_sets
    print(table_head("models", "splits", "t", "corrected t", "ours", "sd of the difference", "mean standard error"))
    for models, (of_a, of_b) in WEIGHTS.items():
        for name, strategy in STRATEGIES.items():
            rng, decisions, estimates = np.random.default_rng(0), [], []
            for number in range(data_sets):
                splits = list(strategy(generate(rng), SPLITS * number))
                pair = measured(splits, of_a, rng), measured(splits, of_b, rng)
                estimates.append(mean_difference_over_splits(*pair))
                decisions.append([p <= LEVEL for p in (*other_tests(*pair), estimates[-1].p)])
            rates = [f"{rate:.3f}".removeprefix("0") for rate in np.mean(decisions, axis=0)]
            spread = np.std([estimate.value for estimate in estimates], ddof=1)
            error = np.sqrt(np.mean([estimate.standard_error**2 for estimate in estimates]))
            print(table_row(models, name, *rates, f"{spread:.4f}", f"{error:.4f}"), flush=True)


if __name__ == "__main__":
    main()
