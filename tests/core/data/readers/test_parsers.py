"""The two parsers of text: pyarrow's columns are those of pandas, whatever the file contains."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.core.data.readers import arrow_parser, parsers
from tasks.core.data.readers.arrow_parser import parse_with_arrow
from tasks.core.data.readers.columns import Rows
from tasks.core.data.readers.parsers import parse, parse_with_pandas
from tasks.core.data.readers.scan import Scan
from tasks.core.data.readers.text import DelimitedText

POSITIONS = {"user": 0, "item": 2, "rating": 1}
often = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ids = st.one_of(
    st.integers(-20, 20).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    st.sampled_from(
        [
            "",
            " ",
            " a",
            "a ",
            "007",
            "+1",
            "1.0",
            "NA",
            "null",
            "nan",
            "é",
            "😀",
            "\u2028",
            "\x85",
            "\t",
            '"',
            'a"b',
            "#x",
        ]
    ),
    st.sampled_from(['"a"', '"a""b"', '"a,b"', '"a\nb"', '"a"b', '"', '""', '""""', '" a"']),
)
numbers = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.floats(-100, 100).map(lambda number: f"{number:.4f}"),
    st.sampled_from(
        [
            "+1",
            " 4",
            "4 ",
            "1e3",
            "1E-3",
            "1_000",
            ".5",
            "5.",
            "-0",
            "0e5",
            "nan",
            "inf",
            "",
            "0x10",
            '"4"',
            "1e-14",
            "4,5",
        ]
    ),
)
zones = st.sampled_from(["", "Z", "+02:00", "-0530", "+01"])
decimals = st.sampled_from(["", ".5", ".123456", ".123456789"])
iso_times = st.one_of(
    st.dates().map(str),
    st.tuples(st.datetimes(), st.sampled_from("T "), decimals, zones)
    .map(lambda parts: f"{parts[0]:%m-%d{parts[1]}%H:%M:%S}{parts[2]}{parts[3]}")
    .map(lambda rest: f"2004-{rest}"),
    st.datetimes().map(lambda time: time.isoformat("T", "minutes")),
    st.sampled_from(
        [" 2001-02-03", "2001-02-03 ", "20010203", "2001-2-3", "2001-02-30", "5", "", "2001-02-03T24:00", "now"]
    ),
)
line_ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", " \n"])


def text_of(folder: Path, content: bytes, *, separator: str = ",", has_quotes: bool = True) -> DelimitedText:
    (folder / "own.csv").write_bytes(content)
    return DelimitedText(folder / "own.csv", "own.csv", separator, header=False, has_quotes=has_quotes)


def assert_equal(actual: Rows, expected: Rows) -> None:
    """Compare columns bit by bit, the order of the categories included."""
    assert actual.keys() == expected.keys()
    for role, column in actual.items():
        if role in {"user", "item"}:
            assert column.categories.tolist() == expected[role].categories.tolist()
            assert column.codes.tolist() == expected[role].codes.tolist()
        else:
            assert column.tobytes() == expected[role].tobytes()


def assert_arrow_agrees(
    text: DelimitedText, n_columns: int, positions: dict[str, int] = POSITIONS, *, iso_times: bool = False
) -> bool:
    """Return whether pyarrow read the text. Then pandas must have read the same, unless the rows cannot be trusted."""
    scan = Scan()
    try:
        actual = parse_with_arrow(text, positions, 0, n_columns, scan, iso_times=iso_times)
    except ValueError:  # pandas reads it, or refuses it
        return False
    if text.has_quotes and scan.has_unusual_quotes:  # it is read again line by line, and refused if that is due
        return False
    all_ids = [*actual["user"].categories, *actual["item"].categories]
    if any(not raw_id or "\n" in raw_id or "\r" in raw_id for raw_id in all_ids):  # refused by either
        return False
    expected_scan = Scan()
    expected = parse_with_pandas(text, positions, 0, expected_scan, iso_times=iso_times)
    assert_equal(actual, expected)
    assert scan.hasher.hexdigest() == expected_scan.hasher.hexdigest()
    return True


