"""Separator, header, quoting and columns, from the first lines."""

from pathlib import Path

import pandas as pd
import pytest

from tasks.core.data.inspection.roles import KNOWN_NAMES
from tasks.core.data.inspection.sample import Sample
from tasks.core.data.inspection.table import Table, are_numbers, plain_name, table_of_parquet, table_of_text
from tasks.core.errors import DataError


def table_of(text: str) -> Table:
    return table_of_text(Path("r.csv"), Sample(text.splitlines(), "UTF-8"), KNOWN_NAMES)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::", " "])
def test_the_separator_divides_all_lines_alike(separator: str) -> None:
    table = table_of("".join(f"{user}{separator}{item}{separator}4\n" for user in "ab" for item in "xyz"))
    assert (table.format, table.separator, table.header) == ("pairs", separator, False)
    assert table.columns == [list("aaabbb"), list("xyzxyz"), ["4"] * 6]
    assert table.names == ["0", "1", "2"]


def test_of_two_separators_that_with_more_columns_is_taken() -> None:
    assert table_of("u;i;r\na;b;3,5\na;c;4,5\n").separator == ";"
    assert table_of("u,i,time\na,b,2020-01-01 10:00:00\na,c,2020-01-02 11:00:00\n").separator == ","


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("userId,movieId,rating\n1,2,3\n", True),
        ("user_id,item_id\na,b\n", True),
        ("wer,was,wieviel\na,b,3\nc,d,4\n", True),
        ("1,2,3\n4,5,6\n", False),
        ("a,b,3\nc,d,4\n", False),
        ("wer,was\na,b\nc,d\n", None),
        ("a,b,2001-02-03\nc,d,2001-02-04\n", False),
        ("wer,was,datum\na,b,2001-02-03\nc,d,2001-02-04\n", None),
    ],
)
def test_a_header_has_known_names_or_text_above_numbers(text: str, header: bool | None) -> None:
    assert table_of(text).header is header


@pytest.mark.parametrize(
    ("text", "quoting"),
    [
        ("user,item\n1,2\n", "none"),
        ('user,item\n1,"a, b"\n2,"say ""x"""\n', "fields"),
        ('user,item\n1,"two\nlines"\n2,b\n3,c\n4,d\n', "fields"),
        ('user,item\n1,a 12" single\n2,b\n', "fields"),
        ('user,item\n1,"a\n2,b\n3,"c\n4,d\n', "stray"),
        ('1\t"a\n2\tb\n3\tc\n', "stray"),
    ],
)
def test_quotes_enclose_fields_unless_that_merges_lines(text: str, quoting: str) -> None:
    table = table_of(text)
    assert table.quoting == quoting
    assert {len(column) for column in table.columns} == {4 - (not table.header)} or quoting != "stray"


def test_lines_of_different_length_are_lists_if_all_ids_are_numbers() -> None:
    table = table_of("0 1 2 3\n1 2\n2 5 6\n")
    assert (table.format, table.separator, table.names) == ("lists", None, [])


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("2 5 6\n0\n2 6 7\n1 5\n", "counted_lists"),
        ("1 5\n2 5 6\n3 5 6 7\n", "lists"),
        ("2 5 6\n2 6 7\n1 5 6\n", "lists"),
    ],
)
def test_lists_are_counted_if_every_first_number_is_that_of_the_others(text: str, layout: str) -> None:
    """Users in ascending order whose ids are the numbers of their items are no counts."""
    assert table_of(text + "4 1 2 3 4\n").format == layout


@pytest.mark.parametrize("text", ["one\ntwo\n", "a b c\nd e\nf\n", '{"user": 1}\n{"user": 2, "x": 3}\n'])
def test_a_text_without_columns_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"divides its lines into columns; the first line is .*; expected a column of"):
        table_of(text)


def test_a_line_with_another_number_of_columns_does_not_hide_the_separator() -> None:
    assert table_of("1,2,3\n" * 200 + "1,2\n").separator == ","


def test_parquet_has_names_and_the_first_rows(tmp_path: Path) -> None:
    pd.DataFrame({"user": [1, 2], "item": ["a", "b"]}).to_parquet(tmp_path / "r.parquet")
    table = table_of_parquet(tmp_path / "r.parquet")
    assert (table.format, table.names, table.columns) == ("parquet", ["user", "item"], [["1", "2"], ["a", "b"]])
    (tmp_path / "r.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"r\.parquet: not readable as Parquet"):
        table_of_parquet(tmp_path / "r.parquet")


def test_names_are_compared_without_case_and_punctuation() -> None:
    assert {plain_name(name) for name in ("user_id", "userId", "User ID", " USER-ID:token ")} == {
        "userid",
    }


def test_numbers() -> None:
    assert are_numbers(["1", "2.5", "-3e4"])
    assert not are_numbers(["1", "a"])
    assert not are_numbers([])
