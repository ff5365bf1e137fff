"""Steadiness and accuracy of the consensus of several seeds:

    python tests/benchmarks/consensus.py [--data DIR_OR_ZIP] [--iterations N] [--store URI]

k=50 with 15 iterations and k=500 with --iterations (15 by default) are trained with ten seeds each on all interactions,
and with ten others on the train part of the held-out split of configs/ml-100k.yaml. Printed are, for S = 1, 2, 3 and 5,

- the agreement of two consensuses of S seeds that share no seed: overlap and rank-biased overlap at 5 of the neighbours
  of all users and of all items, by factors and by predicted scores, and at 10 of the recommendations: mean and standard
  deviation over ten random draws of the 2·S seeds;
- the held-out accuracy of the recommendations of S seeds: mean and standard deviation over groups that share no seed.

--data names MovieLens 100K; without it, the synthetic data set is used. With --store, nothing is trained: the fits are
those of the models of configs/ml-100k.yaml in the last used comparison of its experiment in an MLflow store.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring import ROOT, argument_parser, load_interactions, size_text, table_head, table_row
from scipy.sparse import csr_array

from tasks.core.comparison.overlap import Agreement, Pair
from tasks.core.config.als import AlsConfig
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.planning.runs import MODEL, split_seeds
from tasks.core.ranking.consensus import consensus
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.metrics import accuracy, find_hits
from tasks.core.ranking.similarity import make_lists
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.comparison import used_fits
from tasks.tracking.lists import read_factors
from tasks.tracking.reading.named_run import find_run
from tasks.tracking.store import open_store

SEEDS, DRAWS = 10, 10
SIZES = (1, 2, 3, 5)
"""Seeds of a consensus."""
KINDS = {
    "users by factors": ("users", "factors", 5),
    "users by scores": ("users", "scores", 5),
    "items by factors": ("items", "factors", 5),
    "items by scores": ("items", "scores", 5),
    "recommendations": ("recommendations", "factors", 10),
}
"""Name -> target, similarity, depth."""
METRICS = ("ndcg_at_10", "recall_at_10")


@dataclass(frozen=True)
class Fits:
    """The factors of a model's fits on all interactions, and of those on the train part of the split."""

    on_all: list[Factors]
    on_train: list[Factors]


def trained(matrix: csr_array, split: Split, settings: AlsConfig, number: int) -> Fits:
    """Train a model. No two fits share a seed."""
    seeds = [1000 * number + seed for seed in range(2 * SEEDS)]
    return Fits(
        [als.fit(matrix, settings, seed=seed) for seed in seeds[:SEEDS]],
        [als.fit(split.train, settings, seed=seed) for seed in seeds[SEEDS:]],
    )


def stored(uri: str, config: ExperimentConfig) -> dict[str, Fits]:
    """Return the fits of a config's models in the last used comparison of its experiment."""
    client = open_store(uri)
    fits = {model: Fits([], []) for model in config.models}
    for run in used_fits(client, find_run(client, config.name).info.run_id):
        if run.model in fits:
            factors = read_factors(RunFiles(client, run.run_id))
            (fits[run.model].on_all if run.role == MODEL else fits[run.model].on_train).append(factors)
    return fits


def merged(runs: Sequence[Lists], n: int) -> Lists:
    """Return the first n entries of the consensus of runs."""
    lists = consensus(runs).lists
    return Lists(lists.ids[:, :n], lists.scores[:, :n])


def agreement(runs: Sequence[Lists], size: int, n: int) -> list[Agreement]:
    """Return how two consensuses of `size` runs that share none agree at depth n, for several draws of the runs."""
    rng = np.random.default_rng(size)
    agreements = []
    for _ in range(DRAWS):
        drawn = [runs[at] for at in rng.permutation(len(runs))[: 2 * size]]
        agreements.append(Pair.of(merged(drawn[:size], n).ids, merged(drawn[size:], n).ids).at(n))
    return agreements


def held_out_accuracy(runs: Sequence[Lists], size: int, split: Split) -> list[dict[str, float]]:
    """Return the metrics of the consensus of `size` runs, for groups of runs that share none."""
    relevant = np.diff(split.test.indptr).astype(np.int64)
    users = np.flatnonzero(relevant)
    groups = [runs[start : start + size] for start in range(0, len(runs) - size + 1, size)]
    hits = [find_hits(merged(group, 10).ids, split.test)[users] for group in groups]
    return [
        {name: float(of.mean()) for name, of in accuracy(of_group, relevant[users], 10).items()} for of_group in hits
    ]


def spread(values: Iterable[float]) -> str:
    """Return mean and standard deviation, the latter of two values or more."""
    values = list(values)
    text = f"{np.mean(values):.4f}"
    return text if len(values) < 2 else f"{text} ± {np.std(values, ddof=1):.4f}"


def main() -> None:
    """Print both tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--store")
    arguments = parser.parse_args()
    name, interactions = load_interactions(arguments.data)
    matrix = interactions.matrix
    config = load_config(ROOT / "configs" / "ml-100k.yaml")
    assert config.evaluation is not None
    split = hold_out(interactions, config.evaluation.split, seed=split_seeds(config)[0])
    if arguments.store:
        fits = stored(arguments.store, config)
    else:
        iterations = {"k50": config.models["k50"].iterations, "k500": arguments.iterations}
        fits = {
            model: trained(matrix, split, settings.model_copy(update={"iterations": iterations[model]}), number)
            for number, (model, settings) in enumerate(config.models.items())
        }
    print(f"{name}: {size_text(matrix)}\n")
    print(table_head("model", "lists", "agreement", *(f"S = {size}" for size in SIZES)))
    for model, of_model in fits.items():
        for kind, (target, by, n) in KINDS.items():
            runs = [make_lists(factors, target, by, liked=matrix, n=LIST_LENGTH) for factors in of_model.on_all]
            of_sizes = [agreement(runs, size, n) for size in SIZES]
            for measure, what in (("overlap", f"overlap@{n}"), ("rbo", f"RBO@{n}")):
                cells = [spread(getattr(draw, measure) for draw in draws) for draws in of_sizes]
                print(table_row(model, kind, what, *cells), flush=True)
    print()
    print(table_head("model", "metric", *(f"S = {size}" for size in SIZES)))
    for model, of_model in fits.items():
        runs = [
            make_lists(factors, "recommendations", "factors", liked=split.train, n=LIST_LENGTH)
            for factors in of_model.on_train
        ]
        by_size = [held_out_accuracy(runs, size, split) for size in SIZES]
        for metric in METRICS:
            print(table_row(model, metric, *(spread(group[metric] for group in groups) for groups in by_size)))


if __name__ == "__main__":
    main()
