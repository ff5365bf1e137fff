"""Which user or item a word on the command line means: an index, an id, or a unique part of a title or of an id."""

import numpy as np
import pytest

from flows.cli.look_up.find_index import find_index
from tasks.core.comparison.query_lists import Names
from tasks.core.errors import ConfigError
from tests.command_line import CommandLine

TITLES = ["Lucky Secret (1998)", "The Secret Garden", "Ärger", "12 Monkeys", "Secret", "", "Red"]
TITLED = Names(np.array(["ann", "Anna", "bob"]), np.arange(100, 107), np.array(TITLES))
UNTITLED = Names(np.array([5, 12]), np.array(["tt01", "tt02", "xx1"]), None)


def item(text: str, names: Names = TITLED, *, raw: bool = False) -> int:
    return find_index(names, "items", text, raw=raw)


def test_an_index_is_an_index_even_if_it_is_a_part_of_a_title() -> None:
    assert item("1") == 1
    with pytest.raises(ConfigError, match=r"there is no item '12'; the items are 0 to 6 by first appearance"):
        item("12")


@pytest.mark.parametrize(("text", "index"), [("lucky secret", 0), ("GARDEN", 1), ("ärg", 2), ("12 m", 3)])
def test_a_unique_part_of_a_title_is_enough(text: str, index: int) -> None:
    assert item(text) == index


def test_a_whole_title_is_preferred_to_a_part_of_others() -> None:
    assert item("secret") == 4


def test_several_titles_are_listed_with_index_and_id() -> None:
    with pytest.raises(ConfigError) as raised:
        item("secret ")
    head, *listed = str(raised.value).splitlines()
    assert head.startswith("found item 'secret ', which is a part of the titles of 2 items; name one by its index, or")
    assert listed == [
        "  0  'Lucky Secret (1998)' (id 100)",
        "  1  'The Secret Garden' (id 101)",
    ]


def test_ten_of_many_titles_are_listed() -> None:
    many = Names(TITLED.user_ids, np.arange(1234), np.array([f"Film {n}" for n in range(1234)]))
    with pytest.raises(ConfigError, match="the titles of 1,234 items") as raised:
        item("film", many)
    lines = str(raised.value).splitlines()
    assert (len(lines), lines[-1]) == (12, "  and 1,224 more")


def test_titles_are_escaped_in_messages() -> None:
    with pytest.raises(ConfigError, match="31mRed 2") as raised:
        item("red", Names(TITLED.user_ids, np.arange(2), np.array(["\x1b[31mRed 1", "\x1b[31mRed 2"])))
    assert "\x1b" not in str(raised.value)


def test_a_similar_title_is_suggested_for_an_unknown_one() -> None:
    message = (
        r"there is no item 'The Sceret Garden'; the items are 0 to 6 by first appearance, or named by a unique part of "
        r"their title .*; did you mean 'The Secret Garden'\?"
    )
    with pytest.raises(ConfigError, match=message):
        item("The Sceret Garden")
    for text in ("", " "):
        with pytest.raises(ConfigError, match="by first appearance"):
            item(text)


def test_ids_that_are_text_are_searched_where_there_are_no_titles() -> None:
    assert (item("XX", UNTITLED), item("T02", UNTITLED)) == (2, 1)
    assert find_index(TITLED, "users", "BO", raw=False) == find_index(TITLED, "recommendations", "bob", raw=False) == 2
    assert find_index(TITLED, "users", "anna", raw=False) == 1
    with pytest.raises(ConfigError, match="is a part of the ids of 2 users") as raised:
        find_index(TITLED, "users", "nn", raw=False)
    assert "  0  'ann'\n  1  'Anna'" in str(raised.value)


def test_ids_that_are_numbers_are_no_names() -> None:
    with pytest.raises(
        ConfigError, match=r"there is no user 'x'; the users are 0 to 1 by first appearance \(--raw for"
    ):
        find_index(UNTITLED, "users", "x", raw=False)


def test_raw_is_a_whole_id() -> None:
    assert item("103", raw=True) == 3
    with pytest.raises(ConfigError, match="there is no item id 'Secret' among the data set's 7 items"):
        item("Secret", raw=True)


def test_similar_and_recommend_take_names(small_finished: CommandLine) -> None:
    """The ids of these data are numbers, and there are no titles."""
    assert small_finished.answer("similar", "latest", "--item", "6", "--raw")["raw_id"] == 6
    assert "there is no user 'x'; the users are 0 to 3" in small_finished.failure(
        2, "recommend", "latest", "--user", "x"
    )
