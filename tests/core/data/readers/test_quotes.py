"""Quotes in text: no line of a file is merged or lost in silence."""

import re

import pytest

from tasks.core.config.dataset import Columns
from tasks.core.errors import DataError
from tests.core.data.helpers import HEADER, ReadOwn, columns_of

pytestmark = pytest.mark.usefixtures("block_sizes")

STRAY_CSV = HEADER + 'u1,"12 vinyl,5\nu2,x,4\nu3,y,3\nu4,"7 vinyl,5\nu5,z,4\n'
STRAY_TSV = (
    'u1\ta1\tFoo Band\t120\nu1\ta2\t"Quoted Guy\t55\nu2\ta1\tFoo Band\t9\n'
    'u2\ta3\tBar\t3\nu3\ta4\t"Heroes" Act\t7\nu3\ta1\tFoo Band\t8\n'
)
BY_NAME = Columns(user=0, item=2, rating=3)
BY_ID = Columns(user=0, item=1, rating=3)


@pytest.mark.parametrize("columns", [BY_NAME, BY_ID], ids=["quotes in ids", "quotes beside ids"])
def test_a_stray_quote_is_refused_with_the_line_it_is_in_and_the_remedy(read_own: ReadOwn, columns: Columns) -> None:
    with pytest.raises(DataError, match=re.escape("own.tsv:2: a quoted field is not closed")) as raised:
        read_own(STRAY_TSV, "own.tsv", header=False, columns=columns)
    assert "set dataset.quote: none" in str(raised.value)
    with pytest.raises(DataError, match=re.escape("own.csv:2: a quoted field is not closed")):
        read_own(STRAY_CSV)


def test_without_quoting_every_line_is_a_row(read_own: ReadOwn) -> None:
    ratings = read_own(STRAY_TSV, "own.tsv", header=False, columns=BY_NAME, quote="none")
    assert columns_of(ratings) == {
        "user": ["u1", "u1", "u2", "u2", "u3", "u3"],
        "item": ["Foo Band", '"Quoted Guy', "Foo Band", "Bar", '"Heroes" Act', "Foo Band"],
        "rating": [120, 55, 9, 3, 7, 8],
    }
    ratings = read_own(STRAY_CSV, quote="none")
    assert columns_of(ratings)["item"] == ['"12 vinyl', "x", "y", '"7 vinyl', "z"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'u1,"a,5\nu2,b",4\n',
            "own.csv:2: the item id 'a,5\\nu2,b' spans lines 2 to 3: if quotes are part of the text",
        ),
        ('u1,a,5\n\nu2,"b\r\n,c",4\n', "own.csv:4: the item id 'b\\r\\n,c' spans lines 4 to 5"),
        ('u1,a,5\n"u2,b,4\nu3,c,3\n', "own.csv:3: a quoted field is not closed before a separator up to line 4"),
        ('u1,a,5\nu2,"b"c,4\n', "own.csv:3: a quoted field is not closed before a separator in this line"),
        ('u1,a,5\nu2,"b" ,4\n', "own.csv:3: a quoted field is not closed before a separator in this line"),
        ('u1,a,5\nu2,b,4"\nu3,c,"\n', "own.csv:3: the rating is '4\"'; expected a finite number"),
        ('u1,"' + "x,\n" * 1000 + '",5\n', "own.csv:2: the item id 'x,\\nx,\\nx,\\n"),
    ],
)
def test_what_loses_or_merges_lines_is_refused(read_own: ReadOwn, content: str, message: str) -> None:
    with pytest.raises(DataError) as raised:
        read_own(HEADER + content)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value)) < 300


def test_an_id_may_have_line_breaks_if_it_cannot_be_lines_of_the_file(read_own: ReadOwn) -> None:
    """A line of the file has a separator. Quotes around an id without one were written on purpose."""
    text = HEADER + 'u1,a,5\n\nu2,"b\r\nc",4\nu3,"d\ne",3\n'
    assert columns_of(read_own(text))["item"] == ["a", "b\r\nc", "d\ne"]
    with pytest.raises(DataError, match=r"own.csv:2: the user id 'f\\rg' spans lines"):
        read_own(HEADER + '"f\rg",a,5\n')


def test_a_quoted_field_that_is_not_read_may_have_several_lines(read_own: ReadOwn) -> None:
    text = 'user,note,item,rating\n1,"a\nb, ""c""\r\n\n",10,4\n2,"",20,4.5\n3,"d\re",30,5\n'
    assert columns_of(read_own(text)) == {"user": [1, 2, 3], "item": [10, 20, 30], "rating": [4, 4.5, 5]}


def test_a_header_may_have_a_name_of_several_lines(read_own: ReadOwn) -> None:
    text = '"user","item","rating\n(1 to 5)"\n1,10,4\n'
    assert columns_of(read_own(text, columns=Columns(rating="rating\n(1 to 5)"))) == {
        "user": [1],
        "item": [10],
        "rating": [4],
    }
    with pytest.raises(DataError, match=re.escape("own.csv:1: a quoted field is not closed")):
        read_own('user,item,"rating\n1,10,4\n')


def test_a_quote_within_an_unquoted_field_is_a_character(read_own: ReadOwn) -> None:
    ratings = read_own(HEADER + 'u"1,12" vinyl,5\nu2,"7"" vinyl, ""new""",4\nu3,x"",3\n')
    assert columns_of(ratings) == {
        "user": ['u"1', "u2", "u3"],
        "item": ['12" vinyl', '7" vinyl, "new"', 'x""'],
        "rating": [5, 4, 3],
    }


def test_blank_lines_before_the_first_row_are_left_out(read_own: ReadOwn) -> None:
    assert columns_of(read_own("\n\n" + HEADER + "1,10,4\n")) == {"user": [1], "item": [10], "rating": [4]}


POSITIONS = Columns(user=0, item=1, rating=2)


class TestFirstLineOfNumbers:
    @pytest.mark.parametrize("content", ["196\t242\t3\t88\n186\t302\t3\t89\n", "u1\tA\t55\nu2\tB\t1\n"])
    def test_it_is_refused_if_nothing_says_whether_it_is_a_header(self, read_own: ReadOwn, content: str) -> None:
        with pytest.raises(
            DataError, match=r"own\.tsv:1: the first line has the number .* for rating, .*header: false"
        ):
            read_own(content, "own.tsv", columns=POSITIONS)

    def test_ids_alone_are_refused_if_all_are_numbers(self, read_own: ReadOwn) -> None:
        columns = Columns(user=0, item=1, rating=None)
        with pytest.raises(DataError, match=r"own\.csv:1: the first line has the number 242 for item"):
            read_own("196,242\n186,302\n", columns=columns)
        assert columns_of(read_own("user,2020\n186,302\n", columns=columns)) == {"user": [186], "item": [302]}

    def test_what_the_config_says_counts(self, read_own: ReadOwn) -> None:
        content = "0,1,2\n186,302,3\n"
        as_header = read_own(content, columns=POSITIONS, header=True)
        assert columns_of(as_header) == {"user": [186], "item": [302], "rating": [3]}
        as_rating = read_own(content, columns=POSITIONS, header=False)
        assert columns_of(as_rating)["user"] == [0, 186]

    def test_names_of_columns_are_a_header(self, read_own: ReadOwn) -> None:
        assert columns_of(read_own(HEADER + "186,302,3\n", columns=POSITIONS))["user"] == [186]
        by_name = read_own("user,1,2\n186,302,3\n", columns=Columns(user="user", item=1, rating=2))
        assert columns_of(by_name)["user"] == [186]
