"""The format of a file of one's own, recognised by its first bytes: what is read, and what is refused with a remedy."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tasks.core.data.readers.streams import Compression, as_file, decompressed
from tasks.core.errors import DataError

_START_BYTES = 1024  # how much of a file is looked at; a tar header has 512 bytes
_COMPRESSIONS: tuple[tuple[bytes, Compression], ...] = (
    (rb"\x1f\x8b", "gzip"),
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "bz2"),
    (rb"\x28\xb5\x2f\xfd", "zstd"),
)
_COMPRESSED_SUFFIXES = {".gz", ".gzip", ".bz2", ".zst", ".zstd"}
_AS_CSV = "save the table as CSV or Parquet"
_TO_PARQUET = "convert it with pandas: pandas.{}(path{}).to_parquet('ratings.parquet')"
_REFUSED = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text", "save the file as UTF-8"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text", "save the file as UTF-8"),
    (rb"\xfd7zXZ\0", "a file compressed by xz", "unpack it, or compress it by gzip, bzip2 or Zstandard"),
    (rb"\x04\x22\x4d\x18", "a file compressed by LZ4", "unpack it, or compress it by gzip, bzip2 or Zstandard"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a", "an archive", "unpack it, and give the path of the ratings file in it"),
    (rb"(?s:.{257})ustar[\0 ]", "a tar archive", "unpack it, and give the path of the ratings file in it"),
    (rb"\xd0\xcf\x11\xe0", "an Excel workbook", _AS_CSV),
    (rb"ARROW1\0", "an Arrow or Feather file", _TO_PARQUET.format("read_feather", "")),
    (rb"\x89HDF", "an HDF5 file", _AS_CSV),
    (rb"SQLite format 3\0", "an SQLite database", _AS_CSV),
    (rb"\x93NUMPY", "a NumPy array", _AS_CSV),
    (rb"\x80[\x02-\x05]", "a pickle", _AS_CSV),
    (rb"%PDF-", "a PDF document", _AS_CSV),
    (
        rb"\s*<(?i:!doctype html|html|head|body)",
        "an HTML page",
        "download the file itself, not a page about it",
    ),
    (rb"\s*<\?xml", "an XML document", _AS_CSV),
    (rb"\s*\{\s*[\"'}]", "JSON lines, or JSON", _TO_PARQUET.format("read_json", ", lines=True")),
    (rb'\s*\[\s*(\{|\[\s*["\d])', "JSON", _TO_PARQUET.format("read_json", "")),
)
"""First bytes as a regular expression, the format's name, and what to do."""


@dataclass(frozen=True)
class Format:
    """What a file of one's own contains.

    Attributes
    ----------
    is_parquet : bool
        Otherwise it is text.
    compression : str or None
        Of a text: `gzip`, `bz2` or `zstd`.
    suffix : str
        Of the file's name, in lower case; that of the text if it is compressed.
    """

    is_parquet: bool
    compression: Compression | None
    suffix: str


def recognise(path: Path) -> Format:
    """Return the format of a file.

    Parameters
    ----------
    path : Path
        The file. Its suffix does not decide, except for the suffix of the text in a compressed file.

    Returns
    -------
    Format

    Raises
    ------
    DataError
        If the file cannot be read, or is neither text nor Parquet as far as its first bytes show. The message names the
        format.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    compression = next((name for pattern, name in _COMPRESSIONS if re.match(pattern, start)), None)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    name = path.name
    if compression:
        if suffixes and suffixes[-1] in _COMPRESSED_SUFFIXES:
            suffixes.pop()
        name = f"{path.name} (compressed by {compression})"
        with path.open("rb") as file:
            blocks = decompressed(iter(lambda: file.read(_START_BYTES), b""), compression, path.name)
            start = as_file(blocks).read(_START_BYTES)
    is_parquet = start.startswith(b"PAR1")
    if is_parquet and compression:
        raise DataError(f"{name}: holds a Parquet file; unpack it: Parquet is compressed in itself")
    if start.startswith(b"PK\3\4"):
        raise _zip_refusal(path, name, compressed=compression is not None)
    text = start.removeprefix(b"\xef\xbb\xbf")
    for pattern, format_name, remedy in _REFUSED:
        if re.match(pattern, text):
            raise DataError(f"{name}: {format_name}; expected CSV, TSV or Parquet: {remedy}")
    return Format(is_parquet, compression, suffixes[-1] if suffixes else "")


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, or a path is that of a folder, which is read as a table of Parquet files.

    Raises
    ------
    DataError
        See `recognise`.
    """
    return path.is_dir() or recognise(path).is_parquet


def _zip_refusal(path: Path, name: str, *, compressed: bool) -> DataError:
    """Return the error for a zip file. Excel workbooks and NumPy's npz files are zip files too."""
    members: list[str] = []
    if not compressed and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    if any(member.startswith("xl/") for member in members):
        return DataError(f"{name}: an Excel workbook; expected CSV, TSV or Parquet: {_AS_CSV}")
    if members and all(member.endswith(".npy") for member in members):
        return DataError(f"{name}: NumPy arrays (npz); expected CSV, TSV or Parquet: {_AS_CSV}")
    return DataError(
        f"{name}: a zip archive; expected CSV, TSV or Parquet: unpack it, and give the path of the ratings file in it"
    )
