"""Timestamps: dates and times of ISO 8601, and units of numbers."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.data.timestamps import is_iso, iso_seconds, mixed_units, time_span
from tasks.core.errors import DataError
from tests.core.data.helpers import ReadOwn, columns_of

TIMED: dict[str, Any] = {"columns": {"user": "user", "item": "item", "rating": None, "timestamp": "time"}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0),
        ("1969-12-31", -86_400),
        ("2001-09-09T01:46:40Z", 1e9),
        ("2001-09-09 01:46:40", 1e9),
        ("2001-09-09T03:46:40+02:00", 1e9),
        ("2001-09-08T20:16:40-0530", 1e9),
        ("2001-09-09T02:46+01", 1e9 - 40),
        ("2001-09-09T01:46:40.25Z", 1e9 + 0.25),
        ("2001-09-09T01:46:40.000001999Z", 1e9 + 1e-6),
    ],
)
def test_a_time_is_the_seconds_since_1970(text: str, seconds: float) -> None:
    assert iso_seconds([text, f" {text} "]).tolist() == [seconds, seconds]


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "1e9", "2001", "2001-09", "20010909", "2001-W36-7", "2001-09-31", "09/09/2001", "0000-01-01"),
        *("2001-09-09 01", "2001-09-09T24:00", "2001-09-09T01:46:60", "2001-09-09T01:46:40 UTC", "٢٠٠١-09-09"),
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert not is_iso(text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), min_size=1))
def test_times_are_those_of_pandas(times: list[Any]) -> None:
    texts = [time.isoformat() for time in times]
    expected = pd.to_datetime(texts, format="ISO8601", utc=True).as_unit("us").asi8 / 1e6
    assert iso_seconds(texts).tolist() == expected.tolist()


# Files


@pytest.mark.parametrize("separator", ["T", " "])
def test_times_of_a_text_and_of_parquet_are_equal(read_own: ReadOwn, separator: str) -> None:
    texts = [f"2009-05-04{separator}23:08:57Z", f"2009-05-04{separator}13:54:10+02:00", "2009-05-04"]
    expected = [1241478537, 1241438050, 1241395200]
    frame = pd.DataFrame({"user": list("aab"), "item": list("xyx"), "time": texts})
    for content, name in [(frame.to_csv(index=False), "own.csv"), (frame, "own.parquet")]:
        assert columns_of(read_own(content, name, **TIMED))["timestamp"] == expected
    without_header = {"header": False, "columns": {"user": 0, "item": 1, "rating": None, "timestamp": 2}}
    content = frame.to_csv(index=False, header=False)
    assert columns_of(read_own(content, **without_header))["timestamp"] == expected
    with pytest.raises(DataError, match=r"own\.csv:1: the first line has the time 2009.*set dataset\.header: false"):
        read_own(content, **{**without_header, "header": None})


@pytest.mark.parametrize("times", [["-1", "0", "1.5", "-86400.25"], ["881250949", "-5", "0"], ["1e9", "1000000000.5"]])
def test_numbers_of_any_size_and_sign_are_read(read_own: ReadOwn, times: list[str]) -> None:
    content = "user,item,time\n" + "".join(f"a,{item},{time}\n" for item, time in enumerate(times))
    assert columns_of(read_own(content, **TIMED))["timestamp"] == list(map(float, times))


@pytest.mark.usefixtures("block_sizes")
@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            ["2001-02-03", "5", "2001-02-04"],
            r":3: the timestamp is '5'; expected a date or time of ISO 8601.* as in the first row",
        ),
        (["5", "2001-02-03"], ":3: the timestamp is '2001-02-03'; expected a finite number, as in the first row"),
        (["5", "yesterday"], ":3: the timestamp is 'yesterday'; expected a finite number, or a date or time of ISO"),
        (["2001-02-03", "2001-02-30"], ":3: the timestamp is '2001-02-30'; expected a date or time of ISO 8601"),
        (["2001-02-03", ""], ":3: the timestamp is ''; expected a date or time"),
    ],
)
def test_times_of_several_forms_are_refused_with_the_line(read_own: ReadOwn, times: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_own("user,item,time\n" + "".join(f"a,{item},{time}\n" for item, time in enumerate(times)), **TIMED)


def test_times_of_several_forms_are_refused_in_parquet(read_own: ReadOwn) -> None:
    frame = pd.DataFrame({"user": list("ab"), "item": list("xy"), "time": ["2001-02-03", "5"]})
    with pytest.raises(DataError, match=r"own\.parquet: column 'time' for timestamp: found '5'; expected a date"):
        read_own(frame, "own.parquet", **TIMED)
    frame["time"] = ["2001-02-03", None]
    with pytest.raises(DataError, match=r"own\.parquet: the timestamp in row 2 is nan"):
        read_own(frame, "own.parquet", **TIMED)


# Units


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ([881250949, 891717742], ""),
        ([881250949000, 891717742000], ""),
        ([0, -5, 881250949], ""),
        ([1, 2, 3], ""),
        ([881250949, 5, 891717742000], r"881250949 \(row 1\) in seconds and 891717742000 \(row 3\) in milliseconds"),
        ([1.6e15, 1.6e18], r"1.6e\+15 \(row 1\) in microseconds and 1.6e\+18 \(row 2\) in nanoseconds"),
    ],
)
def test_times_in_several_units_are_refused(read_own: ReadOwn, times: list[float], problem: str) -> None:
    content = "user,item,time\n" + "".join(f"a,{item},{time!r}\n" for item, time in enumerate(times))
    if not problem:
        assert columns_of(read_own(content, **TIMED))["timestamp"] == times
        return
    with pytest.raises(DataError, match=rf"^own\.csv: the timestamps mix units: {problem} since"):
        read_own(content, **TIMED)


@pytest.mark.parametrize("factor", [1, 1e3, 1e6, 1e9])
def test_the_unit_follows_from_the_last_time(factor: float) -> None:
    times = np.array([874724710, 893286638]) * factor
    unit = {1: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}[factor]
    assert time_span(times).text == f"timestamps from 1997-09-20 to 1998-04-22 ({unit} since 1970)"
    assert mixed_units(times) == ""


def test_a_span_without_a_unit_has_numbers() -> None:
    assert time_span(np.array([3.0, 1.0])).text == "timestamps from 1 to 3, of no known unit"
    assert time_span(np.array([-86_400.0, 893286638.0])).text.startswith("timestamps from 1969-12-31 to 1998-04-22")
    assert time_span(np.array([-1e18, 893286638.0])).text == "timestamps to 1998-04-22 (seconds)"
