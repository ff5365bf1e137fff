"""Delimited text that is read block by block."""

import hashlib
from pathlib import Path

import pytest

from tasks.core.data.readers.scan import Scan
from tasks.core.data.readers.streams import as_file
from tasks.core.data.readers.text import DelimitedText, first_line

pytestmark = pytest.mark.usefixtures("block_sizes")


def text_of(folder: Path, content: bytes, separator: str) -> DelimitedText:
    (folder / "own.dat").write_bytes(content)
    return DelimitedText(folder / "own.dat", "own.dat", separator, header=False)


@pytest.mark.parametrize(
    ("separator", "content", "expected"),
    [
        pytest.param(",", b"1,2\n3,4\n", b"1,2\n3,4\n", id="one byte"),
        pytest.param("::", b"1::2\n3::4\n", b"1\x1f2\n3\x1f4\n", id="two bytes"),
        pytest.param("::", b"1:2::3:\n", b"1:2\x1f3:\n", id="a part of a separator stays"),
        pytest.param("€", "1€2\n".encode(), b"1\x1f2\n", id="one character of three bytes"),
    ],
)
def test_each_separator_becomes_one_byte(tmp_path: Path, separator: str, content: bytes, expected: bytes) -> None:
    with text_of(tmp_path, content, separator).blocks() as blocks:
        assert b"".join(blocks) == expected


def test_a_scan_has_the_digest_of_the_file_and_the_number_of_separators(tmp_path: Path) -> None:
    content = b"1::2::3\n4::5::6\n"
    text = text_of(tmp_path, content, "::")
    scan = Scan()
    with text.blocks(scan) as blocks:
        assert sum(map(len, blocks)) == len(content) - 4
    assert scan.hasher.hexdigest() == hashlib.sha256(content).hexdigest() == text.digest()
    assert scan.separators == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (b"", False)),
        (b"one", (b"one", False)),
        (b"one line\n \r\n", (b"one line", False)),
        (b"one line\r\nanother", (b"one line", True)),
    ],
)
def test_the_first_line_is_known_with_whether_anything_follows(
    tmp_path: Path, content: bytes, expected: tuple[bytes, bool]
) -> None:
    with text_of(tmp_path, content, ",").blocks() as blocks:
        assert first_line(blocks) == expected


def test_blocks_can_be_read_as_a_file(tmp_path: Path) -> None:
    with text_of(tmp_path, b"one\ntwo\nthree", ",").blocks() as blocks:
        assert list(as_file(blocks)) == [b"one\n", b"two\n", b"three"]
