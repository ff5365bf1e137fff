"""The bars of the command line: one over what is planned, and one for each part that runs."""

from io import StringIO

from rich.console import Console
from rich.progress import Progress

from flows.cli.printing.progress_bars import Bars


def test_the_plan_of_a_later_look_replaces_that_of_the_earlier_one() -> None:
    """How many fits later looks need is unknown, so the bar counts up to the look under way."""
    bars = Bars(Progress(console=Console(file=StringIO())))

    def shown() -> list[tuple[str, float, float | None]]:
        return [(task.description, task.completed, task.total) for task in bars.progress.tasks]

    bars.plan("look 1 of 2: 2 fits", {"train a #0": 1.0, "train b #0": 3.0})
    bars.step("train a #0", 5, 5, "iterations")
    assert shown() == [("look 1 of 2: 2 fits", 1.0, 4.0)]
    bars.step("train b #0", 5, 5, "iterations")
    bars.plan("look 2 of 2: 1 fit", {"train a #1": 2.0})
    assert shown() == [("look 2 of 2: 1 fit", 0.0, 2.0)]
    bars.step("train a #1", 1, 4, "iterations")
    assert shown() == [("look 2 of 2: 1 fit", 0.5, 2.0), ("train a #1", 1.0, 4.0)]
