"""The start of a ratings file, as text."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.data.readers.archives import BLOCK_BYTES
from tasks.core.data.readers.streams import Compression, as_file, decompressed
from tasks.core.errors import DataError
from tasks.core.formatting import shown

SAMPLE_BYTES = 1 << 20
"""Number of bytes of a text that are looked at to find its format."""
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Sample:
    """The start of a text file.

    Attributes
    ----------
    lines : list of str
        Without line ends. The last line of a part of a file is left out, because it may be incomplete.
    encoding : str
        `UTF-8`, or `UTF-8 with a byte order mark`.
    """

    lines: list[str]
    encoding: str


def read_sample(path: Path, compression: Compression | None = None) -> Sample:
    """Return the start of a text file.

    Parameters
    ----------
    path : Path
        The file.
    compression : str, optional
        See `tasks.core.data.readers.formats.recognise`.

    Returns
    -------
    Sample

    Raises
    ------
    DataError
        If the file cannot be read, is empty or is not UTF-8 text. The message says how to convert it.
    """
    try:
        with path.open("rb") as file:
            blocks = decompressed(iter(lambda: file.read(BLOCK_BYTES), b""), compression, path.name)
            data = as_file(blocks).read(SAMPLE_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) == SAMPLE_BYTES and b"\n" in data:
        data = data[: data.rindex(b"\n") + 1]
    if not data.strip():
        raise DataError(f"{path.name}: empty; expected a line for each rating")
    if data.startswith(_UTF_16_MARKS) or _alternates_with_zeros(data):
        raise _in_encoding(path, "UTF-16", "UTF-16")
    if b"\0" in data:
        raise DataError(f"{path.name}: not a text file: it has zero bytes; expected CSV, TSV or Parquet")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(data) == SAMPLE_BYTES:  # one line, cut within a character
            text = data[: error.start].decode("utf-8")
        else:
            number = data[: error.start].count(b"\n") + 1
            line = shown(data.split(b"\n")[number - 1].decode("cp1252", "replace"))
            found = f"not UTF-8 text in line {number}, which is {line!r} in Latin-1 or Windows-1252"
            raise _in_encoding(path, found, "WINDOWS-1252") from error
    encoding = "UTF-8 with a byte order mark" if text.startswith("\ufeff") else "UTF-8"
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Sample([line for line in lines if line.strip()], encoding)


def _alternates_with_zeros(data: bytes) -> bool:
    """Return whether half of the first bytes are zeros, as in UTF-16 text without a byte order mark."""
    start = data[:1000]
    return any(start[parity::2].count(0) > 0.8 * len(start) / 2 for parity in (0, 1))


def _in_encoding(path: Path, found: str, encoding: str) -> DataError:
    converted = path.with_name(f"{path.stem}-utf8{path.suffix}").name
    return DataError(
        f"{path.name}: {found}; expected UTF-8. If that is its encoding, this converts it: iconv -f {encoding} "
        f"-t UTF-8 {path.name} > {converted}"
    )
