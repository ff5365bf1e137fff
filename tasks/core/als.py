"""Alternating least squares: interactions -> factors. The only place that knows implicit's ALS.

Letters: U users, I items, k factors.
"""

import os
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.balance import EVERY, balance, imbalance
from tasks.core.config import AlsConfig
from tasks.core.errors import OUT_OF_MEMORY, TrainingError

if TYPE_CHECKING:
    import threadpoolctl
    from scipy.sparse import csr_array, csr_matrix

    Matrix = csr_array | csr_matrix

Floats = npt.NDArray[np.float32]

_BLOCK = 1 << 14
"""Factors looked at at once."""

ALGORITHM = 1
"""Part of a run's identity; raised whenever the same settings would give other factors."""


@dataclass(frozen=True)
class Factors:
    """What a model has learned.

    users : (U, k) float32, row u belongs to user index u
    items : (I, k) float32
    """

    users: Floats
    items: Floats

    def save(self, path: Path) -> None:
        """Write as npz without pickles: `user_factors`, `item_factors`."""
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, user_factors=self.users, item_factors=self.items)

    @classmethod
    def load(cls, path: Path) -> "Factors":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["user_factors"], arrays["item_factors"])


@dataclass(frozen=True)
class Iteration:
    """What one sweep over both sides did.

    iteration : from 1
    seconds : of this sweep, with the balancing step after it where there is one
    factor_change : Frobenius norm of the change of all factors by the sweep, relative to their norm; not a number
        after the first, whose start is not kept
    objective, imbalance : at the snapshots, else None; see `objective` and `tasks.core.balance.imbalance`
    factors : the live arrays, which the next sweep overwrites
    """

    iteration: int
    seconds: float
    factor_change: float
    objective: float | None
    imbalance: float | None
    factors: Factors


OnIteration = Callable[[Iteration], bool | None]


@dataclass(frozen=True)
class Start:
    """Where a fit goes on: the factors as they were after an iteration of the same fit."""

    iteration: int
    factors: Factors


