"""Progress as one line of text: where it is shown, and what of the plan is done."""

import io
import sys

import pytest

from flows.text_progress import text_progress
from tasks.reporting import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def report() -> None:
    progress.plan("2 fits", {"a": 3.0, "b": 1.0})
    progress.step("a", 1, 2, "iterations")
    progress.step("b", 1, 1, "iterations")
    progress.step("a", 2, 2, "iterations")
    progress.step("not planned", 1, 2, "users")
    progress.plan("1 file", {"c": 1.0})


def test_a_terminal_shows_the_share_of_the_planned_work(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("flows.text_progress._SECONDS", 0.0)
    with text_progress():
        report()
    shown = [line.split("|")[0] for line in terminal.getvalue().split("\r") if "|" in line]
    assert shown == ["2 fits:   0%", "2 fits:  38%", "2 fits:  62%", "2 fits: 100%", "2 fits: 100%", "1 file:   0%"]
    assert terminal.getvalue().endswith("\r")


def test_a_file_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with text_progress():
        report()
    assert file.getvalue() == ""


def test_work_that_does_not_add_up_exactly_ends_at_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts end in another order: the sum of what is done is larger than the planned sum by rounding."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("flows.text_progress._SECONDS", 0.0)
    work = {"a": 0.1, "b": 0.1, "c": 1.0}
    backwards = list(work)[::-1]
    assert sum(work[label] for label in backwards) > sum(work.values())
    with text_progress():
        progress.plan("3 fits", work)
        for label in backwards:
            progress.step(label, 1, 1, "iterations")
    assert "3 fits: 100%" in terminal.getvalue()
