"""Progress bars on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flows.cli.printing.tables import err
from tasks.reporting.progress import PlannedWork, listening


class Bars:
    """A listener that shows a bar over everything planned, with the time left, and one for each running part.

    Parameters
    ----------
    progress : Progress
        What shows the bars.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.planned = PlannedWork()
        self.overall: TaskID | None = None
        self.running: dict[str, TaskID] = {}
        self.lock = Lock()

    def plan(self, title: str, work: dict[str, float]) -> None:
        """Show a bar over what is planned, in place of the one over an earlier plan; see `progress.Listener.plan`.

        Parameters
        ----------
        title : str
            Of the bar.
        work : dict of str to float
            Label of each part -> its relative amount of work.
        """
        self.planned.plan(work)
        if self.overall is not None:
            self.progress.remove_task(self.overall)
            self.overall = None
        if work:
            self.overall = self.progress.add_task(title, total=self.planned.total, count="")

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """Show how far a part has come; see `progress.Listener.step`.

        Parameters
        ----------
        label : str
            Of the part.
        done, total : int
            Such as 3 of 15.
        unit : str
            Such as iterations.
        """
        with self.lock:
            if label not in self.running:
                self.running[label] = self.progress.add_task(label, total=total, count="")
            self.progress.update(self.running[label], completed=done, count=f"{done:,}/{total:,} {unit}")
            completed = self.planned.step(label, done, total)
            if self.overall is not None:
                self.progress.update(self.overall, completed=completed)
            if done == total:
                self.progress.remove_task(self.running.pop(label))


@contextmanager
def progress_bars(*, hidden: bool = False) -> Iterator[None]:
    """Show the progress of the block; nothing if stderr is not a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[count]}", markup=False),
    )
    disable = hidden or not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=disable) as progress, listening(Bars(progress)):
        yield