@pytest.mark.usefixtures("block_sizes")
@pytest.mark.parametrize("separator", [",", "\t", ";", "::"])
@pytest.mark.parametrize("has_quotes", [True, False])
def test_odd_rows_are_equal_if_pyarrow_reads_them(tmp_path: Path, separator: str, has_quotes: bool) -> None:
    @often
    @given(
        rows=st.lists(st.tuples(ids, numbers, ids), min_size=1, max_size=6),
        line_end=line_ends,
        byte_order_marks=st.sampled_from(["", "", "\ufeff", "\ufeff\ufeff"]),
        is_ended=st.booleans(),
        trailing=st.sampled_from(["", "", separator]),
    )
    @example(rows=[("a", "0.30000000000000004", "b")], line_end="\n", byte_order_marks="", is_ended=True, trailing="")
    @example(rows=[("a", "1000000000e-23", "b")], line_end="\n", byte_order_marks="", is_ended=True, trailing="")
    @example(rows=[('"a\nb"', "1", "c")], line_end="\n", byte_order_marks="", is_ended=True, trailing="")
    @example(rows=[("a", "1", "c")], line_end="\n", byte_order_marks="\ufeff\ufeff", is_ended=True, trailing="")
    def check(
        rows: list[tuple[str, str, str]], line_end: str, byte_order_marks: str, is_ended: bool, trailing: str
    ) -> None:
        lines = [separator.join(row) + trailing for row in rows]
        content = byte_order_marks + line_end.join(lines) + (line_end if is_ended else "")
        text = text_of(tmp_path, content.encode(), separator=separator, has_quotes=has_quotes)
        assert_arrow_agrees(text, 3 + bool(trailing))

    check()


@pytest.mark.usefixtures("block_sizes")
@pytest.mark.parametrize("separator", [",", "::"])
def test_times_are_equal_if_pyarrow_reads_them(tmp_path: Path, separator: str) -> None:
    """What one parser refuses, the other refuses too."""
    positions = {"user": 0, "timestamp": 1, "item": 2}

    @often
    @given(times=st.lists(iso_times, min_size=1, max_size=6), quote=st.sampled_from(["", '"']))
    def check(times: list[str], quote: str) -> None:
        content = "".join(f"a{separator}{quote}{time}{quote}{separator}b\n" for time in times)
        text = text_of(tmp_path, content.encode(), separator=separator)
        if not assert_arrow_agrees(text, 3, positions, iso_times=True):
            with pytest.raises(ValueError, match="ISO 8601"):
                parse_with_pandas(text, positions, 0, Scan(), iso_times=True)

    check()


@pytest.mark.usefixtures("block_sizes")
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_pyarrow_reads_common_files(tmp_path: Path, line_end: str, quote: str) -> None:
    stream = random.Random(0)
    names = ["007", "7", "Café", " lead", "x y", "NA", "-1", "1e3"]
    rows = [(stream.choice(names), f"{stream.randrange(10) / 2}", f"i{stream.randrange(40)}") for _ in range(200)]
    content = line_end.join(f"{quote}{user}{quote},{rating},{quote}{item}{quote}" for user, rating, item in rows)
    text = text_of(tmp_path, f"{content}{line_end}{line_end}".encode())
    assert assert_arrow_agrees(text, 3)
    parsed = parse(text, POSITIONS, skipped=(0, 0), n_columns=3)
    assert not parsed.is_unusual
    assert list(zip(parsed.rows["user"], parsed.rows["rating"], parsed.rows["item"], strict=True)) == [
        (user, float(rating), item) for user, rating, item in rows
    ]


