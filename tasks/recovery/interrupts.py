"""Ctrl-C, SIGTERM and cancellation during long work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, current_thread, main_thread
from types import FrameType

from tasks.core.errors import Stopped

_stop: ContextVar[Event | None] = ContextVar("stop", default=None)
_struck: list[int] = []
"""The signal that interrupts the process, from when it comes until the exception that it raised has arrived."""
_held: list[bool] = []
"""Not empty while interrupts wait."""


@contextmanager
def stoppable() -> Iterator[Event]:
    """An event that, once set, ends the work of the block's threads at their next step."""
    event = Event()
    token = _stop.set(event)
    try:
        yield event
    finally:
        _stop.reset(token)


@contextmanager
def interruptible() -> Iterator[None]:
    """See to it that Ctrl-C and SIGTERM end the block, at its next step at the latest.

    Python drops the exception that a signal's handler raises where it strikes in a finaliser or in a weak reference's
    callback, of which SQLAlchemy has many: whoever logs much would miss one interrupt in a few. See also `undisturbed`.
    """
    if current_thread() is not main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def strike(number: int, frame: FrameType | None) -> None:
        _struck[:] = [number]
        if not _held:
            handlers[signal.Signals(number)](number, frame)  # type: ignore[misc, operator]

    replaced = [number for number, handler in handlers.items() if callable(handler)]
    try:
        for number in replaced:
            signal.signal(number, strike)
        yield
    finally:
        for number in replaced:
            signal.signal(number, handlers[number])
        _struck.clear()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within `interruptible`, have an interrupt wait for the end of a block that is short and must not be cut."""
    if current_thread() is not main_thread():
        yield
        return
    _held.append(True)
    try:
        yield
    finally:
        _held.pop()
    check()


def check(message: str = "") -> None:
    """Raise `Stopped` if the work was called off, and an interrupt again that was lost; see `interruptible`."""
    if _struck and current_thread() is main_thread():
        signal.raise_signal(_struck[0])
    if (stop := _stop.get()) and stop.is_set():
        raise Stopped(message)
