"""Text with one line for each user."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def test_counted_lists_are_of_the_users_by_line(read_own: ReadOwn) -> None:
    """The form of CiteULike's users.dat. The second user has no items, nor has the fourth."""
    ratings = read_own("2 5 9\n0\n1 9\n\n3 9 1 5\n", "users.dat", layout="counted_lists")
    assert columns_of(ratings) == {"user": [0, 0, 2, 4, 4, 4], "item": [5, 9, 9, 9, 1, 5]}


def test_lists_without_users_are_of_the_users_by_line(read_own: ReadOwn) -> None:
    ratings = read_own("\ufeff5 9\r\n\r\n9\r\n", "l", layout="item_lists")
    assert columns_of(ratings) == {"user": [0, 0, 2], "item": [5, 9, 9]}
    assert columns_of(read_own("x y;z\n", "l", layout="item_lists", separator=";"))["item"] == ["x y", "z"]


users_items = st.lists(st.lists(st.integers(0, 99), unique=True, max_size=6), min_size=1, max_size=8).filter(any)


@pytest.mark.parametrize("layout", ["lists", "counted_lists", "item_lists"])
@pytest.mark.parametrize("separator", [None, ",", "::"])
def test_what_was_written_is_read(read_own: ReadOwn, layout: str, separator: str | None) -> None:
    """Users without items included; whether the last line is ended or not."""

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(items=users_items, line_end=st.sampled_from(["\n", "\r\n", "\r"]), is_ended=st.booleans())
    def check(items: list[list[int]], line_end: str, is_ended: bool) -> None:
        firsts = {"lists": list(range(len(items))), "counted_lists": list(map(len, items))}.get(layout)
        rows = [[first, *row] for first, row in zip(firsts, items, strict=True)] if firsts else items
        lines = [(separator or " ").join(map(str, row)) for row in rows]
        content = line_end.join(lines) + line_end * (is_ended or not lines[-1])
        ratings = read_own(content, "l", layout=layout, separator=separator)
        assert list(zip(*columns_of(ratings).values(), strict=True)) == [
            (user, item) for user, row in enumerate(items) for item in row
        ]

    check()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("2 5 9\n2 1\n", "l:2: the first entry is '2', followed by 1 item"),
        ("1 5\n\nx 1\n", "l:3: the first entry is 'x', followed by 1 item"),
        ("0 5 9\n", "l:1: the first entry is '0', followed by 2 items; expected their number: set layout: lists if"),
        ("0\n0\n", "no interactions; expected a line for each user: `count item item ...`"),
    ],
)
def test_a_count_that_is_not_that_of_its_items_is_refused(read_own: ReadOwn, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_own(content, "l", layout="counted_lists")


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
