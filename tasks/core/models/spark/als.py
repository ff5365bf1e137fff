"""ALS as Spark MLlib trains it (`pyspark.ml.recommendation.ALS`): another model than that of `tasks.core.models.als`.

With r > 0 the rating that Spark is given, an interaction has p = 1 and c = 1 + r, every other cell p = 0 and c = 1.
What is minimised is the sum of c (p - x.y)² over all cells, plus regularization times the sum of n |x|² and n |y|², n
being the number of interactions of the user or item. Letters in shapes: U users, I items, k factors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.config.checks.spark_checks import too_low_confidence
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.models.factors import Factors
from tasks.core.models.spark.session import Session
from tasks.core.types import Floats

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from scipy.sparse import csr_array

ALGORITHM = 1
"""Part of a run's identity. It is raised whenever the same settings would give different factors."""
MOST_ENTITIES = 2**31 - 1
"""Spark's ids of users and items are integers of 32 bits."""
_BLOCK_BYTES = 64 << 20
"""Factors that are fetched at a time."""
_ROWS = 1 << 20
"""Interactions in a row group of the table that Spark reads."""
_JOBS_AN_ITERATION = 2
"""Of Spark's ALS, which computes a Gram matrix for each side."""
_JOBS_BEFORE = 6
"""That read and divide the input."""


@dataclass(frozen=True)
class Table:
    """Interactions as Spark reads them.

    Attributes
    ----------
    path : Path
        Parquet file, which all executors can read at this path. Columns `user` and `item` int32, `confidence` float32.
    shape : tuple of int
        (U, I).
    """

    path: Path
    shape: tuple[int, int]


def write_table(matrix: "csr_array", path: Path) -> None:
    """Write interactions as Spark reads them, block by block.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        Stored confidences.
    path : Path
        Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("user", pa.int32()), ("item", pa.int32()), ("confidence", pa.float32())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, matrix.nnz, _ROWS):
            stop = min(start + _ROWS, matrix.nnz)
            places = np.arange(start, stop)
            users = np.searchsorted(matrix.indptr, places, side="right") - 1
            columns = [users.astype(np.int32), matrix.indices[start:stop], matrix.data[start:stop]]
            writer.write_table(pa.table(columns, schema=schema))


def check(matrix: "csr_array", settings: AlsConfig, key: str) -> None:
    """Refuse interactions that Spark cannot train on.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        Stored confidences, all finite and above 0.
    settings : AlsConfig
        Of the model.
    key : str
        Key of these settings, for the message.

    Raises
    ------
    ConfigError
        If there are too many users or items, or alpha times a confidence is 1 or less.
    """
    for name, count in zip(("users", "items"), matrix.shape, strict=True):
        if count > MOST_ENTITIES:
            raise ConfigError(
                f"{key}: found {count:,} {name}; Spark's ALS has ids of 32 bits, for {MOST_ENTITIES:,} at most; raise "
                f"preprocess.k_core to leave out rare {name}, or use `engine: implicit`"
            )
    lowest = matrix.data.min() if matrix.nnz else np.inf
    if np.float32(settings.alpha * float(lowest) - 1) <= 0:  # as `fit` computes r
        raise ConfigError(f"{key}.alpha: {too_low_confidence(settings.alpha * float(lowest))}")


def fit(
    session: Session,
    table: Table,
    settings: AlsConfig,
    *,
    seed: int,
    checkpoints: Path,
    on_iteration: Callable[[int], None],
) -> Factors:
    """Train one model from one random start.

    Parameters
    ----------
    session : Session
        Where it is trained.
    table : Table
        The interactions, see `check`. They are sorted, divided into as many partitions as there are blocks, and kept by
        Spark, so that every fit of them sees the same rows in the same order.
    settings : AlsConfig
        Of the model; `regularization` is Spark's regParam, and r = alpha times the confidence, minus 1.
    seed : int
        Seed of the random start. Equal seeds, numbers of blocks and versions of Spark give equal factors on a local
        master.
    checkpoints : Path
        Folder that all executors can write, for the checkpoints that keep Spark's plan short.
    on_iteration : callable
        Called several times a second with the number of iterations that are done, as Spark's jobs show it. It may raise
        an exception, which cancels the jobs.

    Returns
    -------
    Factors
        Zeros for users and items without interactions.

    Raises
    ------
    TrainingError
        If a job fails or is cancelled, Spark ends, or the factors are not finite.
    """
    group = f"latentlab: {table.path.stem[:12]}, k={settings.factors}, seed {seed}"
    ended = session.ended_jobs(group, set())
    before = len(ended) + _JOBS_BEFORE

    def on_wait() -> None:
        ended.update(session.ended_jobs(group, ended))
        on_iteration(min(max((len(ended) - before) // _JOBS_AN_ITERATION, 0), settings.iterations))

    factors = session.run(lambda: _fit(session, table, settings, seed, checkpoints), on_wait, group=group)
    if not all(np.isfinite(side.sum()) for side in (factors.users, factors.items)):
        raise TrainingError(
            f"the factors are not finite after {settings.iterations} iterations (alpha {settings.alpha:g}, "
            f"regularization {settings.regularization:g}); lower alpha or raise regularization"
        )
    return factors


def _fit(session: Session, table: Table, settings: AlsConfig, seed: int, checkpoints: Path) -> Factors:
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import functions as sql

    spark, blocks = session.spark, settings.blocks
    if session.java is not None or session.context.getCheckpointDir() is None:
        session.context.setCheckpointDir(checkpoints.absolute().as_uri())
    stored = spark.read.parquet(table.path.absolute().as_uri())
    rating = (sql.col("confidence").cast("double") * settings.alpha - 1).cast("float").alias("rating")
    # neither how Spark divides the file nor the order of arrival is left to decide
    ratings = stored.select("user", "item", rating).repartition(blocks, "user").sortWithinPartitions("user", "item")
    ratings.persist()
    try:
        model = ALS(
            rank=settings.factors,
            maxIter=settings.iterations,
            regParam=settings.regularization,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
            implicitPrefs=True,
            alpha=1.0,
            seed=seed,
        ).fit(ratings)
        users, items = table.shape
        return Factors(
            _fetched(model.userFactors, users, settings.factors), _fetched(model.itemFactors, items, settings.factors)
        )
    finally:
        ratings.unpersist()


def _fetched(frame: "DataFrame", rows: int, factors: int) -> Floats:
    """Return the factors of one side, (rows, k) float32, fetched through Arrow a block of ids at a time."""
    found = np.zeros((rows, factors), dtype=np.float32)
    for start, stop in _blocks(rows, factors):
        part = frame.where(f"id >= {start} and id < {stop}").toArrow().combine_chunks()
        found[part["id"].to_numpy()] = np.reshape(part["features"].combine_chunks().flatten(), (-1, factors))
    return found


def _blocks(rows: int, factors: int) -> Iterator[tuple[int, int]]:
    step = max(_BLOCK_BYTES // (4 * factors), 1)
    yield from ((start, min(start + step, rows)) for start in range(0, rows, step))
