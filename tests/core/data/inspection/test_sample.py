"""The start of a file: its encoding, and what is no text."""

import gzip
from pathlib import Path

import pytest

from tasks.core.data.inspection.sample import SAMPLE_BYTES, read_sample
from tasks.core.errors import DataError

TEXT = "user,item\né,1\n日本,2\n"


def sample_of(folder: Path, data: bytes, name: str = "r.csv") -> tuple[list[str], str]:
    (folder / name).write_bytes(data)
    sample = read_sample(folder / name)
    return sample.lines, sample.encoding


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-8-sig"), "UTF-8 with a byte order mark"),
        (TEXT.replace("\n", "\r\n").encode(), "UTF-8"),
        (TEXT.replace("\n", "\r").encode(), "UTF-8"),
        (("\n" + TEXT + "\n  \n").encode(), "UTF-8"),
    ],
)
def test_lines_have_neither_ends_nor_marks(tmp_path: Path, data: bytes, encoding: str) -> None:
    assert sample_of(tmp_path, data) == (["user,item", "é,1", "日本,2"], encoding)


def test_a_compressed_text_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(gzip.compress(TEXT.encode()))
    assert read_sample(tmp_path / "r.csv", "gzip").lines == ["user,item", "é,1", "日本,2"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_the_command_that_converts_it(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DataError, match=r"r\.csv: UTF-16; .* iconv -f UTF-16 -t UTF-8 r\.csv > r-utf8\.csv"):
        sample_of(tmp_path, "user,item\n1,2\n3,4\n".encode(encoding))


def test_latin_1_is_suspected_with_the_line_as_it_would_read(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"not UTF-8 text in line 2, which is 'é,1' in Latin-1 .* iconv -f WINDOWS-1252"
    ):
        sample_of(tmp_path, "user,item\né,1\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "empty"), (b" \n\n", "empty"), (b"\x89HDF\r\n\0\0\x01", "zero bytes")],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sample_of(tmp_path, data)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: .*No such file"):
        read_sample(tmp_path / "r.csv")


def test_only_the_start_of_a_long_file_is_read_up_to_the_end_of_a_line(tmp_path: Path) -> None:
    line = "é" * 300
    lines, _ = sample_of(tmp_path, f"{line}\n".encode() * 4000)
    assert set(lines) == {line}
    assert len(lines) == SAMPLE_BYTES // 601


@pytest.mark.parametrize("shift", [0, 1])
def test_a_line_longer_than_the_sample_may_be_cut_within_a_letter(tmp_path: Path, shift: int) -> None:
    lines, _ = sample_of(tmp_path, b"x" * shift + "é".encode() * SAMPLE_BYTES)
    assert [len(line) for line in lines] == [SAMPLE_BYTES // 2]
