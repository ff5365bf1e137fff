"""Numbers, p-values, labels and settings as text."""

from dataclasses import fields

import pytest

from tasks.core.data.interactions import Summary
from tasks.core.errors import without_logins
from tasks.core.formatting import (
    SUMMARY_LABELS,
    beyond_noise,
    counted,
    decimals,
    did_you_mean,
    enumerated,
    escaped,
    examples,
    interval,
    noise_source,
    p_statement,
    p_value,
    percent,
    run_label,
    setting_text,
    settings_text,
    shortened,
    shown,
    summary_value,
)


@pytest.mark.parametrize(
    ("p", "value", "statement"),
    [
        (0.0, "<0.001", "p < 0.001"),
        (0.00099, "<0.001", "p < 0.001"),
        (0.001, "0.001", "p = 0.001"),
        (0.0087, "0.009", "p = 0.009"),
        (1.0, "1.000", "p = 1.000"),
    ],
)
def test_p_values_have_three_decimals_or_are_below_one_thousandth(p: float, value: str, statement: str) -> None:
    assert p_value(p) == value
    assert p_statement(p) == statement


def test_numbers_have_a_fixed_number_of_decimals() -> None:
    assert decimals(0.12345) == "0.123"
    assert decimals(2.0, 1) == "2.0"
    assert decimals(-0.0001) == "0.000"
    assert decimals(None) == "-"


def test_intervals_have_two_limits() -> None:
    assert interval(0.3961, 0.568) == "0.396 to 0.568"
    assert interval(1.98, 2.84, digits=1) == "2.0 to 2.8"
    assert interval(-0.25, 0.5, 2) == "-0.25 to 0.50"
    assert interval(-0.04, 3.1, 1) == "0.0 to 3.1"
    assert interval(None, None) == "-"


def test_summary_labels_cover_the_summary_in_its_order() -> None:
    assert list(SUMMARY_LABELS) == [field.name for field in fields(Summary)]
    assert SUMMARY_LABELS["mean_per_user"] == "mean per user"


def test_summary_values_are_counts_or_means() -> None:
    assert summary_value(55375) == "55,375"
    assert summary_value(58.7845010616) == "58.784501"


def test_a_single_thing_is_counted_in_the_singular() -> None:
    assert [counted(number, "fit") for number in (0, 1, 2)] == ["0 fits", "1 fit", "2 fits"]


def test_runs_are_labelled_by_model_and_replicate() -> None:
    assert run_label("k500", 3) == "k500 #3"


def test_settings_are_written_as_people_write_them() -> None:
    assert settings_text({"factors": 16, "alpha": 30.0, "stop": None}) == "factors 16, alpha 30, stop none"
    assert setting_text(0.01) == "0.01"
    assert setting_text({"when": "steady", "every": 25}) == "(when steady, every 25)"


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("baselin", ["baseline", "depths"]) == "; did you mean 'baseline'?"
    assert did_you_mean("xyz", ["baseline", "depths"]) == ""
    assert did_you_mean("", ["baseline"]) == ""


def test_long_values_are_cut_to_80_characters() -> None:
    assert shortened("short") == "'short'"
    cut = shortened("x" * 100)
    assert len(cut) == 80
    assert cut.endswith("...")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:5000/x", "http://host:5000/x"),
        ("postgresql+psycopg://me:sec/ret#?1@host/db", "postgresql+psycopg://host/db"),
        ("found http://token@host, expected text", "found http://host, expected text"),
        ("http:/me:secret@host: there is no such file", "http:/host: there is no such file"),
        ("https://host/a@b.zip", "https://host/a@b.zip"),
        ("models:/lab-k50@best", "models:/lab-k50@best"),
        ("sqlite:////data/me@home/my.db", "sqlite:////data/me@home/my.db"),
    ],
)
def test_logins_are_left_out_of_addresses(text: str, shown: str) -> None:
    assert without_logins(text) == shown


def test_a_value_is_shortened_after_its_logins_are_left_out() -> None:
    assert shortened("http://me:" + "secret" * 20 + "@host") == "'http://host'"


@pytest.mark.parametrize(("entries", "text"), [([4], "4"), ([4, 6], "4 and 6"), ([4, 6, 8], "4, 6 and 8")])
def test_entries_in_a_sentence(entries: list[int], text: str) -> None:
    assert enumerated(entries) == text
    assert enumerated(entries, "or") == text.replace("and", "or")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x07\r\x00\x7f\x9b31m", r"\x07\r\x00\x7f\x9b31m"),
        ("\u202eabc\u2066\u200f\u061c", r"\u202eabc\u2066\u200f\u061c"),
        ("\u2028\ufeff\udc80", r"\u2028\ufeff\udc80"),
        ("né \U0001f600\t[red]x[/red]\nnext", "né \U0001f600\t[red]x[/red]\nnext"),
    ],
)
def test_what_a_terminal_acts_on_is_escaped_once(text: str, expected: str) -> None:
    assert escaped(text) == expected
    assert escaped(expected) == expected


def test_a_piece_of_a_file_is_shown_on_one_line_and_short() -> None:
    assert shown("a\nb\tc\x1b") == r"a\nb\tc\x1b"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 59 + "…"
    assert shown("\x1b" * 10**6, 8) == r"\x1b\x1…"


def test_percentages_have_no_needless_zeros() -> None:
    assert [percent(fraction) for fraction in (0.01, 0.07, 0.0025, 0.125, 0.5)] == ["1%", "7%", "0.25%", "12.5%", "50%"]


def test_runs_differ_by_their_seeds_and_by_the_interactions_that_they_leave_out() -> None:
    assert (noise_source(None), beyond_noise(None)) == ("the seed", "beyond seed variance")
    assert noise_source(0.01) == "the seed and a random 1% of the interactions"
    assert beyond_noise(0.01) == "beyond what the seed and a random 1% of the interactions change"


def test_examples_are_the_first_three_quoted_and_cut() -> None:
    assert examples([1, "b", 3, 4]) == "'1', 'b' and '3'"
    assert len(examples(["x" * 1000])) == 80


def test_a_text_of_a_file_is_shown_at_most_60_characters_long_and_without_control_characters() -> None:
    assert shown("Señor 'X', [1]") == "Señor 'X', [1]"
    assert shown("a\x1b[31mb\r\n\t\x00\u202e\x9b") == r"a\x1b[31mb\r\n\t\x00\u202e\x9b"
    assert shown("\ud800") == r"\ud800"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 1_000_000) == "x" * 59 + "…"
    assert len(shown("\n" * 60)) == 60