def fit(
    matrix: "csr_array",
    config: AlsConfig,
    *,
    seed: int,
    snapshots: Collection[int] = (),
    on_iteration: OnIteration | None = None,
    threads: int | Callable[[], int] | None = None,
    start: Start | None = None,
) -> Factors:
    """Train one model from one random start, with implicit on all cores and BLAS on one.

    With `acceleration: balanced` the factors are balanced after every fifth sweep and after the last: the scores stay
    as they are, and the objective can only fall.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        Confidences, all finite and above 0; alpha is applied on top.
    seed : int
        Of the random start: equal seeds give bit-identical factors.
    snapshots : iterations after which objective and imbalance are computed; always at nine tenths and the last
    on_iteration : called after each sweep; the fit ends there where it returns True, and with what it raises
    threads : implicit's, by default one a core, or asked for after every sweep; the factors are bit-identical for any
    start : an iteration of this fit to go on from; the factors are bit-identical to those of an undisturbed fit

    Raises
    ------
    TrainingError
        An unusable matrix, factors that stop being finite, a start of another fit, or a solver that fails.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    if matrix.nnz == 0 or not (np.isfinite(matrix.data) & (matrix.data > 0)).all():
        raise TrainingError("confidences must be there, finite and above 0")
    if start and (start.iteration > config.iterations or not _fits(start.factors, matrix, config)):
        found = f"{start.factors.users.shape} and {start.factors.items.shape} at iteration {start.iteration}"
        raise TrainingError(f"the start is of another fit: factors {found}; delete its checkpoints")
    if start and start.iteration == config.iterations:
        return start.factors
    transposed = config.orientation == "item_user"
    # implicit asks for a csr_matrix; the arrays are shared, not copied
    oriented = csr_matrix(matrix.T.tocsr() if transposed else matrix)

    with one_blas_thread():
        model = AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            alpha=config.alpha,
            iterations=config.iterations - (start.iteration if start else 0),
            use_cg=config.solver == "cg",
            num_threads=(threads() if callable(threads) else threads) or cores(),
            random_state=seed,
        )
        watch = _Watch(oriented, config, snapshots, on_iteration, model, threads if callable(threads) else None)
        if start:
            sides = [start.factors.users.copy(), start.factors.items.copy()]
            model.user_factors, model.item_factors = reversed(sides) if transposed else sides
            watch.resume(start.iteration)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                model.fit(oriented, show_progress=False, callback=watch)
        except _Enough:
            pass
        except MemoryError as error:
            raise TrainingError(f"iteration {watch.done + 1} of {config.iterations}: {OUT_OF_MEMORY}") from error
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise TrainingError(
                f"iteration {watch.done + 1} of {config.iterations} failed: {error or type(error).__name__}; "
                "raise regularization, or lower factors or alpha"
            ) from error
    rows, columns = model.user_factors, model.item_factors
    return Factors(columns, rows) if transposed else Factors(rows, columns)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_blas_lock = Lock()
_blas_users = 0
_blas_limit: "threadpoolctl.threadpool_limits | None" = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS, within the block, from fighting implicit's threads over the cores.

    The limit is the process's: the first of several fits at a time sets it and the last one lifts it, where limits
    of their own would be lifted, and set for ever, in the order in which the fits happen to end.
    """
    import threadpoolctl

    global _blas_users, _blas_limit
    with _blas_lock:
        if _blas_users == 0:
            _blas_limit = threadpoolctl.threadpool_limits(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _blas_limit is not None:
                _blas_limit.restore_original_limits()


class _Enough(Exception):
    """The fit ends here, as it is."""


class _Watch:
    """implicit's callback: balances and measures a sweep, and stops a fit that has diverged or is to end."""

    def __init__(
        self,
        oriented: "csr_matrix",
        config: AlsConfig,
        snapshots: Collection[int],
        on_iteration: OnIteration | None,
        model: Any,
        threads: Callable[[], int] | None,
    ) -> None:
        self.oriented, self.config, self.model, self.threads = oriented, config, model, threads
        self.snapshots = {*snapshots, config.iterations, config.iterations - config.iterations // 10}
        self.on_iteration = on_iteration
        self.transposed = config.orientation == "item_user"
        self.before = self.done = 0
        self.previous: list[Floats] = []
        self.weighted: csr_array | csr_matrix | None = None

    def resume(self, iteration: int) -> None:
        """Count on from an iteration whose factors the model has."""
        self.before = self.done = iteration
        self.previous = [array.copy() for array in self._current()]

    def _current(self) -> list[Floats]:
        return [self.model.user_factors, self.model.item_factors]

    def __call__(self, index: int, seconds: float, _: object) -> None:
        self.done = self.before + index + 1
        current = self._current()
        if not self.previous:
            self.previous = [np.zeros_like(array) for array in current]
        moved = [_advance(before, now) for before, now in zip(self.previous, current, strict=True)]
        norm, change = (float(np.sqrt(sum(squares))) for squares in zip(*moved, strict=True))
        if not np.isfinite(norm):
            raise TrainingError(
                f"the factors are no longer finite after iteration {self.done} of {self.config.iterations} "
                f"(alpha {self.config.alpha:g}, regularization {self.config.regularization:g}); "
                "lower alpha or raise regularization"
            )
        if self._balances():
            begun = time.perf_counter()
            balance(*current)
            seconds += time.perf_counter() - begun
            for before, now in zip(self.previous, current, strict=True):
                np.copyto(before, now)
        change = float("nan") if self.done == 1 else change / norm if norm else 0.0
        at_snapshot = self.done in self.snapshots
        if self.on_iteration:
            enough = self.on_iteration(
                Iteration(
                    self.done,
                    seconds,
                    change,
                    self._objective(*current) if at_snapshot else None,
                    imbalance(*current) if at_snapshot else None,
                    Factors(*(reversed(current) if self.transposed else current)),
                )
            )
            if enough:
                raise _Enough
        if self.threads:
            self.model.num_threads = self.threads()

    def _balances(self) -> bool:
        """Whether it is the turn of a balancing step."""
        on = self.config.acceleration == "balanced"
        return on and (self.done % EVERY == 0 or self.done == self.config.iterations)

    def _objective(self, rows: Floats, columns: Floats) -> float:
        if self.weighted is None:
            self.weighted = _weighted(self.oriented, self.config.alpha)
        return _loss_sum(self.weighted, rows, columns, self.config.regularization)


def objective(matrix: "csr_array", factors: Factors, config: AlsConfig) -> float:
    """What ALS minimises (Hu, Koren, Volinsky 2008, eq. 3), summed over all U x I cells, not averaged.

    The sum of c (p - x.y)^2, with c = alpha times the stored confidence and p = 1 where there is an
    interaction, c = 1 and p = 0 elsewhere, plus regularization times the squared norms of all factors.
    """
    return _loss_sum(_weighted(matrix, config.alpha), factors.users, factors.items, config.regularization)


def run_seed(root: int, model: str, replicate: int, role: str) -> int:
    """The seed of one fit, from 0 to 2^31 - 1: adding or renaming one model changes no other's."""
    words = [root, zlib.crc32(model.encode()), replicate, zlib.crc32(role.encode())]
    return int(np.random.SeedSequence(words).generate_state(1)[0]) & 0x7FFFFFFF


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
                total += seconds(balance, few.copy(), few.copy()) / 2 * columns / len(few) / EVERY
    return total


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """How long a call takes: the less of two."""
    begun = time.perf_counter()
    function(*arguments)
    between = time.perf_counter()
    function(*arguments)
    return min(between - begun, time.perf_counter() - between)


def _fits(factors: Factors, matrix: "csr_array", config: AlsConfig) -> bool:
    """Whether factors have the shapes and the dtype that a fit gives them."""
    expected = [(rows, config.factors) for rows in matrix.shape]
    sides = (factors.users, factors.items)
    return [side.shape for side in sides] == expected and all(side.dtype == np.float32 for side in sides)


def _weighted(matrix: "Matrix", alpha: float) -> "Matrix":
    return matrix if alpha == 1.0 else matrix * np.float32(alpha)


def _loss_sum(weighted: "Matrix", rows: Floats, columns: Floats, regularization: float) -> float:
    from implicit.cpu._als import calculate_loss

    # implicit divides by the sum of all cells' confidences
    cells = float(weighted.data.sum(dtype=np.float64)) + weighted.shape[0] * weighted.shape[1] - weighted.nnz
    # one thread: several add up in the order in which they happen to end, and a stopping rule looks at every bit
    return float(calculate_loss(weighted, rows, columns, regularization, num_threads=1)) * cells


def _advance(before: Floats, now: Floats) -> tuple[float, float]:
    """The squares of the norms of `now` and of its change; `before` becomes `now`. By blocks that fit in a cache."""
    was, new = before.reshape(-1), now.reshape(-1)
    size = change = 0.0
    for start in range(0, len(new), _BLOCK):
        one, other = was[start : start + _BLOCK], new[start : start + _BLOCK]
        np.subtract(other, one, out=one)
        change += float(one @ one)
        size += float(other @ other)
        one[:] = other
    return size, change
