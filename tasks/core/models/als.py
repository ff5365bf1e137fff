"""Alternating least squares: interactions -> factors."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.als import BALANCE_EVERY, AlsConfig
from tasks.core.errors import OUT_OF_MEMORY, TrainingError
from tasks.core.models.balance import balance, imbalance
from tasks.core.models.factors import Factors
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.types import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

    from tasks.core.types import Matrix

_BLOCK = 1 << 14
"""Factors looked at at once."""
ALGORITHM = 1
"""Part of a run's identity; raised whenever the same settings would give other factors."""


@dataclass(frozen=True)
class Iteration:
    """What one sweep over both sides did.

    iteration : from 1
    seconds : of this sweep, with the balancing step after it where there is one
    factor_change : Frobenius norm of the change of all factors by the sweep, relative to their norm; not a number
        after the first, whose start is not kept
    objective, imbalance : at the snapshots, else None; see `objective` and `tasks.core.models.balance.imbalance`
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


def objective(matrix: "csr_array", factors: Factors, config: AlsConfig) -> float:
    """What ALS minimises (Hu, Koren, Volinsky 2008, eq. 3), summed over all U x I cells, not averaged.

    The sum of c (p - x.y)^2, with c = alpha times the stored confidence and p = 1 where there is an
    interaction, c = 1 and p = 0 elsewhere, plus regularization times the squared norms of all factors.
    """
    return _loss_sum(_weighted(matrix, config.alpha), factors.users, factors.items, config.regularization)


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
        return on and (self.done % BALANCE_EVERY == 0 or self.done == self.config.iterations)

    def _objective(self, rows: Floats, columns: Floats) -> float:
        if self.weighted is None:
            self.weighted = _weighted(self.oriented, self.config.alpha)
        return _loss_sum(self.weighted, rows, columns, self.config.regularization)


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
