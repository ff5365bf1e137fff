"""Ctrl-C and SIGTERM while threads work.

Python runs a signal handler between any two instructions of the main thread, and drops the exception that it raises in
a finaliser or in a weak reference's callback. In this block the handler therefore only sets an event. The block ends
its threads, and the signal is then handled as it would have been outside.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType


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
