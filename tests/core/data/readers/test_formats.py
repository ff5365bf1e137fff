"""The format of a file, by its content: what is read, and what is named and refused."""

import bz2
import gzip
import io
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.core.config.dataset import Columns
from tasks.core.errors import DataError
from tests.core.data.helpers import HEADER, ReadOwn, columns_of, zip_of

TEXT = HEADER + "1,10,4\n2,20,4.5\n"
EXPECTED = {"user": [1, 2], "item": [10, 20], "rating": [4.0, 4.5]}
Compress = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(data)
    compressed: bytes = sink.getvalue().to_pybytes()
    return compressed


COMPRESSIONS = pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, zstd], ids=["gzip", "bzip2", "Zstandard"]
)


def parquet() -> bytes:
    return pd.DataFrame({"user": [1, 2], "item": [10, 20], "rating": [4, 4.5]}).to_parquet()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.arange(3))
    return stream.getvalue()


@pytest.mark.usefixtures("block_sizes")
@COMPRESSIONS
class TestCompressed:
    @pytest.mark.parametrize("name", ["own.csv.gz", "own.csv.zst", "own.csv", "own", "OWN.CSV.BZ2"])
    def test_it_is_read_whatever_its_name_is(self, read_own: ReadOwn, compress: Compress, name: str) -> None:
        assert columns_of(read_own(compress(TEXT.encode()), name)) == EXPECTED

    def test_the_suffix_before_that_of_the_compression_gives_the_separator(
        self, read_own: ReadOwn, compress: Compress
    ) -> None:
        content = compress(TEXT.replace(",", "\t").encode())
        for name in ("own.tsv.gz", "own.tsv", "own.TSV.zst"):
            assert columns_of(read_own(content, name)) == EXPECTED

    def test_several_streams_in_a_file_are_one_text(self, read_own: ReadOwn, compress: Compress) -> None:
        content = compress(HEADER.encode()) + compress(b"1,10,4\n2,2") + compress(b"0,4.5\n")
        assert columns_of(read_own(content)) == EXPECTED

    def test_lists_are_read(self, read_own: ReadOwn, compress: Compress) -> None:
        ratings = read_own(compress(b"1 10 20\n"), "own.txt.gz", layout="lists")
        assert columns_of(ratings) == {"user": [1, 1], "item": [10, 20]}

    def test_a_fault_is_reported_with_the_line_of_the_text(self, read_own: ReadOwn, compress: Compress) -> None:
        with pytest.raises(DataError, match=r"own\.csv\.gz:3: the rating is 'x'"):
            read_own(compress((HEADER + "1,2,3\n1,3,x\n").encode()), "own.csv.gz")

    def test_a_file_that_ends_too_early_is_refused(self, read_own: ReadOwn, compress: Compress) -> None:
        lines = "".join(f"{number},{number * 7919 % 10007},4\n" for number in range(2000))
        content = compress((HEADER + lines).encode())
        for size in (len(content) // 2, len(content) - 3):
            with pytest.raises(DataError, match=r"file is damaged or incomplete .*use another copy"):
                read_own(content[:size])
            with pytest.raises(DataError, match="file is damaged or incomplete"):
                read_own(content[:size], layout="lists")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (parquet(), "holds a Parquet file; unpack it"),
            (TEXT.encode("utf-16"), "UTF-16 text"),
            (zip_of(("r.csv", TEXT.encode())), "a zip archive"),
            (b"", "empty"),
        ],
    )
    def test_what_is_refused_is_refused_within_it(
        self, read_own: ReadOwn, compress: Compress, content: bytes, message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            read_own(compress(content))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress], ids=["gzip", "bzip2"])
def test_a_damaged_file_is_refused(read_own: ReadOwn, compress: Compress) -> None:
    """Frames of Zstandard need not have a checksum."""
    lines = "".join(f"{number},{number * 7919 % 10007},4\n" for number in range(2000))
    content = bytearray(compress((HEADER + lines).encode()))
    content[-6] ^= 0x55
    with pytest.raises(DataError, match="file is damaged or incomplete"):
        read_own(bytes(content))


