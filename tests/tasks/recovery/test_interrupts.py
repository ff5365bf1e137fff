"""Interrupts that are lost, and how they are found again."""

import os
import signal
import threading
import weakref

import pytest

from tasks.recovery import interrupts
from tasks.reporting import progress


class Thing:
    """Something that can be weakly referred to."""


def swallowed(number: int) -> None:
    """Have a signal strike in a weak reference's callback, where Python drops what its handler raises."""
    thing = Thing()
    kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), number) or [None for _ in range(1000)])
    del thing
    assert kept() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_swallowed_ends_the_next_step() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.interruptible():  # noqa: PT012
        swallowed(signal.SIGINT)
        progress.step("train", 1, 2, "iterations")
    assert signal.getsignal(signal.SIGINT) is before
    interrupts.check()  # and none after


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_so_does_a_sigterm_by_whatever_its_handler_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit) as ended, interrupts.interruptible():  # noqa: PT012
            swallowed(signal.SIGTERM)
            interrupts.check()
        assert ended.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is leave
    finally:
        signal.signal(signal.SIGTERM, before)


def test_one_that_arrives_is_raised_once() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.interruptible():  # noqa: PT012
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            with pytest.raises(KeyboardInterrupt):
                interrupts.check()  # nobody has let go of it yet
            raise
    interrupts.check()


def test_what_is_ignored_stays_ignored_and_other_threads_leave_handlers_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.interruptible():
            os.kill(os.getpid(), signal.SIGINT)
            interrupts.check()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

    def elsewhere() -> None:
        with interrupts.interruptible():
            seen.append(signal.getsignal(signal.SIGINT))

    seen: list[object] = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_an_interrupt_waits_for_the_end_of_what_must_not_stop_half_way() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts.interruptible():  # noqa: PT012
        with interrupts.undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the rest")
        done.append("what comes after")
    assert done == ["the rest"]
