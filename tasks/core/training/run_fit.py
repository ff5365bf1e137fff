"""A fit from stored interactions to a file of factors, resumed from its last checkpoint.

Runs in the calling process or in a child process (`tasks.recovery.worker_process`).
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig, SteadyStop
from tasks.core.config.experiment import ResampleConfig, SparkConfig
from tasks.core.data.interactions import load_matrix
from tasks.core.data.resample import resampled
from tasks.core.data.splits.stop_part import StopPart
from tasks.core.errors import DataError, Stopped
from tasks.core.files import StoredFile, file_sha256, replacing
from tasks.core.models import als
from tasks.core.training import checkpoint
from tasks.core.training.checkpoint import Checkpoint
from tasks.core.training.list_stability import ListStability
from tasks.core.training.metric_stop import BestCheck, best_iteration, no_longer_rises
from tasks.core.training.step import OnSteps, Step
from tasks.core.training.stopping import PreviousLists, ends_with_last_step

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CHECKPOINT_SHARE = 0.01
"""Largest share of the time that goes to checkpoints. Where writing one takes long, they become less frequent."""


@dataclass(frozen=True)
class FitRequest:
    """One fit, with everything that running it needs.

    Attributes
    ----------
    identity : str
        See `tasks.core.planning.runs.PlannedRun`.
    data : StoredFile
        The matrix that is fitted, without what `resample` leaves out.
    settings : AlsConfig
    seed : int
    snapshots : tuple of int
        Iterations at which the change of the factors, the objective, the imbalance and the lists are computed.
    queries : tuple of int
        Users whose lists are followed.
    n : int
        Length of the followed lists.
    threads : int
        Of implicit.
    checkpoint_seconds : float
        Time between two checkpoints.
    checkpoints : Path
        The folder of the fit's checkpoints.
    target : Path
        The file of factors to write.
    resample : ResampleConfig or None
        What is left out of the matrix; None for nothing.
    stop_part : StopPart or None
        What is held out of the rest to decide when the fit stops; None without the rule `metric`.
    spark : SparkConfig or None
        The session to start if Spark trains the model; None for that of the process.
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
    checkpoints: Path
    target: Path
    resample: ResampleConfig | None = None
    stop_part: StopPart | None = None
    spark: SparkConfig | None = None


@dataclass(frozen=True)
class FitResult:
    """The factors of a fit, in a file, and what was measured during training.

    Attributes
    ----------
    factors : StoredFile
    seconds : float
        Of training, in all processes that took part.
    iterations : int
        Number of iterations that were run.
    kept : int
        Iteration whose factors these are: the last, or with the rule `metric` the best check.
    overlaps : list of (iteration, metrics)
        At the snapshots, see `ListStability.metrics`.
    """

    factors: StoredFile
    seconds: float
    iterations: int
    kept: int
    overlaps: list[tuple[int, dict[str, float]]]


def run_fit(request: FitRequest, on_steps: OnSteps) -> FitResult:
    """Run a fit from its last intact checkpoint, or from the start, and write checkpoints on the way.

    Parameters
    ----------
    request : FitRequest
        The fit.
    on_steps : callable
        May raise `Stopped`, which ends the fit after a last checkpoint.

    Returns
    -------
    FitResult

    Raises
    ------
    TrainingError
        See `tasks.core.models.als.fit`.
    DataError
        If the interactions are damaged or a folder cannot be written.
    Stopped
        If `on_steps` raises it.
    """
    matrix = resampled(train_matrix(request.data), request.resample, seed=request.seed)
    rule = request.settings.stop
    resumed = checkpoint.latest(request.checkpoints, request.identity)
    followed = ListStability(*matrix.shape, queries=request.queries, n=request.n)
    previous = best = None
    if isinstance(rule, SteadyStop):
        previous = PreviousLists(rule, *matrix.shape, lists=resumed.checked if resumed else None)
    elif rule:
        assert request.stop_part is not None, "it comes with the rule"
        split = request.stop_part.split(matrix)
        matrix = split.train
        best = BestCheck(rule, request.settings, split, resumed.best if resumed else None)
    steps: list[Step] = []
    start = None
    if resumed is not None:
        start = als.Start(resumed.iteration, resumed.factors)
        steps = [Step(int(row[0]), *map(float, row[1:])) for row in resumed.steps]
        if resumed.followed == followed.description:
            followed.lists |= resumed.lists
        on_steps(steps)
    elapsed = steps[-1].elapsed if steps else 0.0
    due = time.monotonic() + request.checkpoint_seconds

    def save_checkpoint(iteration: als.Iteration) -> None:
        nonlocal due
        begun = time.monotonic()
        checkpoint.save(
            request.checkpoints,
            Checkpoint(
                request.identity,
                iteration.iteration,
                iteration.factors,
                np.array(steps),
                followed.description,
                followed.lists,
                previous.lists if previous else {},
                best.factors if best else None,
            ),
        )
        now = time.monotonic()
        due = now + max(request.checkpoint_seconds, (now - begun) / _CHECKPOINT_SHARE)

    def on_iteration(iteration: als.Iteration) -> bool:
        nonlocal elapsed
        elapsed += iteration.seconds
        if iteration.objective is not None:
            followed.add(iteration.iteration, iteration.factors)
        checks = rule is not None and iteration.iteration % rule.every == 0
        steps.append(
            Step(
                iteration.iteration,
                elapsed,
                _or_nan(iteration.factor_change),
                _or_nan(iteration.objective),
                _or_nan(iteration.imbalance),
                time.time_ns() // 1_000_000,
                previous.overlap(iteration.factors) if previous and checks else np.nan,
                best.measure(iteration.factors, steps) if best and best.is_check(iteration.iteration) else np.nan,
            )
        )
        if time.monotonic() > due:
            save_checkpoint(iteration)
        try:
            on_steps(steps[-1:])
        except Stopped:
            with suppress(DataError):  # the fit ends either way; without a last checkpoint, an earlier one serves
                save_checkpoint(iteration)
            raise
        return ended()

    def ended() -> bool:
        return (
            no_longer_rises(best.rule, steps)
            if best
            else ends_with_last_step(previous.rule if previous else None, steps)
        )

    if start and ended():
        factors = start.factors
    else:
        checks = range(rule.every, request.settings.iterations + 1, rule.every) if rule else ()
        factors = als.fit(
            matrix,
            request.settings,
            seed=request.seed,
            snapshots=(*request.snapshots, *checks),
            on_iteration=on_iteration,
            threads=request.threads,
            start=start,
        )
    kept = len(steps)
    if best and best.factors:
        factors, kept = best.factors, best_iteration(steps) or kept
        # the last lists are those that the others are compared with
        followed.lists = {iteration: lists for iteration, lists in followed.lists.items() if iteration <= kept}
    with replacing(request.target) as temporary:
        factors.save(temporary)
    stored = StoredFile(str(request.target), file_sha256(request.target))
    return FitResult(stored, elapsed, len(steps), kept, list(followed.metrics()))


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


@lru_cache(maxsize=1)  # fits of one process follow each other on the same data
def train_matrix(data: StoredFile) -> "csr_array":
    """Return a stored matrix. The last one stays in memory, so it must not be changed."""
    return load_matrix(data.check())
