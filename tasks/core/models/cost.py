"""What one fit costs: operations, seconds, memory."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import BALANCE_EVERY, AlsConfig
from tasks.core.models.balance import balance
from tasks.core.models.threads import one_blas_thread
from tasks.core.ranking.top_n import BLOCK_BYTES

if TYPE_CHECKING:
    pass


def gflop(matrix_shape: tuple[int, int], interactions: int, config: AlsConfig) -> float:
    """Floating-point work of one fit in 10^9 operations, to leading order.

    A sweep computes two gram matrices, 2(U + I)k^2. On top of them CG (1 + 3 matrix-vector products a row)
    takes 8(U + I)k^2 + 32·n·k for n interactions; Cholesky 4·n·k^2 to build its systems and (U + I)k^3/3 to
    factor them.
    """
    rows, k = float(sum(matrix_shape)), config.factors
    if config.solver == "cg":
        sweep = 10 * rows * k**2 + 32 * interactions * k
    else:
        sweep = 2 * rows * k**2 + 4 * interactions * k**2 + rows * k**3 / 3
    return config.iterations * sweep / 1e9


def sweep_seconds(matrix_shape: tuple[int, int], interactions: int, config: AlsConfig, threads: int = 1) -> float:
    """How long one sweep takes on this machine: a few rows of random interactions are solved, and scaled to all.

    Parameters
    ----------
    matrix_shape, interactions : of the matrix
    threads : implicit's
    """
    from implicit.cpu import _als
    from scipy.sparse import csr_matrix

    stream, k, total = np.random.default_rng(0), config.factors, 0.0
    for rows, columns in (matrix_shape, matrix_shape[::-1]):
        each = max(round(interactions / rows), 1)
        sample = min(rows, max(8 * threads, int(2e8 / (8 * k**2 + 32 * each * k))))
        indices = stream.integers(0, columns, size=sample * each).astype(np.int32)
        data = np.ones(len(indices), dtype=np.float32)
        some = csr_matrix((data, indices, np.arange(sample + 1, dtype=np.int32) * each), shape=(sample, columns))
        found, others = (stream.random((size, k), dtype=np.float32) / k for size in (sample, columns))
        solve = _als.least_squares_cg if config.solver == "cg" else _als.least_squares
        with one_blas_thread():
            gram = seconds(lambda y: y.T @ y, others)
            solving = seconds(solve, some, found, others, config.regularization, threads)
            total += gram + max(solving - gram, 0.0) * rows / sample
            if config.acceleration == "balanced":
                few = others[: 10 * k]
                total += seconds(balance, few.copy(), few.copy()) / 2 * columns / len(few) / BALANCE_EVERY
    return total


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """How long a call takes: the less of two."""
    begun = time.perf_counter()
    function(*arguments)
    between = time.perf_counter()
    function(*arguments)
    return min(between - begun, time.perf_counter() - between)


def fit_bytes(users: int, items: int, n_interactions: int, settings: AlsConfig) -> int:
    """Memory of one fit and its lists, beside the libraries.

    The matrix and its transpose, and both again where alpha is not 1; the factors three times (themselves, the previous
    sweep's, and what they are computed from), and six times more where they are balanced, in float64; blocks of scores.
    """
    matrices = 2 if settings.alpha == 1 else 4
    copies = 9 if settings.acceleration == "balanced" else 3
    block = min(BLOCK_BYTES, 8 * max(users, items) ** 2)
    return matrices * 8 * n_interactions + copies * 4 * (users + items) * settings.factors + 4 * block