@pytest.mark.parametrize("name", ["own.parquet", "OWN.PARQUET", "own.csv", "own"])
def test_parquet_is_read_whatever_its_suffix_is(read_own: ReadOwn, name: str) -> None:
    assert columns_of(read_own(parquet(), name)) == EXPECTED


@pytest.mark.parametrize("name", ["own.parquet", "own.xlsx", "own.json"])
def test_text_is_read_whatever_its_suffix_is(read_own: ReadOwn, name: str) -> None:
    assert columns_of(read_own(TEXT, name)) == EXPECTED


LONG = json.dumps({"review_id": "r1", "user_id": "u1", "text": "Nice place, " * 200})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("utf-16-le"), "own.csv:1: a NUL byte; expected UTF-8 text"),
        (TEXT.encode("utf-16"), "own.csv: UTF-16 text; expected CSV, TSV or Parquet: save the file as UTF-8"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "own.csv: UTF-16 text"),
        (TEXT.encode("utf-32"), "own.csv: UTF-32 text"),
        (b"\0\0\xfe\xff" + TEXT.encode("utf-32-be"), "own.csv: UTF-32 text"),
        (zip_of(("r.csv", TEXT.encode())), "own.csv: a zip archive; expected CSV, TSV or Parquet: unpack it"),
        (b"PK\3\4 and nothing more", "own.csv: a zip archive"),
        (zip_of(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "own.csv: an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "own.csv: an Excel workbook"),
        (npz(), "own.csv: NumPy arrays (npz)"),
        (f"{LONG}\n{LONG}\n", "own.csv: JSON lines, or JSON; expected CSV, TSV or Parquet: convert it with pandas"),
        ('\ufeff{\n  "a": 1}', "own.csv: JSON lines, or JSON"),
        ("{'reviewerID': 'A1', 'asin': '00'}\n", "own.csv: JSON lines, or JSON"),
        ('[{"user": 1}]', "own.csv: JSON;"),
        ("[\n  [1, 2, 3]]", "own.csv: JSON;"),
        ("\n<!DOCTYPE html>\n<html><title>404</title></html>", "own.csv: an HTML page"),
        ("<HTML><head>", "own.csv: an HTML page"),
        ('<?xml version="1.0"?><a/>', "own.csv: an XML document"),
        (b"\x80\x04\x95" + bytes(20), "own.csv: a pickle"),
        (b"\xfd7zXZ\0" + bytes(20), "own.csv: a file compressed by xz; expected CSV, TSV or Parquet: unpack it"),
        (b"r.csv".ljust(257, b"\0") + b"ustar\x0000" + bytes(300), "own.csv: a tar archive"),
        (HEADER + "1,2,3\n1,\0,3\n", "own.csv:3: a NUL byte"),
        ("user;item;\x1b[31mrating" + "x" * 5000 + "\n1;2;3\n", r"own.csv: has no column 'user' for user; its columns"),
        (HEADER + "1,2,\x1b]0;x\x07" + "x" * 5000 + "\n", r"own.csv:2: the rating is '\x1b]0;x\x07xxx"),
    ],
)
def test_what_cannot_be_read_is_named_shortly_with_a_remedy(
    read_own: ReadOwn, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError) as raised:
        read_own(content)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "header",
    ["ORCID,item,rating", "[user],item,rating", "{user},item,rating", "PARENT,item,rating", "BZh9,item,rating"],
)
def test_a_header_that_only_resembles_another_format_is_read(read_own: ReadOwn, header: str) -> None:
    columns = Columns(user=0, item=1, rating=2)
    assert columns_of(read_own(f"{header}\n1,10,4\n", columns=columns))["item"] == [10]


def test_lists_in_a_parquet_file_are_refused(read_own: ReadOwn) -> None:
    with pytest.raises(DataError, match="a Parquet file; `layout: lists` is for text"):
        read_own(parquet(), "own.txt", layout="lists")
