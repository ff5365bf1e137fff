"""Implicit-feedback alternating least squares (ALS): from interactions to factors.

The only module that trains ALS models. Every fit makes a fresh one, because implicit starts from the factors
that an old one holds. Letters in shapes: U users, I items, k factors.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.als import BALANCE_EVERY, AlsConfig
from tasks.core.data.interactions import count_occurrences
from tasks.core.errors import OUT_OF_MEMORY, TrainingError
from tasks.core.models.balance import balance, imbalance
from tasks.core.models.factors import Factors
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.types import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

    from tasks.core.types import Matrix

ALGORITHM = 1
"""Part of a run's identity. It is raised whenever the same settings would give different factors."""
_BLOCK = 1 << 14
"""Factors that are compared with those of the previous sweep at a time: a block fits in the processor's cache."""


@dataclass(frozen=True)
class Iteration:
    """One sweep over both sides.

    Attributes
    ----------
    iteration : int
        From 1.
    seconds : float
        Duration of the sweep, including the balancing step that follows it, if any.
    factor_change : float or None
        Frobenius norm of the change of all factors by the sweep, relative to their norm. Computed at the snapshots
        only, and not after the first sweep, because the random start is not kept.
    objective, imbalance : float or None
        Computed at the snapshots only. See `objective` and `tasks.core.models.balance.imbalance`.
    factors : Factors
        The arrays that training works on. The next sweep overwrites them.
    """

    iteration: int
    seconds: float
    factor_change: float | None
    objective: float | None
    imbalance: float | None
    factors: Factors


OnIteration = Callable[[Iteration], bool | None]


@dataclass(frozen=True)
class Start:
    """A state of a fit from which the same fit can be resumed.

    Attributes
    ----------
    iteration : int
        Number of iterations that were run.
    factors : Factors
        The factors after that iteration.
    """

    iteration: int
    factors: Factors


