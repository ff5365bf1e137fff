"""Cost of one fit: floating-point operations, seconds, memory."""

import time
from collections.abc import Callable

import numpy as np

from tasks.core.config.als import BALANCE_EVERY, AlsConfig
from tasks.core.models.als import row_solver
from tasks.core.models.balance import balance
from tasks.core.models.threads import one_blas_thread

_SPARK_RATIO = 0.3
_SPARK_SECONDS = 0.3
"""An iteration of Spark on this machine: a multiple of implicit's exact solution that grows with √k, and what its jobs
take besides. Measured with 16, 50 and 500 factors (docs/benchmarks.md)."""
BLOCK_BYTES = 64 << 20
"""Memory of one block of scores, from which lists are made (`tasks.core.ranking.top_n`)."""


def gflop(matrix_shape: tuple[int, int], interactions: int, config: AlsConfig) -> float:
    """Return the floating-point operations of one fit, in 10^9, to leading order.

    A sweep computes two Gram matrices, 2(U + I)k². In addition, CG (1 + 3 matrix-vector products a row) takes
    8(U + I)k² + 32nk for n interactions; Cholesky, and Spark, takes 4nk² to build its systems and (U + I)k³/3 to factor
    them.

    Parameters
    ----------
    matrix_shape : tuple of int
        (U, I).
    interactions : int
        n, the number of interactions in the matrix.
    config : AlsConfig
        Settings of the model.

    Returns
    -------
    float
    """
    rows, k = float(sum(matrix_shape)), config.factors
    if config.solver == "cg" and not config.is_of_spark:
        sweep = 10 * rows * k**2 + 32 * interactions * k
    else:
        sweep = 2 * rows * k**2 + 4 * interactions * k**2 + rows * k**3 / 3
    return config.iterations * sweep / 1e9


def sweep_seconds(matrix_shape: tuple[int, int], interactions: int, config: AlsConfig, threads: int = 1) -> float:
    """Measure how long one sweep takes on this machine.

    A sample of rows with random interactions is solved, and its time is scaled to all rows. Spark is not started: its
    time is the multiple that was measured of implicit's, on as many cores.

    Parameters
    ----------
    matrix_shape : tuple of int
        (U, I).
    interactions : int
        Number of interactions in the matrix.
    config : AlsConfig
        Settings of the model.
    threads : int
        Number of implicit's threads.

    Returns
    -------
    float
        Seconds of one sweep, with its share of the balancing steps.
    """
    from scipy.sparse import csr_matrix

    rng, k, total = np.random.default_rng(0), config.factors, 0.0
    solve = row_solver(config)
    for rows, columns in (matrix_shape, matrix_shape[::-1]):
        per_row = max(round(interactions / rows), 1)
        # some 2e8 operations and several rows for each thread: enough to measure
        sample = min(rows, max(8 * threads, int(2e8 / (8 * k**2 + 32 * per_row * k))))
        indices = rng.integers(0, columns, size=sample * per_row).astype(np.int32)
        data = np.ones(len(indices), dtype=np.float32)
        indptr = np.arange(sample + 1, dtype=np.int32) * per_row
        confidences = csr_matrix((data, indices, indptr), shape=(sample, columns))
        row_factors, column_factors = (rng.random((size, k), dtype=np.float32) / k for size in (sample, columns))
        with one_blas_thread():
            # a solve computes the Gram matrix of the other side once, whatever the number of rows: it is not scaled
            gram = seconds(lambda y: y.T @ y, column_factors)
            solving = seconds(solve, confidences, row_factors, column_factors, config.regularization, threads)
            total += gram + max(solving - gram, 0.0) * rows / sample
            if config.acceleration == "balanced":
                part = column_factors[: 10 * k]
                total += seconds(balance, part.copy(), part.copy()) / 2 * columns / len(part) / BALANCE_EVERY
    return _SPARK_SECONDS + _SPARK_RATIO * k**0.5 * total if config.is_of_spark else total


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Return how long a call takes: the shorter of two, since the first may include one-time work.

    Parameters
    ----------
    function : callable
        Called twice.
    *arguments
        Arguments of the function.

    Returns
    -------
    float
    """
    begun = time.perf_counter()
    function(*arguments)
    between = time.perf_counter()
    function(*arguments)
    return min(between - begun, time.perf_counter() - between)


def fit_bytes(users: int, items: int, n_interactions: int, settings: AlsConfig) -> int:
    """Return the memory of one fit and of making its lists, without that of the libraries.

    Parameters
    ----------
    users, items, n_interactions : int
        Size of the matrix.
    settings : AlsConfig
        Settings of the model.

    Returns
    -------
    int
        Bytes: of the matrices, the factors, and four blocks of scores.
    """
    block = min(BLOCK_BYTES, 8 * max(users, items) ** 2)
    if settings.is_of_spark:  # the matrix, and again if multiplied by alpha; the factors, and what Arrow brings of them
        matrices = 1 if settings.alpha == 1 else 2
        return matrices * 8 * n_interactions + 2 * 4 * (users + items) * settings.factors + 4 * block
    # the matrix and its transpose; both again, multiplied by alpha, unless that is 1
    matrices = 2 if settings.alpha == 1 else 4
    # the factors, those of the previous sweep and working arrays; balancing adds three copies in float64
    copies = 9 if settings.acceleration == "balanced" else 3
    return matrices * 8 * n_interactions + copies * 4 * (users + items) * settings.factors + 4 * block
