"""Ctrl-C and SIGTERM while threads work.

Python runs a signal handler between any two instructions of the main thread, and drops the exception that it raises in
a finaliser or in a weak reference's callback. In this block the handler therefore only sets an event. The block ends
its threads, and the signal is then handled as it would have been outside. Outside, a signal whose exception was dropped
is sent again.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Timer, current_thread, main_thread
from types import FrameType

_AGAIN_SECONDS = 0.05


@contextmanager
def deferred_signals() -> Iterator[Event]:
    """Set an event at SIGINT or SIGTERM, and handle the signal at the end of the block.

    Signals that are ignored, and blocks outside the main thread, are left as they are.

    Yields
    ------
    threading.Event
        The main thread must poll it, not wait for it: a handler that sets an event on which its own thread is about to
        wait can deadlock.
    """
    event = Event()
    if current_thread() is not main_thread():
        yield event
        return
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        event.set()

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    replaced = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in replaced:
        signal.signal(number, receive)
    try:
        yield event
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def repeat_dropped_signals() -> None:
    """Send SIGINT or SIGTERM again, from now on, where Python drops the exception that its handler raised.

    The handler of SIGINT is expected to raise KeyboardInterrupt, that of SIGTERM SystemExit.
    """

    def report(dropped: "sys.UnraisableHookArgs") -> None:
        numbers = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
        if (number := numbers.get(dropped.exc_type)) is None:
            sys.__unraisablehook__(dropped)
            return
        again = Timer(_AGAIN_SECONDS, os.kill, [os.getpid(), number])  # the finaliser has ended by then
        again.daemon = True
        again.start()

    sys.unraisablehook = report
