"""Estimated time, memory and disk of an experiment."""

from dataclasses import dataclass

import numpy as np

from tasks.core.comparison.accuracy_tests import TESTED
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.models import cost
from tasks.core.models.cost import fit_bytes, gflop, sweep_seconds
from tasks.core.models.reference_recommenders import references_for
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.planning.capacity import fits_at_a_time
from tasks.core.planning.runs import EVALUATION, MODEL, planned_runs
from tasks.core.ranking.neighbours import nearest

START_SECONDS = 10.0
"""Imports, the orchestrator and the store."""
FIT_SECONDS = 0.5
"""Of a fit, beside training and lists: tasks, metrics, files."""
READ_SECONDS = 1.2e-6
"""Of a rating: reading, indexing, splitting."""
TEST_SECONDS = 1e-5
"""Of a user, for each test of accuracy: sign flips and a bootstrap."""
READ_BYTES = 46
"""Of a rating, while the ratings are read and indexed."""


@dataclass(frozen=True)
class Estimate:
    """What an experiment takes on this machine, where nothing of it is found complete.

    gflop : of all fits, see `gflop`
    workers : fits at a time
    seconds : of the whole run
    memory_bytes : at the peak, in all its processes, beside the libraries
    disk_bytes : what it writes: interactions, factors, lists, the logged models
    """

    fits: int
    iterations: int
    gflop: float
    workers: int
    seconds: float
    memory_bytes: int
    disk_bytes: int


def estimate(config: ExperimentConfig, users: int, items: int, n_interactions: int) -> Estimate:
    """Time, memory and disk of a config on data of a given size; takes a second or so.

    Where a model has a rule for stopping, its iterations are the most that may be run.
    """
    size = users, items, n_interactions
    runs = planned_runs(config, "")
    workers = fits_at_a_time(config.execution.workers, runs, size)
    threads = max(cores() // workers, 1)
    training = {
        name: settings.iterations * sweep_seconds((users, items), n_interactions, settings, threads)
        for name, settings in config.models.items()
    }
    listing = {
        (role, factors): _listing_seconds(users, items, factors, role)
        for role in {run.role for run in runs}
        for factors in {settings.factors for settings in config.models.values()}
    }
    each = [training[run.model] + listing[run.role, run.settings.factors] + FIT_SECONDS for run in runs]
    models = [run for run in runs if run.role == MODEL]
    compared = sum(listing[MODEL, run.settings.factors] for run in models) / 10
    measured = measured_seconds(config, users, items, listing) if config.evaluation else 0.0
    seconds = START_SECONDS + READ_SECONDS * n_interactions + max(sum(each) / workers, max(each)) + compared + measured
    return Estimate(
        fits=len(runs),
        iterations=sum(run.settings.iterations for run in runs),
        gflop=sum(gflop((users, items), n_interactions, run.settings) for run in runs),
        workers=workers,
        seconds=seconds,
        memory_bytes=_memory(config, size, len(models), workers),
        disk_bytes=_disk(config, size, [run.settings.factors for run in models]),
    )


def _listing_seconds(users: int, items: int, factors: int, role: str) -> float:
    """Of a run's lists: neighbours of users and items and recommendations, or the recommendations that are measured."""
    stream, total = np.random.default_rng(0), 0.0
    pairs = [(users, users), (items, items), (users, items)] if role != EVALUATION else [(users, items)]
    for rows, columns in pairs:
        others = stream.random((columns, factors), dtype=np.float32)
        sample = np.arange(min(rows, columns, 256), dtype=np.int32)
        with one_blas_thread():
            listed = cost.seconds(lambda y, some: nearest(y, n=LIST_LENGTH, rows=some), others, sample)
        if role == EVALUATION:  # the area under the curve is of all items' order
            listed += cost.seconds(
                lambda y: np.sort(y, axis=1), stream.random((len(sample), columns), dtype=np.float32)
            )
        total += listed * rows / len(sample)
    return total


def measured_seconds(config: ExperimentConfig, users: int, items: int, listing: dict[tuple[str, int], float]) -> float:
    """Of the references' evaluations, one a core, and of the tests of accuracy.

    Parameters
    ----------
    listing : (role, factors) -> seconds of one run's lists
    """
    references = len(references_for(items))
    evaluation = min(seconds for (role, _), seconds in listing.items() if role == EVALUATION)
    tests = len(TESTED) * (len(config.models) - 1) + len(config.models)
    return references / min(cores(), references) * evaluation + tests * TEST_SECONDS * users


def _lists_bytes(users: int, items: int) -> int:
    return LIST_LENGTH * 8 * (2 * users + items)


def _memory(config: ExperimentConfig, size: tuple[int, int, int], models: int, workers: int) -> int:
    users, items, n_interactions = size
    factors = max(settings.factors for settings in config.models.values())
    matrix, lists = 8 * n_interactions, _lists_bytes(users, items)
    reading = READ_BYTES * n_interactions
    making_lists = 4 * factors * (users + items) * 2 + 3 * lists
    each = max(fit_bytes(*size, settings) for settings in config.models.values())
    fits = workers * (each + making_lists) + matrix
    comparing = 2 * matrix + (models + 2) * lists
    ease = 32 * items**2 if config.evaluation and "ease" in references_for(items) else 0  # four I x I arrays of float64
    return max(reading, fits, comparing, ease)


def _disk(config: ExperimentConfig, size: tuple[int, int, int], factors: list[int]) -> int:
    users, items, n_interactions = size
    matrices = (16 if config.evaluation is None else 24) * n_interactions  # with timestamps, and the split's parts
    lists = _lists_bytes(users, items)
    # the run's and its logged model's
    return matrices + sum(4 * k * (users + items) + 2 * lists for k in factors)
