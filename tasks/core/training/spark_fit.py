"""A fit by Spark from stored interactions to a file of factors.

Spark gives no factors before the last iteration: there are no snapshots on the way and no checkpoints to resume from.
"""

import shutil
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.experiment import SparkConfig
from tasks.core.data.prepared import INTERACTIONS
from tasks.core.data.resample import resampled
from tasks.core.files import StoredFile, combined_sha256, file_sha256, home, put, recall, remember, replacing
from tasks.core.models import als
from tasks.core.models.spark import als as spark_als
from tasks.core.models.spark.session import OnWait, Session
from tasks.core.models.spark.start import session_of_process, start_session
from tasks.core.training.list_stability import ListStability
from tasks.core.training.run_fit import FitRequest, FitResult, train_matrix
from tasks.core.training.step import OnSteps, Step

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def run_spark_fit(request: FitRequest, on_steps: OnSteps) -> FitResult:
    """Run a fit in Spark, from the start.

    Parameters
    ----------
    request : FitRequest
        The fit. Its `snapshots`, `threads` and `checkpoint_seconds` do not apply.
    on_steps : callable
        Called after each iteration, as Spark's jobs show it, and several times a second without steps. May raise
        `Stopped`, which cancels the jobs. Only the last step has an objective.

    Returns
    -------
    FitResult

    Raises
    ------
    ConfigError, OrchestrationError
        See `tasks.core.models.spark.start`.
    TrainingError
        See `tasks.core.models.spark.als.fit`.
    DataError
        If the interactions are damaged or a folder cannot be written.
    Stopped
        If `on_steps` raises it.
    """
    matrix = resampled(train_matrix(request.data), request.resample, seed=request.seed)
    spark_als.check(matrix, request.settings, "model")
    session = _session(request.spark, lambda: on_steps([]))
    iterations, done = request.settings.iterations, 0
    begun = time.perf_counter()

    def step(iteration: int) -> Step:
        elapsed = time.perf_counter() - begun
        return Step(iteration, elapsed, np.nan, np.nan, np.nan, time.time_ns() // 1_000_000)

    def on_iteration(iteration: int) -> None:
        nonlocal done
        on_steps([])
        while done < min(iteration, iterations - 1):  # the last step has an objective, computed from the factors
            done += 1
            on_steps([step(done)])

    folder = request.checkpoints
    try:
        factors = spark_als.fit(
            session,
            spark_als.Table(_table(request, matrix), matrix.shape),
            request.settings,
            seed=request.seed,
            checkpoints=folder,
            on_iteration=on_iteration,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    on_iteration(iterations)
    last = step(iterations)
    on_steps([last._replace(objective=als.objective(matrix, factors, request.settings))])
    followed = ListStability(*matrix.shape, queries=request.queries, n=request.n)
    followed.add(iterations, factors)
    with replacing(request.target) as temporary:
        factors.save(temporary)
    stored = StoredFile(str(request.target), file_sha256(request.target))
    return FitResult(stored, last.elapsed, iterations, iterations, list(followed.metrics()))


def _table(request: FitRequest, matrix: "csr_array") -> Path:
    """Return the table of the fit's interactions: that of its data in the store, or a file of its own.

    The table in the store is written for the first fit of these data.
    """
    write = partial(spark_als.write_table, matrix)
    if request.resample is not None:
        path = request.checkpoints / "interactions.parquet"
        with replacing(path) as temporary:
            write(temporary)
        return path
    key = combined_sha256("table for Spark", request.data.sha256, spark_als.ALGORITHM)
    stored = recall(INTERACTIONS, key)
    if stored is None:
        stored = put(INTERACTIONS, ".parquet", write)
        remember(INTERACTIONS, key, stored)
    return Path(stored.path)


def _session(config: SparkConfig | None, on_wait: OnWait) -> Session:
    if config is None:
        return session_of_process()
    started = _started(config.model_dump_json())
    if not started:
        started.append(start_session(config, home() / "spark.log", on_wait))
    return started[0]


@lru_cache(maxsize=1)
def _started(config: str) -> list[Session]:
    """Return where the session of a config is kept: fits of one process follow each other in it."""
    return []
