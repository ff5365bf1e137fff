"""Delimited text that is read block by block."""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tasks.core.data.catalogue import Member
from tasks.core.data.readers.archives import open_blocks
from tasks.core.data.readers.scan import Scan
from tasks.core.data.readers.streams import Compression, as_file, decompressed


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
    header : bool or None
        Whether the first line names the columns. None: it is taken to, but nobody said so.
    member : Member or None
    has_quotes : bool
        Whether a field may stand within double quotes. Otherwise a quote is a character like any other.
    compression : str or None
        See `tasks.core.data.readers.streams.decompressed`.
    """

    path: Path
    name: str
    separator: str
    header: bool | None
    member: Member | None = None
    has_quotes: bool = True
    compression: Compression | None = None

    @property
    def has_header(self) -> bool:
        """Whether the first line is no rating."""
        return self.header is not False

    @property
    def parsed_separator(self) -> str:
        """The separator in the blocks of `blocks`: pandas' fast parser accepts one byte only."""
        return self.separator if len(self.separator.encode()) == 1 else "\x1f"

    @contextmanager
    def blocks(self, scan: Scan | None = None) -> Iterator[Iterator[bytes]]:
        """Open the text, with `parsed_separator` in place of each separator.

        Parameters
        ----------
        scan : Scan, optional
            Updated while the blocks are read.

        Yields
        ------
        Iterator of bytes
            Valid within the context.

        Raises
        ------
        DataError
            On entering the context or from the iterator, see `tasks.core.data.readers.archives.open_blocks`,
            `tasks.core.data.readers.streams.decompressed` and `Scan.examine`.
        """
        with open_blocks(self.path, self.member) as file_blocks:
            scan = scan or Scan()
            blocks = decompressed(scan.hash_blocks(file_blocks), self.compression, self.name)
            blocks = _replace_separator(blocks, self.separator.encode(), self.parsed_separator.encode())
            yield scan.examine(blocks, self.parsed_separator.encode(), self.name)

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """Open the text as a strict csv reader, which is slower than the parsers and knows line numbers.

        Yields
        ------
        csv reader
            It raises `csv.Error` where the quoting is not well-formed.

        Raises
        ------
        DataError
            See `blocks`.
        """
        field_limit = csv.field_size_limit(sys.maxsize)  # as the parsers: a long field is no fault
        try:
            with self.blocks() as blocks:
                lines = io.TextIOWrapper(as_file(blocks), encoding="utf-8-sig", newline="")
                quoting: Any = csv.QUOTE_MINIMAL if self.has_quotes else csv.QUOTE_NONE
                yield csv.reader(lines, delimiter=self.parsed_separator, quoting=quoting, strict=True)
        finally:
            csv.field_size_limit(field_limit)

    def digest(self) -> str:
        """Return the sha256 of the file's bytes as they lie on the disk."""
        scan = Scan()
        with open_blocks(self.path, self.member) as blocks:
            for _ in scan.hash_blocks(blocks):
                pass
        return str(scan.hasher.hexdigest())


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
