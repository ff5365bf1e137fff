"""Delimited text that is read block by block."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.data.catalogue import Member
from tasks.core.data.readers.archives import BLOCK_BYTES, open_blocks


@dataclass(frozen=True)
class DelimitedText:
    """A file of columns. It may be read several times, each time from the disk.

    Attributes
    ----------
    path : Path
        The file, or the archive or folder that contains the member.
    name : str
        For messages.
    separator : str
        One or more characters between columns.
    header : bool
        Whether the first line names the columns.
    member : Member or None
    """

    path: Path
    name: str
    separator: str
    header: bool
    member: Member | None = None

    @property
    def parsed_separator(self) -> str:
        """The separator in the blocks of `blocks`: pandas' fast parser accepts one byte only."""
        return self.separator if len(self.separator.encode()) == 1 else "\x1f"

    @contextmanager
    def blocks(self, statistics: "ReadStatistics | None" = None) -> Iterator[Iterator[bytes]]:
        """Open the text, with `parsed_separator` in place of each separator.

        Parameters
        ----------
        statistics : ReadStatistics, optional
            Updated while the blocks are read.

        Yields
        ------
        Iterator of bytes
            Valid within the context.

        Raises
        ------
        DataError
            See `tasks.core.data.readers.archives.open_blocks`.
        """
        with open_blocks(self.path, self.member) as file_blocks:
            statistics = statistics or ReadStatistics()
            separator, parsed_separator = self.separator.encode(), self.parsed_separator.encode()
            blocks = _replace_separator(statistics.hash_blocks(file_blocks), separator, parsed_separator)
            yield statistics.count_separators(blocks, parsed_separator)

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """Open the text as a csv reader, which is slower than pandas and knows line numbers.

        Yields
        ------
        csv reader

        Raises
        ------
        DataError
            See `tasks.core.data.readers.archives.open_blocks`.
        """
        with self.blocks() as blocks:
            lines = io.TextIOWrapper(as_file(blocks), encoding="utf-8-sig", newline="")
            yield csv.reader(lines, delimiter=self.parsed_separator)

    def digest(self) -> str:
        """Return the sha256 of the file's bytes."""
        statistics = ReadStatistics()
        with self.blocks(statistics) as blocks:
            for _ in blocks:
                pass
        return str(statistics.hasher.hexdigest())


@dataclass
class ReadStatistics:
    """Digest and number of separators of the bytes that were read so far.

    Attributes
    ----------
    hasher : hashlib hash object
        Of the file's bytes, before separators are replaced.
    separators : int
        Number of separators, within quotes too.
    """

    hasher: Any = field(default_factory=hashlib.sha256)
    separators: int = 0

    def hash_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same blocks, adding each to the digest."""
        for block in blocks:
            self.hasher.update(block)
            yield block

    def count_separators(self, blocks: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
        """Yield the same blocks, counting the separators of each.

        Parameters
        ----------
        blocks : iterable of bytes
            May end anywhere.
        separator : bytes
            Of length 1.

        Yields
        ------
        bytes
        """
        for block in blocks:
            self.separators += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == separator[0]))
            yield block


def _replace_separator(blocks: Iterable[bytes], separator: bytes, replacement: bytes) -> Iterator[bytes]:
    """Yield the same bytes with each separator replaced, even if a block ends within one."""
    if separator == replacement:
        yield from blocks
        return
    rest = b""
    for block in blocks:
        *fields, last = (rest + block).split(separator)
        # the end of a block may be the start of a separator, and waits for the next block
        done = max(len(last) - len(separator) + 1, 0)
        rest = last[done:]
        yield replacement.join([*fields, last[:done]])
    yield rest


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


def first_line(blocks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return the first line, and whether anything but white space follows it."""
    line = []
    for block in blocks:
        end = re.search(rb"[\r\n]", block)
        if end is None:
            line.append(block)
            continue
        line.append(block[: end.start()])
        return b"".join(line), any(rest.strip() for rest in chain([block[end.start() :]], blocks))
    return b"".join(line), False
