"""The fits of one trial, one for each seed, which advance together from snapshot to snapshot."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from time import perf_counter

from tasks.core.config.als import AlsConfig
from tasks.core.data.splits.split import Split
from tasks.core.models import als
from tasks.core.models.threads import cores
from tasks.core.ranking.accuracy import accuracy_of_factors


@dataclass(frozen=True)
class Measured:
    """The metric of each seed after an iteration.

    Attributes
    ----------
    iteration : int
    of_seeds : tuple of float
    seconds : float
        Of fits and measurements so far.
    """

    iteration: int
    of_seeds: tuple[float, ...]
    seconds: float


def accuracy_along_iterations(
    split: Split,
    settings: AlsConfig,
    seeds: Sequence[int],
    *,
    metric: str,
    snapshots: Collection[int],
    check_stop: Callable[[], None],
) -> Iterator[Measured]:
    """Fit a model with several seeds at a time, and measure it after the snapshots and the last iteration.

    A fit is resumed from its factors at the last snapshot, so that its factors are those of an uninterrupted fit.

    Parameters
    ----------
    split : Split
        The train part, and the part that the metric is measured on.
    settings : AlsConfig
        Settings of the model.
    seeds : sequence of int
        Of the fits.
    metric : str
        See `tasks.core.ranking.accuracy.accuracy_of_factors`.
    snapshots : collection of int
        Iterations.
    check_stop : callable
        Called after each iteration of each fit. It may raise an exception, which ends all fits.

    Yields
    ------
    Measured

    Raises
    ------
    TrainingError
        See `tasks.core.models.als.fit`.
    """
    at_a_time = min(len(seeds), cores())
    threads = max(cores() // at_a_time, 1)

    def advance(seed: int, start: als.Start | None, until: int) -> tuple[als.Start, float]:
        def ends(iteration: als.Iteration) -> bool:
            check_stop()
            return iteration.iteration == until

        factors = als.fit(split.train, settings, seed=seed, on_iteration=ends, threads=threads, start=start)
        return als.Start(until, factors), accuracy_of_factors(factors, split, settings, metric)

    starts: list[als.Start | None] = [None] * len(seeds)
    seconds = 0.0
    with ThreadPoolExecutor(at_a_time, "trial") as pool:
        for until in sorted({*(each for each in snapshots if each < settings.iterations), settings.iterations}):
            begun = perf_counter()
            advanced = [
                # of a copy for each: a context cannot be entered by two threads
                pool.submit(copy_context().run, advance, seed, start, until)
                for seed, start in zip(seeds, starts, strict=True)
            ]
            results = [future.result() for future in advanced]
            starts = [start for start, _ in results]
            seconds += perf_counter() - begun
            yield Measured(until, tuple(value for _, value in results), seconds)
