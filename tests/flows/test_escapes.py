"""Escape sequences, markup and control characters in ids, titles, columns and paths: shown, and never acted on."""

import io
import logging
import re
import sys
from pathlib import Path

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from flows.cli.printing.log_lines import LogLines
from flows.cli.printing.progress_bars import progress_bars
from flows.cli.printing.tables import columns_table, err, out, query_table
from flows.cli.streams import say_on_stderr
from flows.publish import _rounded
from tasks.core.comparison.query_lists import Entry, QueryLists
from tasks.reporting import progress
from tests.command_line import CommandLine

ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What must reach neither a terminal nor a report: any control character but tab and line feed, and bidi controls."""
HOSTILE = [
    "x\x1b[31mred",
    "\x1b]0;title\x07bell",
    "back\x08spaced",
    "nl\nx",
    "\u202ereversed",
    "\u2066isolated",
    "\x9b31mC1",
    "feed\x0cx",
    "tab\tx",
    "[red]r[/red]",
    "<b>x</b>",
    "$x_1$",
    ":smile:",
    "long" * 100,
]
CONFIG = """\
name: ids
dataset: {name: file, path: ratings.csv}
preprocess: {min_rating: null}
models: {a: {factors: 2, iterations: 2}, b: {factors: 3, iterations: 2}}
replicates: 2
queries: {users: [0], items: [0, 6], recommend_for: [0]}
comparison: {depths: [3]}
evaluation: {replicates: 1, cutoffs: [3]}
execution: {system_metrics: false}
"""


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def write_hostile_ratings(folder: Path) -> None:
    """Write ratings whose users and items are hostile ids, and a config."""
    pairs = [(user, item) for row, user in enumerate(HOSTILE) for item in HOSTILE[row % 3 :: 2]]
    lines = [f"{quoted(user)},{quoted(item)},4" for user, item in pairs]
    (folder / "ratings.csv").write_text("\n".join(["user,item,rating", *lines, ""]), encoding="utf-8", newline="")
    (folder / "config.yaml").write_text(CONFIG)


@pytest.fixture
def hostile(tmp_path: Path, empty_store: Path, online: CommandLine) -> CommandLine:
    """An experiment on hostile ids."""
    write_hostile_ratings(tmp_path)
    return online


def test_no_table_message_or_report_has_control_characters_of_an_id(hostile: CommandLine) -> None:
    done = hostile.call("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    similar = hostile.call("similar", "latest", "--item", "0", "-n", "12")
    fit = hostile.call("show", "ids/a/0")
    report = Path(hostile.answer("report")["report"]).read_text(encoding="utf-8")
    for text in (done.stdout, done.stderr, similar.stdout, fit.stdout, report):
        assert ACTED_ON.findall(text) == []
    for name in (r"(id x\x1b[31mred)", r"(id [red]r[/red])", r"(id \u202ereversed)", r"(id nl\nx)", "(id :smile:)"):
        assert name in similar.stdout
    assert r"(id x\x1b[31mred)" in report
    assert "<b>x</b>" not in report
    assert "long" * 100 not in similar.stdout
    assert "…)" in similar.stdout
    # JSON is for machines, and has the ids as they are
    ids = {entry["raw_id"] for entry in hostile.answer("similar", "latest", "--item", "0", "-n", "12")["models"]["a"]}
    assert ids <= set(HOSTILE)


@pytest.mark.parametrize(
    ("repeated", "words"),
    [
        ("x\x1b[31mred", "rates item 1 twice"),
        ("\u202ereversed", "rates item 1 twice"),
        ("over\rwritten", "spans lines 2 to 3"),
        ("nl\nforged: line", "rates item 1 twice"),
        ("9" * 10**5, "rates item 1 twice"),
    ],
    ids=["escape sequence", "bidi", "carriage return", "line feed", "long"],
)
def test_an_id_in_a_message_is_escaped_and_short(offline: CommandLine, repeated: str, words: str) -> None:
    row = f"{quoted(repeated)},1,4\n"
    (offline.folder / "ratings.csv").write_text(f"user,item,rating\n{row}{row}", encoding="utf-8", newline="")
    message = offline.failure(3, "data", "describe", "config.yaml")
    assert ACTED_ON.findall(message) == []
    assert words in message
    assert len(message.splitlines()) == 1
    assert len(message) < 400


def test_a_path_in_a_message_is_escaped(offline: CommandLine) -> None:
    (offline.folder / "a\x1b[31mb.yaml").write_text("name: 5\n")
    assert r"a\x1b[31mb.yaml:1: name" in offline.failure(2, "check", "a\x1b[31mb.yaml")
    assert r"no\x1b[31m.yaml" in offline.failure(2, "check", "no\x1b[31m.yaml")


def test_an_argument_that_a_usage_message_quotes_is_escaped(offline: CommandLine) -> None:
    for arguments in (["check", "config.yaml", "more\x1b[31m"], ["run\x1b[31m"], ["run", "--fresh\x1b[31m"]):
        done = offline.call(*arguments)
        assert done.returncode == 2
        assert r"\x1b[31m" in done.stderr
        assert ACTED_ON.findall(done.stderr) == []


def test_a_traceback_is_escaped(offline: CommandLine) -> None:
    done = offline.run("--debug", "check", "absent\x1b[31m.yaml")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert r"ConfigError: absent\x1b[31m.yaml: there is no such file" in done.stderr
    assert ACTED_ON.findall(done.stderr) == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_titles_and_cells_of_tables_are_shown_as_they_are_written(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "_width", 2000)
    entries = [Entry(1, text, "", 1.0, 1.0, 0.9), Entry(2, "u2", text, 0.5, 2.0, 0.8)]
    out.print(query_table(QueryLists("user_1", "users", 1, text, text, 2, {"a": entries})))
    out.print(columns_table([{"name": text, "value": text}], text))
    table = Table(text)
    table.add_row(text)
    out.print(Group(text, Text(text), table))
    printed = capsys.readouterr().out
    assert ACTED_ON.findall(printed) == []
    if text in ("[red]r[/red]", "<b>x</b>", "$x_1$", ":smile:"):
        assert printed.count(text) == 11


def test_a_table_with_escaped_ids_fits_into_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An escape sequence is wider than the character: the width of a column is that of what is shown."""
    monkeypatch.setattr(out, "_width", 60)
    out.print(columns_table([{"name": "\x1b" * 5, "value": 12345}], "title"))
    lines = capsys.readouterr().out.splitlines()
    assert r"\x1b\x1b\x1b\x1b\x1b  12345" in lines


