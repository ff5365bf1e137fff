"""A fit from stored interactions to a file of factors, gone on with where a crash left it.

Runs in the process that asks for it or in a child of it (`tasks.isolation`); knows neither Prefect nor MLflow.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.core import als, checkpoint
from tasks.core.als import Factors
from tasks.core.checkpoint import Checkpoint
from tasks.core.config import AlsConfig, SteadyStop
from tasks.core.errors import DataError, Stopped
from tasks.core.interactions import load_matrix
from tasks.core.steady import Check, LastLists, steady
from tasks.core.store import StoredFile, file_sha256, replacing
from tasks.core.trajectory import Trajectory

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SHARE = 0.01
"""Of the time, at most, goes to checkpoints: where writing one takes long, they are fewer."""


@dataclass(frozen=True)
class FitOrder:
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


class Step(NamedTuple):
    """What is told of an iteration; not a number where it was not computed.

    elapsed : seconds of training up to its end
    at : its end, in milliseconds since 1970
    overlap : at a check of the stopping rule, see `tasks.core.steady.Check`
    """

    iteration: int
    elapsed: float
    factor_change: float
    objective: float
    imbalance: float
    at: float
    overlap: float = np.nan


Tell = Callable[[list[Step]], None]
"""Called with each iteration's step, and once with all those before a checkpoint that is gone on from."""


@dataclass(frozen=True)
class Fitted:
    """A fit's factors in a file, and what was seen on the way to them.

    seconds : of training, in all processes that took part
    iterations : that were run
    overlaps : (iteration, metrics) at the snapshots, see `tasks.core.trajectory`
    """

    factors: StoredFile
    seconds: float
    iterations: int
    overlaps: list[tuple[int, dict[str, float]]]


def carry_out(order: FitOrder, target: Path, tell: Tell, granted: Callable[[], int] | None = None) -> Fitted:
    """Fit, writing a checkpoint every so often, from the last good one where there is one.

    Parameters
    ----------
    target : the file of factors to write
    tell : may raise `Stopped`, which ends the fit once a checkpoint of it is written
    granted : threads, in place of the order's, asked for after every sweep; 0 for the order's

    Raises
    ------
    TrainingError
        See `tasks.core.als.fit`.
    DataError
        Interactions that are damaged, a folder that cannot be written.
    """
    matrix = train_matrix(order.data)
    followed = Trajectory(*matrix.shape, queries=order.queries, n=order.n)
    kept = checkpoint.latest(order.identity)
    rule = order.settings.stop
    checked = LastLists(rule, *matrix.shape, last=kept.checked if kept else None) if rule else None
    steps: list[Step] = []
    start = None
    if kept is not None:
        start = als.Start(kept.iteration, kept.factors)
        steps = [Step(int(row[0]), *map(float, row[1:])) for row in kept.steps]
        if kept.following == followed.what:
            followed.lists |= kept.lists
        tell(steps)
    elapsed = steps[-1].elapsed if steps else 0.0
    due = time.monotonic() + order.checkpoint_seconds

    def keep(at: als.Iteration) -> None:
        nonlocal due
        begun = time.monotonic()
        lists = checked.last if checked else {}
        state = Checkpoint(at.iteration, at.factors, np.array(steps), followed.what, followed.lists, lists)
        checkpoint.save(order.identity, state)
        now = time.monotonic()
        due = now + max(order.checkpoint_seconds, (now - begun) / _SHARE)

    def on_iteration(at: als.Iteration) -> bool:
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
    return Fitted(_written(factors, target), elapsed, len(steps), list(followed.metrics()))


def is_steady(rule: SteadyStop | None, steps: Sequence[Step]) -> bool:
    """Whether the fit ends with the last step because it is steady by its rule."""
    if rule is None or not steps or len(steps) % rule.every:
        return False
    return steady(rule, [Check(step.objective, step.overlap) for step in steps[rule.every - 1 :: rule.every]])


@lru_cache(maxsize=1)
def train_matrix(data: StoredFile) -> "csr_array":
    """What a fit is trained on. The last one is kept in memory."""
    return load_matrix(data.check())


def _written(factors: Factors, target: Path) -> StoredFile:
    with replacing(target) as temporary:
        factors.save(temporary)
    return StoredFile(str(target), file_sha256(target))
