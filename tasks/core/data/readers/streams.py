"""Blocks of bytes as a file, and the blocks of the text in a compressed file."""

import io
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from tasks.core.data.readers.archives import BLOCK_BYTES
from tasks.core.errors import DataError

Compression = Literal["gzip", "bz2", "zstd"]
"""Names as pyarrow has them."""


class _BlockStream(io.RawIOBase):
    """A raw stream of the bytes of an iterator of blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def as_file(blocks: Iterator[bytes]) -> io.BufferedReader:
    """Return the blocks as a binary file."""
    return io.BufferedReader(_BlockStream(blocks), BLOCK_BYTES)


def decompressed(blocks: Iterable[bytes], compression: Compression | None, name: str) -> Iterator[bytes]:
    """Yield the blocks of the text in a compressed file.

    Parameters
    ----------
    blocks : iterable of bytes
        Of the file. All of them are read, unless an error is raised.
    compression : str or None
        None: the blocks are those of the text.
    name : str
        The file's, for messages.

    Yields
    ------
    bytes

    Raises
    ------
    DataError
        From the iterator, if the file is damaged or ends too early.
    """
    blocks = iter(blocks)
    if compression is not None:
        import pyarrow as pa

        # Python 3.11 has no Zstandard; and pyarrow reads files of several streams, as pigz and pbzip2 write them
        try:
            with (
                pa.PythonFile(as_file(blocks), mode="r") as file,
                pa.CompressedInputStream(file, compression) as stream,
            ):
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"{name}: the {compression} file is damaged or incomplete ({error}); use another copy"
            ) from error
    yield from blocks
