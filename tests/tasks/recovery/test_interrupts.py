"""Signals during work in threads: they set an event, and are handled at the end of the block."""

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from tasks.recovery.interrupts import deferred_signals, repeat_dropped_signals


class Thing:
    """An object that can be weakly referred to."""


def in_weakref_callback(number: int) -> None:
    """Send a signal from a weak reference's callback, where Python drops an exception that a handler raises."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), number) or [None for _ in range(1000)])
    del thing
    assert reference() is None


@pytest.mark.parametrize("send", [lambda number: os.kill(os.getpid(), number), in_weakref_callback])
def test_an_interrupt_sets_the_event_and_is_raised_at_the_end(send: Callable[[int], None]) -> None:
    before = signal.getsignal(signal.SIGINT)
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_signals() as stop:  # noqa: PT012
        assert not stop.is_set()
        send(signal.SIGINT)
        assert stop.is_set()
        done.append("the rest of the block")
    assert done == ["the rest of the block"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_sigterm_is_handled_by_the_handler_of_before() -> None:
    def leave(*_: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit) as ended, deferred_signals():
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is leave
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_goes_before_an_error_of_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), deferred_signals():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        raise ValueError("the threads were stopped")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_signals() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.is_set()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_the_handlers_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with deferred_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_whose_exception_was_dropped_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, number: int, raised: type[BaseException]
) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(143)

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # restored at the end
    repeat_dropped_signals()
    before = signal.signal(signal.SIGTERM, leave)
    try:
        in_weakref_callback(number)  # its exception is dropped
        with pytest.raises(raised):
            time.sleep(30)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_exceptions_that_are_dropped_are_reported_as_ever(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise ValueError("in a callback")

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    repeat_dropped_signals()
    thing = Thing()
    reference = weakref.ref(thing, fail)
    del thing
    assert reference() is None
    assert "ValueError: in a callback" in capsys.readouterr().err
