"""Our train step against a bare `implicit` fit of the same settings: python tests/benchmarks/train_step.py

Side by side in one process, alternating, the minimum of several rounds: with BLAS capped to one thread as we do
it, and uncapped as a plain notebook runs it. Ratios; seconds are this machine's. The factors are compared bit by bit.
Reads MovieLens 100K from the directory given as --data, else the embedded data set.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import preprocessing
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import nearest


def bare(matrix: csr_matrix, config: AlsConfig, seed: int) -> Factors:
    """What a notebook writes."""
    model = AlternatingLeastSquares(
        factors=config.factors,
        iterations=config.iterations,
        regularization=config.regularization,
        random_state=seed,
    )
    model.fit(matrix, show_progress=False)
    return Factors(model.user_factors, model.item_factors)


def main() -> None:
    """Print a line for each k."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    dataset = DatasetConfig(name="synthetic-100k")
    if arguments.data:
        dataset = DatasetConfig(name="movielens-100k", path=str(arguments.data))
    data = preprocessing.build(read_ratings(dataset, locate(dataset)), PreprocessConfig())
    matrix = csr_matrix(data.matrix)
    print(f"{dataset.name}: {matrix.shape[0]} users, {matrix.shape[1]} items, {matrix.nnz} interactions")
    for k, iterations in ((50, 60), (500, 50)):
        config = AlsConfig(factors=k, iterations=iterations)
        seconds: dict[str, list[float]] = {"ours": [], "capped": [], "uncapped": []}
        found: dict[str, Factors] = {}
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            found["ours"] = als.fit(data.matrix, config, seed=1, snapshots=[1, 2, 5], on_iteration=lambda _: None)
            seconds["ours"].append(time.perf_counter() - start)
            start = time.perf_counter()
            with threadpoolctl.threadpool_limits(1, "blas"):
                found["capped"] = bare(matrix, config, 1)
            seconds["capped"].append(time.perf_counter() - start)
            start = time.perf_counter()
            bare(matrix, config, 1)
            seconds["uncapped"].append(time.perf_counter() - start)
        best = {name: min(values) for name, values in seconds.items()}
        same = all(
            np.array_equal(getattr(found["ours"], side), getattr(found["capped"], side)) for side in ("users", "items")
        )
        start = time.perf_counter()
        for factors in (found["ours"].users, found["ours"].items):
            nearest(factors, n=100)
        lists = time.perf_counter() - start
        print(
            f"k={k}, {iterations} iterations: {best['ours']:.3f} s, {best['ours'] / best['capped']:.3f} times a bare "
            f"fit with BLAS capped, {best['uncapped'] / best['ours']:.2f} times faster than uncapped; "
            f"factors {'bit-identical' if same else 'DIFFERENT'}; all neighbour lists {lists:.2f} s"
        )


if __name__ == "__main__":
    main()
