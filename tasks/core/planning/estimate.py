"""Estimates of the time, memory and disk space that an experiment takes.

Times are short measurements on this machine, scaled to the size of the experiment. They are meant to be right within a
factor of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.comparison.per_user import MOST_USERS
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.dataset import DatasetConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Summary
from tasks.core.models import cost
from tasks.core.models.cost import BLOCK_BYTES, gflop, sweep_seconds
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.planning.capacity import fits_at_a_time, run_bytes
from tasks.core.planning.references import (
    NO_REFERENCES,
    ReferencePlan,
    references_of,
    references_seconds,
    run_beside_fits,
)
from tasks.core.planning.runs import EVALUATION, MODEL, PlannedRun, planned_runs
from tasks.core.ranking.metrics import auc
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.similarity import SIMILARITIES
from tasks.core.types import Floats, Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LIST_BYTES = 8 * LIST_LENGTH
"""Of one list, of which each entry has an id and a score."""
_START_SECONDS = 10.0
"""Start of a run: imports, Prefect and the MLflow store."""
_COMPARISON_SECONDS = 4.0
"""Part of the comparison that does not grow with the data: imports, figures, tables, the report."""
_FIT_SECONDS = 0.5
"""Part of a fit besides training and lists: tasks, metrics, files."""
_SPARK_START_SECONDS = 15.0
"""Start of Spark, and its first fit, which is compiled meanwhile."""
_SPARK_PREPARATION_SECONDS = 1.2e-6
"""Reading, sorting and dividing one interaction into blocks, before the first iteration of a fit of Spark."""
_READ_SECONDS = 1.2e-6
"""Reading, indexing and splitting of one rating."""
_READ_BYTES = 46
"""Memory of one rating while the ratings of a text file are read and indexed."""
_STREAMED_BYTES = 16
"""The same where Parquet is streamed."""
_SCORE_GFLOP = 1.5e-8
"""Training work that takes as long as computing one score and ranking it; measured with 200,000 users, 85,000 items and
64 factors."""
_HELD_OUT_SHARE = 0.2
"""Of the interactions, by default."""
_SAMPLE = 256
"""Number of lists that are made to measure their time."""


@dataclass(frozen=True)
class Estimate:
    """What an experiment takes on this machine if none of its fits is complete yet; at most, with planned looks.

    Attributes
    ----------
    fits, iterations : int
        Totals. A fit with a stopping rule counts with all of its iterations.
    gflop : float
        Work of all fits, see `tasks.core.models.cost.gflop`.
    workers : int
        Fits at a time.
    seconds : float
        Duration of the whole run, with its start and the comparison.
    memory_bytes : int
        Peak of all processes together, without the libraries.
    disk_bytes : int
        Size of all files written: interactions, factors, lists, logged models.
    references : ReferencePlan
        How the reference recommenders are computed.
    start_seconds, comparison_seconds : float
        The parts of `seconds` besides the data and the fits: the start, and the comparison of lists and accuracy.
    """

    fits: int
    iterations: int
    gflop: float
    workers: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    references: ReferencePlan = NO_REFERENCES
    start_seconds: float = _START_SECONDS
    comparison_seconds: float = _COMPARISON_SECONDS


def estimate(config: ExperimentConfig, users: int, items: int, n_interactions: int) -> Estimate:
    """Estimate what an experiment takes on data of a given size. The measurements take about a second.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    users, items, n_interactions : int
        Size of its interactions.

    Returns
    -------
    Estimate
    """
    if not config.trained:
        seconds = _START_SECONDS + _COMPARISON_SECONDS
        return Estimate(fits=0, iterations=0, gflop=0.0, workers=1, seconds=seconds, memory_bytes=0, disk_bytes=0)
    size, listed = (users, items, n_interactions), _listed(config, users, items)
    runs = planned_runs(config, "")
    references = references_of(config, size)
    workers = fits_at_a_time(config.execution.workers, runs, size)
    threads = max(cores() // workers, 1)
    sweep = {
        (model, fitted): sweep_seconds((users, items), fitted, config.trained[model], threads)
        for model, fitted in {(run.model, run.fitted_interactions(n_interactions)) for run in runs}
    }
    lists_seconds = {
        (role, factors): _lists_seconds(size, factors, role, listed)
        for role in {run.role for run in runs}
        for factors in {settings.factors for settings in config.trained.values()}
    }
    fit_seconds = [
        run.settings.iterations * sweep[run.model, run.fitted_interactions(n_interactions)]
        + lists_seconds[run.role, run.settings.factors]
        + _FIT_SECONDS
        + _SPARK_PREPARATION_SECONDS * run.fitted_interactions(n_interactions) * run.settings.is_of_spark
        for run in runs
    ]
    start = _START_SECONDS + (_SPARK_START_SECONDS if any(run.settings.is_of_spark for run in runs) else 0.0)
    seconds = start + _READ_SECONDS * n_interactions
    seconds += max(sum(fit_seconds) / workers, max(fit_seconds))  # no shorter than the longest fit
    model_factors = [run.settings.factors for run in runs if not run.is_evaluation]
    comparison = _COMPARISON_SECONDS + sum(lists_seconds[MODEL, factors] for factors in model_factors) / 10
    if config.evaluation:
        lists_of_one = min(seconds for (role, _), seconds in lists_seconds.items() if role == EVALUATION)
        comparison += references_seconds(references, config.evaluation.n_splits * lists_of_one)
    memory = memory_bytes(config, size)
    return Estimate(
        fits=len(runs),
        iterations=sum(run.settings.iterations for run in runs),
        gflop=sum(gflop((users, items), run.fitted_interactions(n_interactions), run.settings) for run in runs),
        workers=workers,
        seconds=seconds + comparison,
        memory_bytes=max(_reading_bytes(config.dataset) * n_interactions, memory, references.n_bytes),
        disk_bytes=_disk_bytes(config, size, model_factors),
        references=references,
        start_seconds=start,
        comparison_seconds=comparison,
    )


def relative_work(config: ExperimentConfig, size: Summary, runs: Sequence[PlannedRun]) -> dict[str, float]:
    """Return the work of each part of the fits, for progress bars in which a part counts by its work.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    size : Summary
        Of the interactions.
    runs : sequence of PlannedRun
        The fits to run.

    Returns
    -------
    dict of str to float
        `training_label` and `lists_label` of each run -> work in 10^9 operations of training.
    """
    users, items = _listed(config, size.users, size.items)
    # a model's run lists neighbours of users and of items by each similarity, and recommendations
    scores = {
        MODEL: len(SIMILARITIES) * (users * size.users + items * size.items) + users * size.items,
        EVALUATION: 2 * size.users * size.items,  # twice, since they are also sorted for the AUC
    }
    shape = size.users, size.items
    training = {
        run.training_label: gflop(shape, run.fitted_interactions(size.interactions), run.settings) for run in runs
    }
    return training | {run.lists_label: _SCORE_GFLOP * scores[run.role] for run in runs}


def _listed(config: ExperimentConfig, users: int, items: int) -> tuple[int, int]:
    """Return the numbers of users and of items that have lists. Queries outside of a sample are not counted."""
    size = config.neighbours.sample
    return (users, items) if size is None else (min(size, users), min(size, items))


def _lists_seconds(size: tuple[int, int, int], factors: int, role: str, listed: tuple[int, int]) -> float:
    """Return the time of making a run's lists, measured on a sample of them."""
    users, items, n_interactions = size
    rng = np.random.default_rng(0)
    seconds = 0.0
    if role == EVALUATION:  # recommendations alone, for all users
        shapes = [(users, items)]
    else:
        neighbours = [(listed[0], users), (listed[1], items)]
        shapes = [*neighbours * len(SIMILARITIES), (listed[0], items)]
        with one_blas_thread():
            seconds += _score_vectors_seconds(users + items, rng.random((_SAMPLE, factors)))
    for rows, columns in shapes:
        vectors = rng.random((columns, factors), dtype=np.float32)
        sample = np.arange(min(rows, columns, _SAMPLE), dtype=np.int32)
        with one_blas_thread():
            sample_seconds = cost.seconds(partial(nearest, n=LIST_LENGTH, rows=sample), vectors)
        if role == EVALUATION:
            scores = rng.random((len(sample), columns), dtype=np.float32)
            n_test = min(max(round(_HELD_OUT_SHARE * n_interactions / rows), 1), columns)
            sample_seconds += cost.seconds(auc, scores, *_split_of_sample(scores, n_test))
        seconds += sample_seconds * rows / len(sample)
    return seconds


