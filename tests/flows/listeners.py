"""Listeners for progress that act at one step of a run."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from tasks.core.errors import Stopped
from tasks.reporting import progress

SECONDS = 60
"""Limit of every wait, so that a test fails and does not hang."""


@dataclass
class AtStep:
    """A listener that acts once, in the thread of the step: when a part has done at least `done`.

    Attributes
    ----------
    label : str
        Of the part.
    done : int
    act : callable
        What is done.
    """

    label: str
    done: int
    act: Callable[[], object]
    _acted: bool = field(default=False, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def plan(self, title: str, work: dict[str, float]) -> None:
        """Ignore what is planned."""

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """Act if it is the step."""
        with self._lock:
            acts = not self._acted and label == self.label and done >= self.done
            self._acted |= acts
        if acts:
            self.act()


def interrupt() -> None:
    """Send SIGINT to this process, and return once its work is to stop: the next step ends it."""
    os.kill(os.getpid(), signal.SIGINT)
    deadline = time.monotonic() + SECONDS
    with suppress(Stopped):
        while time.monotonic() < deadline:
            progress.check_stop("the signal has arrived")
            time.sleep(0.01)


def wait_until(condition: Callable[[], object]) -> None:
    """Return once a condition is met."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.05)
