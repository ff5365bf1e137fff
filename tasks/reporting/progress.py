"""Progress of long work, reported to a listener such as the command line's bars.

A step of progress is also where work can be stopped: once `stop` of a surrounding block is set, the next step raises
`Stopped`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Event
from typing import Protocol, TypeVar

from tasks.core.errors import Stopped

T = TypeVar("T")


class Listener(Protocol):
    """An object that shows progress."""

    def plan(self, title: str, work: dict[str, float]) -> None:
        """Receive what is going to run next. With planned looks there is a plan for each look.

        Parameters
        ----------
        title : str
            Of all parts together.
        work : dict of str to float
            Label of each part -> its relative amount of work.
        """

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """Receive how far a part has come.

        Parameters
        ----------
        label : str
            Of the part.
        done, total : int
            Such as 3 of 15.
        unit : str
            Such as iterations.
        """


class PlannedWork:
    """How much of what is planned is done."""

    def __init__(self) -> None:
        self._work: dict[str, float] = {}
        self._done: dict[str, float] = {}

    @property
    def total(self) -> float:
        """All of the work."""
        return sum(self._work.values())

    def plan(self, work: dict[str, float]) -> None:
        """Begin a plan, in place of an earlier one.

        Parameters
        ----------
        work : dict of str to float
            Label of each part -> its relative amount of work.
        """
        self._work, self._done = work, {}

    def step(self, label: str, done: int, total: int) -> float:
        """Return how much is done after a step. A part that is not planned is no work.

        Parameters
        ----------
        label : str
            Of the part.
        done, total : int
            Such as 3 of 15.

        Returns
        -------
        float
            At most `total`.
        """
        self._done[label] = self._work.get(label, 0.0) * done / total
        return min(sum(self._done.values()), self.total)  # rounded sums may be larger


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_stops: ContextVar[tuple[Event, ...]] = ContextVar("stops", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def stoppable(stop: Event) -> Iterator[None]:
    """Stop the work of the block, and of threads with a copy of its context, at the next step after `stop` is set."""
    token = _stops.set((*_stops.get(), stop))
    try:
        yield
    finally:
        _stops.reset(token)


@contextmanager
def in_background(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Run work in a thread during the block; it is stopped at its next step if the block ends with an error."""
    stop = Event()
    with stoppable(stop), ThreadPoolExecutor(1) as pool:
        future = pool.submit(copy_context().run, work)
        try:
            yield future
        except BaseException:
            stop.set()
            raise


def plan(title: str, work: dict[str, float]) -> None:
    """Report what is going to run; see `Listener.plan`.

    Parameters
    ----------
    title : str
        Title of the table.
    work : dict of str to float
        Label of each part -> its amount of work.
    """
    if (listener := _listener.get()) is not None:
        listener.plan(title, work)


def step(label: str, done: int, total: int, unit: str) -> None:
    """Report how far a part has come; see `Listener.step`.

    Parameters
    ----------
    label : str
        Label of the part.
    done, total : int
        Such as 3 of 15.
    unit : str
        Such as iterations.

    Raises
    ------
    Stopped
        If the work is to stop.
    """
    check_stop(f"{label} was stopped at {done} of {total}")
    if (listener := _listener.get()) is not None:
        listener.step(label, done, total, unit)


def check_stop(message: str) -> None:
    """Raise `Stopped`, with a message, if the work is to stop."""
    if any(stop.is_set() for stop in _stops.get()):
        raise Stopped(message)