def _split_of_sample(scores: Floats, n_test: int) -> tuple["csr_array", "csr_array"]:
    """Return a train part without interactions, and a test part with as many for each row of scores."""
    from scipy.sparse import csr_array

    rows = np.arange(len(scores) + 1)

    def part(n: int) -> "csr_array":
        items = np.tile(np.arange(n), len(scores))
        return csr_array((np.ones(len(items), dtype=np.float32), items, rows * n), shape=scores.shape)

    return part(0), part(n_test)


def _score_vectors_seconds(entities: int, part: Values) -> float:
    """Return the time of `score_vectors` for both sides; `part` has the factors of some entities."""
    product = cost.seconds(np.matmul, part.T, part)
    root = cost.seconds(np.linalg.cholesky, part.T @ part + np.eye(part.shape[1]))
    return 2 * root + 2 * product * entities / len(part)


def memory_bytes(config: ExperimentConfig, size: tuple[int, int, int]) -> int:
    """Return the peak memory of the steps after the ratings are read, which follow one another: fits, comparison.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment, with a model that is trained.
    size : tuple of int
        Number of users, of items and of interactions.

    Returns
    -------
    int
        Bytes of all processes together, without the libraries.
    """
    users, items, n_interactions = size
    runs = planned_runs(config, "")
    workers = fits_at_a_time(config.execution.workers, runs, size)
    n_model_runs = sum(not run.is_evaluation for run in runs)
    listed = _listed(config, users, items)
    matrix = 8 * n_interactions
    # the judged lists whole, and of the others what is compared
    lists = LIST_BYTES * (2 * listed[0] + listed[1]) + 4 * config.queries.n * sum(listed)
    factors = max(settings.factors for settings in config.trained.values())
    making_lists = 4 * factors * (users + items) * 3 + 3 * LIST_BYTES * max(listed)
    fit = max(run_bytes(run, size) for run in runs)
    references = references_of(config, size)
    beside = references.n_bytes if run_beside_fits(references, n_interactions) else 0
    return beside + max(
        workers * (fit + making_lists) + matrix + _spark_heap_bytes(config),
        2 * matrix + n_model_runs * lists + max(2 * lists, _comparison_bytes(config, *listed, n_model_runs)),
    )


