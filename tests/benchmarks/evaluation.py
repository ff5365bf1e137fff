"""What evaluation costs: python tests/benchmarks/evaluation.py --data DIR_OR_ZIP (MovieLens 100K)

One model on its held-out split, every metric at cutoffs 5, 10 and 20, on MovieLens 100K and on 5,479 users x 3,000
items; each reference likewise, its fit included. Best of three.
"""

import argparse

import numpy as np
from measuring import least
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import RandomSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.splits import Split, hold_out
from tasks.core.models import als
from tasks.core.models.reference_recommenders import RECOMMENDERS
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import preferences

CUTOFFS = (5, 10, 20)


def large() -> Split:
    """5,479 users x 3,000 items, 100 interactions a user at most, popularity falling as a power."""
    stream, users, items = np.random.default_rng(0), 5_479, 3_000
    weights = 1 / np.arange(1, items + 1) ** 0.8
    pairs = np.repeat(np.arange(users), 100), stream.choice(items, 100 * users, p=weights / weights.sum())
    matrix = csr_array((np.ones(100 * users, dtype=np.float32), pairs), shape=(users, items))
    matrix.sum_duplicates()
    return hold_out(Interactions(matrix, np.arange(users), np.arange(items), None), RandomSplit(), seed=1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    config = DatasetConfig(name="movielens-100k", path=parser.parse_args().data)
    movielens = hold_out(build(read_ratings(config, locate(config)), PreprocessConfig()), RandomSplit(), seed=1)
    print("| | users x items | seconds |\n| --- | --- | --- |")
    for name, split in (("MovieLens 100K", movielens), ("larger", large())):
        size = " x ".join(f"{rows:,}" for rows in split.train.shape)
        factors = als.fit(split.train, AlsConfig(factors=50, iterations=2), seed=1)
        seconds = least(lambda f=factors, s=split: evaluate(preferences(f), s, CUTOFFS))  # type: ignore[misc]
        print(f"| {name}, ALS k=50 | {size} | {seconds:.2f} |")
        for reference, make in RECOMMENDERS.items():
            seconds = least(lambda m=make, s=split: evaluate(m(s.train, 1), s, CUTOFFS))  # type: ignore[misc]
            print(f"| {name}, {reference}, with its fit | {size} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
