"""Every kind of table, of a result with long names and long numbers, in narrow terminals."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flows.cli.printing.result_tables import show_result
from flows.cli.printing.tables import columns_table, out
from tasks.core.comparison.factorial import Factorial, Interaction, SimpleEffect
from tasks.core.comparison.query_lists import Entry, QueryLists
from tasks.core.comparison.sweep import Estimated, Point, Sweep
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.result import Result
from tests.tasks.reporting.small_result import small_result

NUMBER = re.compile(r"(?<![\w.])-?\d*\.?\d+%?")
Print = Callable[[int], str]


@pytest.fixture
def result() -> Result:
    """A result with every kind of table, with long names and long numbers."""
    interval = Estimated(0.12345, 0.1, 0.2)
    points = [Point("a", {"factors": k, "iterations": 5}, interval, interval, interval, 1234.5) for k in (8, 512)]
    entries = [Entry(index, str(10**15 + index), "", 0.5, 1.0, -1234.5) for index in (1234567, 2)]
    effect = SimpleEffect(
        "recommendations", 10, "factors", "iterations=1500", "a", "b", -0.123, -0.234, 0.345, 0.1, 0.2
    )
    result = small_result(
        sweep=Sweep(["factors", "iterations"], "ndcg_at_10", 5, points),
        factorial=Factorial(("factors", "iterations"), [effect], [Interaction("users", 5, 0.1, -0.2, 0.3)]),
        queries=[QueryLists("user_1", "users", 1, "u1", "", 2, {"a": entries, "b": entries})],
    )
    long = replace(result.comparison[0], target="recommendations")
    metrics = ("recall", "precision", "map", "hit_rate", "mrr", "novelty", "arp", "intra_list_similarity")
    further = [replace(row, metric=f"{name}_at_10") for row in result.accuracy for name in metrics]
    return replace(
        result,
        comparison=[*result.comparison, *(replace(long, a=row.a, b=row.b) for row in result.comparison)],
        accuracy=[*result.accuracy, *further],
    )


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: Result) -> Print:
    """Prints all tables in a terminal of a given width."""

    def print_all(width: int) -> str:
        monkeypatch.setattr(out, "_width", width)
        show_result(result, every_depth=True)
        rows = [{"experiment": "e" * 30, "run": "k50/1", "run id": "1234567890" * 3, "value": -1.23456789}]
        out.print(columns_table(rows, "runs", keys=2))
        return capsys.readouterr().out

    return print_all


def test_accuracy_on_several_splits_has_both_spreads_and_keeps_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = ("ndcg", "recall", "precision", "map")
    models = [Accuracy("k500", f"{metric}_at_10", 0.25, 0.0125, 3, 0.0375, 5) for metric in metrics]
    references = [Accuracy("popularity", f"{metric}_at_10", 0.125, None, 1, 0.0625, 5) for metric in metrics]
    monkeypatch.setattr(out, "_width", 80)
    show_result(small_result(accuracy=models, reference_accuracy=references))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    at = lines.index("k500" + " 0.2500±.0375" * 4)
    assert lines[at + 1 : at + 3] == ["±.0125 " * 3 + "±.0125", "popularity" + " 0.1250±.0625" * 4]
    text = " ".join(lines)
    assert "mean ± standard deviation over 5 splits; second line: over 3 seeds of one split" in text
    assert "Held out in the first of 5 splits: 9 interactions" in text


@pytest.mark.parametrize("width", [40, 60, 70, 80])
def test_no_number_of_any_table_is_cut(printed: Print, width: int) -> None:
    narrow = printed(width)
    assert "…" not in narrow
    assert max(map(len, narrow.splitlines())) <= width
    assert Counter(NUMBER.findall(printed(300))) - Counter(NUMBER.findall(narrow)) == Counter()


def test_models_beside_references_are_those_of_a_comparison_and_of_a_sweep_the_baseline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: Result
) -> None:
    def printed_rows(**arguments: bool) -> list[list[str]]:
        show_result(result, **arguments)
        table = capsys.readouterr().out.partition("Models beside the reference recommenders: ndcg_at_10")[2]
        return [line.split() for line in table.splitlines() if line.startswith(("popularity", "ease"))]

    monkeypatch.setattr(out, "_width", 80)
    assert printed_rows()[0] == ["popularity", "0.5000", "a", "-0.2500", "-1.0000", "+1.0000", "0.002"]
    assert [(row[0], row[2]) for row in printed_rows()] == [
        *(("popularity", "a"), ("popularity", "b"), ("ease", "a"), ("ease", "b"))
    ]
    result = replace(result, models={name: {} for name in "abcd"}, comparison=[])
    assert [(row[0], row[2]) for row in printed_rows()] == [("popularity", "a"), ("ease", "a")]
    assert len(printed_rows(every_depth=True)) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "p: over users and seeds, after Holm over all models and references."),
        ({"splits": 5}, "p: over users, seeds and splits, after Holm over all models and references."),
        ({"seeds": 1, "p_holm": None}, "p: over users only."),
    ],
)
def test_the_table_of_references_says_what_p_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(out, "_width", 80)
    result = small_result()
    show_result(replace(result, beside_references=[replace(test, **changes) for test in result.beside_references]))
    assert words in " ".join(capsys.readouterr().out.split())