def _reading_bytes(dataset: DatasetConfig) -> int:
    """Return the memory of one rating while they are read."""
    path = Path(dataset.path or "")
    is_streamed = dataset.name == "file" and (path.is_dir() or path.suffix == ".parquet")
    return _STREAMED_BYTES if is_streamed else _READ_BYTES


def _spark_heap_bytes(config: ExperimentConfig) -> int:
    """Return the heap of the Java process that is started for models of Spark, which with a local master trains too."""
    if config.execution.spark is None:
        return 0
    text = config.execution.spark.config.get("spark.driver.memory", "1g").lower().removesuffix("b")
    unit = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50}.get(text[-1:])
    number = text if unit is None else text[:-1]
    # Spark refuses what is no number
    return int(number) << (20 if unit is None else unit) if number.isdecimal() else 0


def _comparison_bytes(config: ExperimentConfig, users: int, items: int, n_model_runs: int) -> int:
    """Return the memory that comparing the lists of all runs takes besides the lists: the most of three steps."""
    entities = max(users, items)
    n = max(config.queries.n, config.queries.recommend_n)
    runs_of_pair = min(2 * config.most_replicates, n_model_runs)
    blocks = 4 * min(BLOCK_BYTES, 8 * entities**2)  # temporary arrays
    return blocks + max(
        16 * LIST_LENGTH * entities,  # two runs: entries shared and overlap, at each depth (`comparison.agreement`)
        n_model_runs * entities * (9 * n + 24),  # all runs: the first n entries, twice (`inference.overlap_counts`)
        16 * runs_of_pair**2 * min(users, MOST_USERS),  # two models, user by user, twice (`comparison.per_user`)
    )


def _disk_bytes(config: ExperimentConfig, size: tuple[int, int, int], model_factors: Sequence[int]) -> int:
    """Return the size of the interactions and their splits, and of the factors and lists of the models' runs."""
    users, items, n_interactions = size
    n_splits = config.evaluation.n_splits if config.evaluation else 0
    matrices = (16 + 8 * n_splits) * n_interactions  # with timestamps
    listed_users, listed_items = _listed(config, users, items)
    # the run's lists, and those by factors again in its logged model
    lists = LIST_BYTES * (5 * listed_users + 3 * listed_items)
    # so are its item factors
    return matrices + sum(4 * factors * (users + 2 * items) + lists for factors in model_factors)
