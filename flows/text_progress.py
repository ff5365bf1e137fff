"""Progress as one line of text, in a terminal or below the cell of a notebook."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from tqdm import tqdm

from tasks.reporting.progress import PlannedWork, listening

_SECONDS = 0.1
"""Least time between two states of the bar."""


class TextBar:
    """A listener that shows one bar over everything planned."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._planned = PlannedWork()
        self._lock = Lock()

    def plan(self, title: str, work: dict[str, float]) -> None:
        """Begin a bar, in place of the one over an earlier plan; see `progress.Listener.plan`.

        Parameters
        ----------
        title : str
            Before the bar.
        work : dict of str to float
            Label of each part -> its relative amount of work.
        """
        self.close()
        self._planned.plan(work)
        if work:
            shape = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left"
            self._bar = tqdm(
                total=self._planned.total,
                desc=title,
                bar_format=shape,
                leave=False,
                mininterval=_SECONDS,
                miniters=0,  # steps are of unequal size: only the time counts
            )

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """Move the bar; see `progress.Listener.step`.

        Parameters
        ----------
        label : str
            Of the part.
        done, total : int
            Such as 3 of 15.
        unit : str
            Not shown.
        """
        with self._lock:
            completed = self._planned.step(label, done, total)
            if self._bar is not None:
                self._bar.n = completed
                self._bar.update(0)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def text_progress() -> Iterator[None]:
    """Show the progress of the block on stderr; nothing if that is neither a terminal nor the output of a notebook."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        yield
        return
    bar = TextBar()
    try:
        with listening(bar):
            yield
    finally:
        bar.close()
