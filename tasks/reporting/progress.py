"""Progress of long work, reported to a listener."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from tasks.recovery.interrupts import check


class Listener(Protocol):
    """Something that shows progress."""

    def plan(self, title: str, work: dict[str, float]) -> None:
        """What is going to run, by label, with the relative amount of each."""

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """`label` has done so much of its total, such as 3 of 15 iterations."""


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send what is told within the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def plan(title: str, work: dict[str, float]) -> None:
    """Tell the listener, if there is one, what is going to run."""
    if listener := _listener.get():
        listener.plan(title, work)


def step(label: str, done: int, total: int, unit: str) -> None:
    """Tell the listener, if there is one, how far a part is.

    Raises
    ------
    Stopped
        The work was called off; see `stoppable`.
    """
    check(f"{label} was stopped at {done} of {total}")
    if listener := _listener.get():
        listener.step(label, done, total, unit)
