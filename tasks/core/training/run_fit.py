"""A fit from stored interactions to a file of factors, resumed from its last checkpoint."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.data.interactions import load_matrix
from tasks.core.errors import DataError, Stopped
from tasks.core.files import StoredFile, file_sha256, replacing
from tasks.core.models import als
from tasks.core.models.als import Iteration, Start
from tasks.core.models.factors import Factors
from tasks.core.training import checkpoint
from tasks.core.training.checkpoint import Checkpoint
from tasks.core.training.list_stability import ListStability
from tasks.core.training.step import OnSteps, Step
from tasks.core.training.stopping import LastLists, is_steady

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SHARE = 0.01
"""Of the time, at most, goes to checkpoints: where writing one takes long, they are fewer."""


@dataclass(frozen=True)
class FitRequest:
    """One fit, with all that is needed to carry it out.

    data : the matrix that is fitted
    queries, n : the users whose lists are followed, and their length
    checkpoint_seconds : between two checkpoints
    """

    identity: str
    data: StoredFile
    settings: AlsConfig
    seed: int
    snapshots: tuple[int, ...]
    queries: tuple[int, ...]
    n: int
    threads: int
    checkpoint_seconds: float


@dataclass(frozen=True)
class FitResult:
    """A fit's factors in a file, and what was seen on the way to them.

    seconds : of training, in all processes that took part
    iterations : that were run
    overlaps : (iteration, metrics) at the snapshots, see `tasks.core.training.list_stability`
    """

    factors: StoredFile
    seconds: float
    iterations: int
    overlaps: list[tuple[int, dict[str, float]]]


def run_fit(order: FitRequest, target: Path, tell: OnSteps, granted: Callable[[], int] | None = None) -> FitResult:
    """Fit, writing a checkpoint every so often, from the last good one where there is one.

    Parameters
    ----------
    target : the file of factors to write
    tell : may raise `Stopped`, which ends the fit once a checkpoint of it is written
    granted : threads, in place of the order's, asked for after every sweep; 0 for the order's

    Raises
    ------
    TrainingError
        See `tasks.core.models.als.fit`.
    DataError
        Interactions that are damaged, a folder that cannot be written.
    """
    matrix = train_matrix(order.data)
    followed = ListStability(*matrix.shape, queries=order.queries, n=order.n)
    kept = checkpoint.latest(order.identity)
    rule = order.settings.stop
    checked = LastLists(rule, *matrix.shape, last=kept.checked if kept else None) if rule else None
    steps: list[Step] = []
    start = None
    if kept is not None:
        start = Start(kept.iteration, kept.factors)
        steps = [Step(int(row[0]), *map(float, row[1:])) for row in kept.steps]
        if kept.following == followed.what:
            followed.lists |= kept.lists
        tell(steps)
    elapsed = steps[-1].elapsed if steps else 0.0
    due = time.monotonic() + order.checkpoint_seconds

    def keep(at: Iteration) -> None:
        nonlocal due
        begun = time.monotonic()
        lists = checked.last if checked else {}
        state = Checkpoint(at.iteration, at.factors, np.array(steps), followed.what, followed.lists, lists)
        checkpoint.save(order.identity, state)
        now = time.monotonic()
        due = now + max(order.checkpoint_seconds, (now - begun) / _SHARE)

    def on_iteration(at: Iteration) -> bool:
        nonlocal elapsed
        elapsed += at.seconds
        if at.objective is not None:
            followed.add(at.iteration, at.factors)
        objective, imbalance = (np.nan if value is None else value for value in (at.objective, at.imbalance))
        overlap = checked.overlap(at.factors) if rule and checked and at.iteration % rule.every == 0 else np.nan
        now = time.time_ns() // 1_000_000
        steps.append(Step(at.iteration, elapsed, at.factor_change, objective, imbalance, now, overlap))
        if time.monotonic() > due:
            keep(at)
        try:
            tell(steps[-1:])
        except Stopped:
            with suppress(DataError):
                keep(at)
            raise
        return is_steady(rule, steps)

    if start and is_steady(rule, steps):
        factors = start.factors
    else:
        checks = range(rule.every, order.settings.iterations + 1, rule.every) if rule else ()
        factors = als.fit(
            matrix,
            order.settings,
            seed=order.seed,
            snapshots=(*order.snapshots, *checks),
            on_iteration=on_iteration,
            threads=(lambda: granted() or order.threads) if granted else order.threads,
            start=start,
        )
    return FitResult(_written(factors, target), elapsed, len(steps), list(followed.metrics()))


@lru_cache(maxsize=1)
def train_matrix(data: StoredFile) -> "csr_array":
    """What a fit is trained on. The last one is kept in memory."""
    return load_matrix(data.check())


def _written(factors: Factors, target: Path) -> StoredFile:
    with replacing(target) as temporary:
        factors.save(temporary)
    return StoredFile(str(target), file_sha256(target))