def fit(
    matrix: "csr_array",
    config: AlsConfig,
    *,
    seed: int,
    snapshots: Collection[int] = (),
    on_iteration: OnIteration | None = None,
    threads: int | None = None,
    start: Start | None = None,
) -> Factors:
    """Train one model from one random start.

    ALS minimises the sum of c (p - x.y)² over all U x I cells, plus regularization times the sum of |x|² and |y|² over
    all users and items (Hu, Koren, Volinsky 2008, eq. 3). An interaction has p = 1 and c = alpha times its stored
    confidence; every other cell has p = 0 and c = 1. A larger alpha fits the interactions more closely, a larger
    regularization keeps the factors smaller. A sweep solves for all users with the items fixed, then for all items
    with the users fixed; `orientation: item_user` solves for the items first. `solver: cholesky` solves each row
    exactly, `cg` takes three conjugate-gradient steps from its last factors. `acceleration: balanced` balances the
    factors after every fifth sweep and after the last: the scores stay, and the objective does not rise.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        Stored confidences, all finite and above 0. It is not modified.
    config : AlsConfig
        Settings of the model. `stop` is left to `on_iteration`.
    seed : int
        Seed of the random start. Equal seeds give bit-identical factors.
    snapshots : collection of int
        Iterations after which the change of the factors, the objective and the imbalance are computed, in addition to
        the last iteration and to the one at nine tenths.
    on_iteration : callable, optional
        Called after each sweep. Training ends there if it returns True or raises an exception.
    threads : int, optional
        Number of implicit's threads, by default one for each core. It does not affect the factors. BLAS uses one.
    start : Start, optional
        A state of this fit to resume from. The factors are bit-identical to those of an uninterrupted fit.

    Returns
    -------
    Factors

    Raises
    ------
    TrainingError
        If the matrix has no interactions or an invalid confidence, `start` is of another fit, the factors are no
        longer finite, the solver fails, or memory runs out. An error of `on_iteration` is raised as it is.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    _check(matrix, config, start)
    if start and start.iteration == config.iterations:
        return start.factors
    transposed = config.orientation == "item_user"
    # implicit requires a csr_matrix; the arrays are shared, not copied
    oriented = csr_matrix(matrix.T.tocsr() if transposed else matrix)

    with one_blas_thread():
        model = AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            alpha=config.alpha,
            iterations=config.iterations - (start.iteration if start else 0),
            use_cg=config.solver == "cg",
            num_threads=threads or cores(),
            random_state=seed,
        )
        watch = _Watch(oriented, config, snapshots, on_iteration, model)
        if start:
            sides = [start.factors.users.copy(), start.factors.items.copy()]
            model.user_factors, model.item_factors = reversed(sides) if transposed else sides
            watch.resume(start.iteration)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                model.fit(oriented, show_progress=False, callback=watch)
        except _StopRequested:
            pass
        except (MemoryError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            if error is watch.callback_error:
                raise
            if isinstance(error, MemoryError):
                raise TrainingError(
                    f"iteration {watch.iteration + 1} of {config.iterations}: {OUT_OF_MEMORY}"
                ) from error
            raise TrainingError(
                f"iteration {watch.iteration + 1} of {config.iterations} failed: {error or type(error).__name__}; "
                "raise regularization, or lower factors or alpha"
            ) from error
    rows, columns = model.user_factors, model.item_factors
    return Factors(columns, rows) if transposed else Factors(rows, columns)


def objective(matrix: "csr_array", factors: Factors, config: AlsConfig) -> float:
    """Return what ALS minimises (Hu, Koren, Volinsky 2008, eq. 3), summed over all U x I cells and not averaged.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        Stored confidences.
    factors : Factors
        Those of users and items of the matrix.
    config : AlsConfig
        Its alpha and regularization are used.

    Returns
    -------
    float
        The sum of c (p - x.y)², with c = alpha times the stored confidence and p = 1 for interactions, c = 1 and p = 0
        for all other cells, plus regularization times the squared norms of all factors. Those of a model of Spark count
        as often as their user or item has interactions.
    """
    weighted, sides = _weighted(matrix, config.alpha), (factors.users, factors.items)
    if not config.is_of_spark:
        return _loss_sum(weighted, *sides, config.regularization)
    per_row = (np.diff(matrix.indptr), count_occurrences(matrix.indices, matrix.shape[1]))
    norms = sum(float(n @ np.einsum("ij,ij->i", side, side)) for n, side in zip(per_row, sides, strict=True))
    return _loss_sum(weighted, *sides, 0.0) + config.regularization * norms


def row_solver(config: AlsConfig) -> Callable[..., None]:
    """Return implicit's function that solves for one side, so that its speed can be measured.

    Parameters
    ----------
    config : AlsConfig
        Its `solver` chooses the function; Spark solves as `cholesky` does.

    Returns
    -------
    callable
        Takes confidences (R, C) CSR float32, the rows' factors (R, k), which it overwrites, the columns' factors
        (C, k), regularization and a number of threads.
    """
    from implicit.cpu import _als

    exact = config.is_of_spark or config.solver == "cholesky"
    solve: Callable[..., None] = _als.least_squares if exact else _als.least_squares_cg
    return solve


class _StopRequested(Exception):
    """Ends implicit's fit after the current sweep; the factors are kept."""