def test_log_lines_and_progress_bars_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal, which gets the escape sequences of the bars themselves."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(err, "_force_terminal", True)
    monkeypatch.setattr(err, "is_interactive", True)
    monkeypatch.setenv("TERM", "xterm")
    handler = LogLines()
    message = "x\x1b]0;title \u202e[red]r[/red]"
    with progress_bars():
        progress.step(message, 1, 2, "bytes")
        handler.emit(logging.makeLogRecord({"msg": message}))
    assert re.findall("\x1b]|\x07|\u202e", written.getvalue()) == []
    assert written.getvalue().count(r"x\x1b]0;title \u202e[r") >= 2  # the bar and the line of the log


def test_tables_in_prefect_have_no_control_characters() -> None:
    row = _rounded(Entry(1, "x\x1b[31m\nred", "\u202etitle", 0.123456, 1.0, 0.9))
    assert (row["raw_id"], row["title"], row["share"]) == (r"x\x1b[31m\nred", r"\u202etitle", 0.1235)


def test_of_a_long_line_of_a_message_the_ends_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say_on_stderr("what was found: " + "x" * 10**6 + "; what to do\nsecond\x1b[31m line")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("what was found: xxx")
    assert first.endswith("xxx; what to do")
    assert len(first) < 1100
    assert second == r"second\x1b[31m line"
