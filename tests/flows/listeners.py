"""A listener for progress that acts at steps of a run, an interrupt, and a wait with a limit."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from tasks.core.errors import Stopped
from tasks.reporting import progress

SECONDS = 60
"""Limit of every wait, so that a test fails and does not hang."""


class Recording:
    """A listener that records which parts have begun.

    Parameters
    ----------
    on_step : callable
        Called at each step with the part's label and how far it has come, in the thread of the step.

    Attributes
    ----------
    labels : list of str
        Of the parts, in the order of their first step.
    """

    def __init__(self, on_step: Callable[[str, int], None] = lambda label, done: None) -> None:
        self.labels: list[str] = []
        self._on_step = on_step
        self._lock = Lock()

    @property
    def trained(self) -> list[str]:
        """The fits, in the order in which they trained."""
        return [label.removeprefix("train ") for label in self.labels if label.startswith("train ")]

    def plan(self, title: str, work: dict[str, float]) -> None:
        """Ignore what is planned."""

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """Record the label."""
        with self._lock:
            if label not in self.labels:
                self.labels.append(label)
        self._on_step(label, done)


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
