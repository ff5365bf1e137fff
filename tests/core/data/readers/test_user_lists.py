"""Text with one line for each user."""

import pytest

from tasks.core.errors import DataError
from tests.core.data.helpers import ReadOwn, columns_of


def test_each_line_is_a_user_and_its_items(read_own: ReadOwn) -> None:
    ratings = read_own("7 3 1\n5\n\n6\t3   9\n", "lists.txt", layout="lists")
    assert columns_of(ratings) == {"user": [7, 7, 6, 6], "item": [3, 1, 3, 9]}


def test_only_the_given_separator_separates(read_own: ReadOwn) -> None:
    ratings = read_own("a b;x y;z\n", "lists.txt", layout="lists", separator=";")
    assert columns_of(ratings) == {"user": ["a b", "a b"], "item": ["x y", "z"]}


@pytest.mark.parametrize("letter", list("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
def test_only_line_ends_of_files_end_a_line(read_own: ReadOwn, letter: str) -> None:
    ratings = read_own(f"a;x{letter}y\r\nb;z\rc;z\n", "lists.txt", layout="lists", separator=";")
    assert columns_of(ratings) == {"user": ["a", "b", "c"], "item": [f"x{letter}y", "z", "z"]}


def test_a_user_may_have_several_lines(read_own: ReadOwn) -> None:
    assert columns_of(read_own("1 2\n1 3\n", "l", layout="lists"))["item"] == [2, 3]


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("", {}, "no interactions; expected a line for each user"),
        ("1\n2\n", {}, "no interactions; expected a line for each user"),
        ("1;2;;3\n", {"separator": ";"}, "l:1: an id is empty; expected `user item item ...`"),
        ("1;2\n;3\n", {"separator": ";"}, "l:2: an id is empty"),
        (b"1 2\n1 \xff\n", {}, "l:2: not UTF-8 text"),
        ("1 2\n1 3\n".encode("utf-16-le"), {}, "l:1: a NUL byte; expected UTF-8 text"),
    ],
)
def test_a_fault_is_reported_with_its_line(
    read_own: ReadOwn, content: str, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_own(content, "l", layout="lists", **settings)