class _Watch:
    """implicit's callback: balances and measures the factors after a sweep, and ends the fit where necessary.

    Rows and columns are those of implicit's matrix: users and items, or items and users if the fit is transposed.
    """

    def __init__(
        self,
        oriented: "csr_matrix",
        config: AlsConfig,
        snapshots: Collection[int],
        on_iteration: OnIteration | None,
        model: Any,
    ) -> None:
        self.oriented, self.config, self.model, self.on_iteration = oriented, config, model, on_iteration
        self.snapshots = {*snapshots, config.iterations, config.iterations - config.iterations // 10}
        self.transposed = config.orientation == "item_user"
        self.resumed_from = self.iteration = 0
        self.previous: list[Floats] = []
        self.weighted: csr_array | csr_matrix | None = None
        self.callback_error: Exception | None = None

    def resume(self, iteration: int) -> None:
        """Continue counting after an iteration whose factors the model already holds."""
        self.resumed_from = self.iteration = iteration
        self._keep_previous()

    def _current(self) -> list[Floats]:
        return [self.model.user_factors, self.model.item_factors]

    def __call__(self, index: int, seconds: float, _: object) -> None:
        self.iteration = self.resumed_from + index + 1
        current = self._current()
        # a sum takes a thousandth of a sweep, and is not finite if one of the factors is not
        if not all(np.isfinite(side.sum()) for side in current):
            raise TrainingError(
                f"the factors are no longer finite after iteration {self.iteration} of {self.config.iterations} "
                f"(alpha {self.config.alpha:g}, regularization {self.config.regularization:g}); "
                "lower alpha or raise regularization"
            )
        change = _relative_change(self.previous, current) if self.previous else None
        if self._balances():
            begun = time.perf_counter()
            balance(*current)
            seconds += time.perf_counter() - begun
        if not self.on_iteration:
            return
        self._keep_previous()  # the next change is that of a sweep alone, without the balancing step
        loss, out_of_balance = self._measure(*current) if self.iteration in self.snapshots else (None, None)
        factors = Factors(*(reversed(current) if self.transposed else current))
        try:
            stop = self.on_iteration(Iteration(self.iteration, seconds, change, loss, out_of_balance, factors))
        except Exception as error:
            self.callback_error = error
            raise
        if stop:
            raise _StopRequested

    def _keep_previous(self) -> None:
        """Keep a copy of the factors if the change by the next sweep is to be computed."""
        self.previous = [side.copy() for side in self._current()] if self.iteration + 1 in self.snapshots else []

    def _balances(self) -> bool:
        """Return whether a balancing step follows the current sweep."""
        accelerated = self.config.acceleration == "balanced"
        return accelerated and (self.iteration % BALANCE_EVERY == 0 or self.iteration == self.config.iterations)

    def _measure(self, rows: Floats, columns: Floats) -> tuple[float, float]:
        """Return the objective and the imbalance. Each takes one thread, so both are computed at once."""
        if self.weighted is None:
            self.weighted = _weighted(self.oriented, self.config.alpha)
        with ThreadPoolExecutor(1) as pool:
            out_of_balance = pool.submit(copy_context().run, imbalance, rows, columns)
            loss = _loss_sum(self.weighted, rows, columns, self.config.regularization)
            return loss, out_of_balance.result()


def _check(matrix: "csr_array", config: AlsConfig, start: Start | None) -> None:
    """Raise a TrainingError if the confidences cannot be trained on, or `start` cannot be a state of this fit."""
    if matrix.nnz == 0:
        raise TrainingError("found no interactions; expected at least one; check the ratings and preprocess")
    invalid = ~(np.isfinite(matrix.data) & (matrix.data > 0))
    if invalid.any():
        raise TrainingError(
            f"{np.count_nonzero(invalid):,} of {matrix.nnz:,} confidences, such as {matrix.data[invalid][0]:g}, are not"
            " finite and above 0; check the ratings and preprocess.confidence"
        )
    shapes = [(rows, config.factors) for rows in matrix.shape]
    if start:
        sides = (start.factors.users, start.factors.items)
        same = [side.shape for side in sides] == shapes and all(side.dtype == np.float32 for side in sides)
        if not same or start.iteration > config.iterations:
            found = " and ".join(f"{side.shape} {side.dtype}" for side in sides)
            raise TrainingError(
                f"the start is of another fit: found factors {found} at iteration {start.iteration}; expected "
                f"{shapes[0]} and {shapes[1]} float32 at iteration {config.iterations} or before; "
                "delete the checkpoints of this fit"
            )


def _weighted(matrix: "Matrix", alpha: float) -> "Matrix":
    return matrix if alpha == 1.0 else matrix * np.float32(alpha)


def _loss_sum(weighted: "Matrix", rows: Floats, columns: Floats, regularization: float) -> float:
    from implicit.cpu._als import calculate_loss

    # implicit divides by the sum of all cells' confidences
    cells = float(weighted.data.sum(dtype=np.float64)) + weighted.shape[0] * weighted.shape[1] - weighted.nnz
    # several threads would add up in varying order, and the stopping rule requires bit-identical values
    return float(calculate_loss(weighted, rows, columns, regularization, num_threads=1)) * cells


def _relative_change(previous: list[Floats], current: list[Floats]) -> float:
    """Return the norm of the change of all factors, relative to their norm. The differences overwrite `previous`."""
    size = change = 0.0
    for before, after in zip(previous, current, strict=True):
        all_old, all_new = before.reshape(-1), after.reshape(-1)
        for start in range(0, len(all_new), _BLOCK):
            old, new = all_old[start : start + _BLOCK], all_new[start : start + _BLOCK]
            np.subtract(new, old, out=old)  # the difference needs no array of its own
            change += float(old @ old)
            size += float(new @ new)
    return (change / size) ** 0.5 if size else 0.0
