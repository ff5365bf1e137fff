"""Progress bars on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flows.cli.tables import err
from tasks.reporting.progress import listening


class _Bars:
    """A listener that shows a bar over everything planned, with the time left, and one for each running part."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.work: dict[str, float] = {}
        self.completed: dict[str, float] = {}
        self.overall: TaskID | None = None
        self.running: dict[str, TaskID] = {}
        self.lock = Lock()

    def plan(self, title: str, work: dict[str, float]) -> None:
        self.work = work
        if work:
            self.overall = self.progress.add_task(title, total=sum(work.values()), count="")

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        with self.lock:
            if label not in self.running:
                self.running[label] = self.progress.add_task(label, total=total, count="")
            self.progress.update(self.running[label], completed=done, count=f"{done:,}/{total:,} {unit}")
            self.completed[label] = self.work.get(label, 0.0) * done / total
            if self.overall is not None:
                self.progress.update(self.overall, completed=sum(self.completed.values()))
            if done == total:
                self.progress.remove_task(self.running.pop(label))


@contextmanager
def progress_bars(*, hidden: bool = False) -> Iterator[None]:
    """Show the progress of the block; nothing if stderr is not a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[count]}"),
    )
    disable = hidden or not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=disable) as progress, listening(_Bars(progress)):
        yield