@pytest.mark.usefixtures("block_sizes")
def test_numbers_are_those_of_pandas_bit_by_bit(tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    values = [
        *(f"{value:.{digits}g}" for value in 10.0 ** stream.uniform(-12, 16, 300) for digits in (3, 9, 14, 15, 17)),
        *(f"{value:.6f}" for value in stream.uniform(0, 2e9, 300)),
        *(f"{digits}e{exponent}" for digits in (1, 3, 123456789) for exponent in range(-30, 30)),
    ]
    text = text_of(tmp_path, "".join(f"a,{value},b\n" for value in values).encode())
    assert assert_arrow_agrees(text, 3)


def test_categories_are_in_the_order_of_pandas_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, "CHUNK_ROWS", 7)
    monkeypatch.setattr(arrow_parser, "CHUNK_ROWS", 7)
    monkeypatch.setattr(arrow_parser, "_BLOCK_BYTES", 100)
    users = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 3))
    text = text_of(tmp_path, "".join(f"u{user},1,i{user % 7}\n" for user in users).encode())
    assert assert_arrow_agrees(text, 3)
    categories = parse_with_arrow(text, POSITIONS, 0, 3, Scan())["user"].categories.tolist()
    assert categories != sorted(categories)


def test_a_mark_at_the_start_of_a_block_belongs_to_the_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_parser, "_BLOCK_BYTES", 8)
    text = text_of(tmp_path, "a,1,b\n\ufeffc,1,d\n".encode())
    parsed = parse(text, POSITIONS, skipped=(0, 0), n_columns=3)
    assert list(parsed.rows["user"]) == ["a", "\ufeffc"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a,1,b\n \na,2,c\n", id="a line of blanks"),
        pytest.param(b"a,1,b,c\na,2,c\n", id="a row of another length"),
        pytest.param(b"a,+1,b\n", id="a plus sign"),
        pytest.param(b"a,1,b\nb,x,c\n", id="no number"),
        pytest.param(b'a,1,"x\n' + b"y" * 200 + b'\n"\n' * 2, id="a row longer than a block"),
    ],
)
def test_what_pyarrow_refuses_is_read_or_refused_by_pandas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(arrow_parser, "_BLOCK_BYTES", 64)
    text = text_of(tmp_path, content)

    def outcome(read: object) -> object:
        try:
            return {role: list(column) for role, column in read().items()}  # type: ignore[operator]
        except ValueError as error:
            return str(error)

    by_pandas = outcome(lambda: parse_with_pandas(text, POSITIONS, 0, Scan()))
    assert outcome(lambda: parse(text, POSITIONS, skipped=(0, 0), n_columns=3).rows) == by_pandas


@pytest.mark.usefixtures("block_sizes")
def test_pandas_reads_carriage_returns_before_blanks(tmp_path: Path) -> None:
    """Without a line feed in their place, pandas makes empty rows of them, or reads rows twice."""
    text = text_of(tmp_path, b"a,1,b\r\r c,2,d\r \r\r e,3,f")
    rows = parse_with_pandas(text, POSITIONS, 0, Scan())
    assert {role: list(column) for role, column in rows.items()} == {
        "user": ["a", " c", " e"],
        "item": ["b", "d", "f"],
        "rating": [1, 2, 3],
    }


def test_a_column_that_is_not_read_must_be_utf8_too(tmp_path: Path) -> None:
    text = text_of(tmp_path, b"a,1,b,\xff\n")
    with pytest.raises(ValueError, match="invalid start byte"):
        parse_with_arrow(text, POSITIONS, 0, 4, Scan())


def test_a_parsed_frame_has_the_types_of_ratings(tmp_path: Path) -> None:
    rows = parse_with_arrow(text_of(tmp_path, b"a,1,b\n"), POSITIONS, 0, 3, Scan())
    assert isinstance(rows["user"], pd.Categorical)
    assert (rows["user"].codes.dtype, rows["rating"].dtype) == (np.int8, np.float64)
