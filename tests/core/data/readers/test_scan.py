"""Quotes in unusual places, found from the bytes beside them."""

import pytest

from tasks.core.data.readers.scan import Scan


def unusual(content: str, block: int, separator: bytes = b",") -> bool:
    data, scan = content.encode(), Scan()
    blocks = (data[start : start + block] for start in range(0, len(data), block))
    assert b"".join(scan.examine(blocks, separator, "own.csv")) == data
    return scan.has_unusual_quotes


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
class TestQuotes:
    @pytest.mark.parametrize(
        "content",
        [
            "",
            "a,b\n",
            '"a","b"\n"c","d"\r\n"e"',
            '"a""b","",""""\n',
            '"""a""",b\n',
            '"a\nb",c\n',
            '"a,b",c',
            'a,"b"\r"c",d\r',
        ],
    )
    def test_those_at_the_ends_of_fields_and_doubled_ones_are_usual(self, content: str, block: int) -> None:
        assert not unusual(content, block)

    @pytest.mark.parametrize(
        "content", ['a"b,c\n', '"a"b,c\n', '"a" ,c\n', ' "a",c\n', '"a,b\n', 'a,b"\n', '"a,b\nc,"d\n', '"a"""b,c\n']
    )
    def test_all_others_are_not(self, content: str, block: int) -> None:
        assert unusual(content, block)

    def test_the_separator_is_that_of_the_file(self, block: int) -> None:
        assert not unusual('"a"\t"b"\n', block, b"\t")
        assert unusual('"a";"b"\n', block, b"\t")


def test_a_byte_order_mark_is_not_before_the_first_quote() -> None:
    assert not unusual('\ufeff"a",b\n', 1000)
