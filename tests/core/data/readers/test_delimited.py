"""CSV, TSV and similar text."""

from pathlib import Path

import pytest

from tasks.core.config.dataset import Columns, DatasetConfig
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import ConfigError, DataError
from tests.core.data.helpers import HEADER, ReadOwn, columns_of

pytestmark = pytest.mark.usefixtures("block_sizes")
POSITIONS = Columns(user=0, item=1, rating=2)


@pytest.mark.parametrize(
    ("name", "content", "settings"),
    [
        ("own.csv", "user,item,rating\n1,10,4\n2,20,4.5\n", {}),
        ("own.csv", "rating,junk,item,user\n4,x,10,1\n4.5,y,20,2\n", {}),
        ("own.csv", "user,item,rating\r\n1,10,4\r\n2,20,4.5\r\n", {}),
        ("own.csv", "\ufeffuser,item,rating\n1,10,4\n\n2,20,4.5", {}),
        ("own.csv", 'user,item,rating\n"1","10","4"\n2,20,4.5\n', {}),
        ("own.tsv", "user\titem\trating\n1\t10\t4\n2\t20\t4.5\n", {}),
        ("own.txt", "user;item;rating\n1;10;4\n2;20;4.5\n", {"separator": ";"}),
        ("own.csv", "who,what,stars\n1,10,4\n2,20,4.5\n", {"columns": Columns(user="who", item=1, rating="stars")}),
        ("own.csv", "4,10,1\n4.5,20,2\n", {"header": False, "columns": Columns(user=2, item=1, rating=0)}),
        ("own.dat", "1::10::4\n2::20::4.5\n", {"header": False, "separator": "::", "columns": POSITIONS}),
        ("own.dat", "1€10€4\n2€20€4.5\n", {"header": False, "separator": "€", "columns": POSITIONS}),
    ],
)
def test_the_frame_does_not_depend_on_the_format(
    read_own: ReadOwn, name: str, content: str, settings: dict[str, object]
) -> None:
    ratings = read_own(content, name, **settings)
    assert columns_of(ratings) == {"user": [1, 2], "item": [10, 20], "rating": [4.0, 4.5]}
    assert ratings.titles == {}


def test_a_longer_file_gives_its_lines_in_order(read_own: ReadOwn) -> None:
    rows = [(f"u{i * 7 % 11}", str(i * 5 % 13), i % 9 / 2, 1000 + i) for i in range(100)]
    text = "".join(f"{user},{item},{rating},{at}\n" for user, item, rating, at in rows)
    ratings = read_own(text, header=False, columns=Columns(user=0, item=1, rating=2, timestamp=3))
    assert list(ratings.frame.itertuples(index=False, name=None)) == [(u, int(i), r, t) for u, i, r, t in rows]


def test_the_first_possible_separator_counts(read_own: ReadOwn) -> None:
    columns = Columns(user=0, item=1, rating=None)
    ratings = read_own("1:::a\n2:::b\n", "own.dat", header=False, separator="::", columns=columns)
    assert columns_of(ratings) == {"user": [1, 2], "item": [":a", ":b"]}


def test_ratings_and_timestamps_may_be_missing(read_own: ReadOwn) -> None:
    assert columns_of(read_own("user,item\n1,10\n", columns=Columns(rating=None))) == {"user": [1], "item": [10]}


def test_timestamps_are_numbers(read_own: ReadOwn) -> None:
    ratings = read_own("user,item,rating,at\n1,10,4,874724710\n", columns=Columns(timestamp="at"))
    assert columns_of(ratings)["timestamp"] == [874724710.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "1,2,3\n1,3,good\n", "own.csv:3: the rating is 'good'; expected a finite number"),
        (HEADER + "1,2,3\n\n1,3,nan\n", "own.csv:4: the rating is 'nan'; expected a finite number"),
        (HEADER + "1,2,inf\n", "own.csv:2: the rating is 'inf'; expected a finite number"),
        (HEADER + "1,2,-Infinity\n", "own.csv:2: the rating is '-Infinity'; expected a finite number"),
        (HEADER + "1,2,1e400\n", "own.csv:2: the rating is '1e400'; expected a finite number"),
        (HEADER + "1,2,\n", "own.csv:2: the rating is ''; expected a finite number"),
        ('user,note,item,rating\n1,"a\nb",2,3\nc,x,d,e\n', "own.csv:4: the rating is 'e'; expected a finite number"),
        (HEADER + '1,2,3\n"a\nb,c",2,3\n', "own.csv:3: the user id 'a\\nb,c' spans lines 3 to 4: if quotes are part"),
        (HEADER + "1,2,3\n,2,3\n", "own.csv:3: the user id is empty"),
        (HEADER + "1,,3\n", "own.csv:2: the item id is empty"),
        (HEADER + "1,2,3\n1,2\n", "own.csv:3: 2 columns; rating is column 2"),
        (HEADER.encode() + b"1,2,3\n\xfc,2,3\n", "own.csv:3: not UTF-8 text"),
        ("", "own.csv: empty"),
        (" \n\n", "own.csv: empty"),
        (HEADER, "own.csv: a header and no ratings"),
        (HEADER + "\n\n", "own.csv: a header and no ratings"),
        ("user,movie,rating\n1,2,3\n", "own.csv: has no column 'item' for item; its columns are user, movie"),
        ("user\titem\trating\n1\t2\t3\n", "own.csv: has no column 'user'"),
        (HEADER + " ,2,3\n", "own.csv:2: the user id is empty"),
        (HEADER + "1,2,3\n1,3,1_0\n", "own.csv:3: the rating is '1_0'"),
        (HEADER + "1,2,3\n1,3,٣\n", "own.csv:3: the rating is '٣'"),
        (HEADER + "1,2,3\n1,3,4\n1,4,5\n1,5,5,9\n", "own.csv:5: 4 columns, but the first line has 3"),
        (HEADER.encode() + b"1,2,3\n1,,3\n\xfc,2,3\n", "own.csv:4: not UTF-8 text"),
    ],
)
def test_a_fault_is_reported_with_its_line(read_own: ReadOwn, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as raised:
        read_own(content)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"header": False}, "dataset.columns.user: found the name 'user' but `header: false`"),
        ({"columns": Columns(user=0, item=0, rating=2)}, "names a column twice"),
        ({"columns": Columns(user="item", item=1, rating=2)}, "names a column twice"),
    ],
)
def test_impossible_columns_are_a_fault_of_the_config(
    read_own: ReadOwn, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_own(HEADER + "1,2,3\n", **settings)


def test_a_column_after_the_last_is_refused(read_own: ReadOwn) -> None:
    with pytest.raises(DataError, match="rating is column 7"):
        read_own(HEADER + "1,2,3\n", columns=Columns(rating=7))


@pytest.mark.parametrize("rating", ["5", "x", ""])
def test_a_changed_file_is_reported_as_changed_whatever_its_new_content_is(tmp_path: Path, rating: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + "1,2,4\n")
    config = DatasetConfig(name="file", path=str(path))
    located = locate(config)
    path.write_text(HEADER + f"1,2,{rating}\n")
    with pytest.raises(DataError, match="changed while it was used"):
        read_ratings(config, located)
