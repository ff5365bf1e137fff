"""Delimited text, read block by block."""

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
from tasks.core.data.readers.archives import BLOCK_BYTES, blocks_of


@dataclass(frozen=True)
class Text:
    """A text of columns, which is read as often as it is needed, block by block.

    name : for messages
    member : where `path` is the archive, or its folder
    """

    path: Path
    name: str
    separator: str
    header: bool
    member: Member | None = None

    @property
    def character(self) -> str:
        """What stands between columns in what is read here: pandas' fast parser takes one byte."""
        return self.separator if len(self.separator.encode()) == 1 else "\x1f"

    @contextmanager
    def blocks(self, seen: "Seen | None" = None) -> Iterator[Iterator[bytes]]:
        """The bytes with one character between columns; `seen` notes what passes."""
        with blocks_of(self.path, self.member) as raw:
            seen = seen or Seen()
            character = self.character.encode()
            yield seen.counting(_replaced(seen.hashing(raw), self.separator.encode(), character), character)

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """A csv reader, for what must be looked at slowly."""
        with self.blocks() as blocks:
            lines = io.TextIOWrapper(stream(blocks), encoding="utf-8-sig", newline="")
            yield csv.reader(lines, delimiter=self.character)

    def digest(self) -> str:
        """The sha256 of the bytes as they stand."""
        seen = Seen()
        with self.blocks(seen) as blocks:
            for _ in blocks:
                pass
        return str(seen.hasher.hexdigest())


@dataclass
class Seen:
    """The digest of the bytes that passed, and how many separators there were among them."""

    hasher: Any = field(default_factory=hashlib.sha256)
    separators: int = 0

    def hashing(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks, hashed as they pass."""
        for block in blocks:
            self.hasher.update(block)
            yield block

    def counting(self, blocks: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
        """The same blocks, the separator (one byte) counted as they pass."""
        for block in blocks:
            self.separators += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == separator[0]))
            yield block


def _replaced(blocks: Iterable[bytes], separator: bytes, by: bytes) -> Iterator[bytes]:
    """The same bytes, `by` in place of each `separator`, wherever blocks end."""
    if separator == by:
        yield from blocks
        return
    rest = b""
    for block in blocks:
        *whole, last = (rest + block).split(separator)
        held = len(last) - len(separator) + 1  # what may be a separator's beginning waits for what follows
        rest = last[max(held, 0) :]
        yield by.join([*whole, last[: max(held, 0)]])
    yield rest


class _Blocks(io.RawIOBase):
    """A stream of what an iterator of blocks gives."""

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


def stream(blocks: Iterator[bytes]) -> io.BufferedReader:
    """The blocks as a file to read from."""
    return io.BufferedReader(_Blocks(blocks), BLOCK_BYTES)


def head(blocks: Iterator[bytes]) -> tuple[bytes, bool]:
    """The first line, and whether there is anything but white space after it."""
    line = []
    for block in blocks:
        end = re.search(rb"[\r\n]", block)
        if end is None:
            line.append(block)
            continue
        line.append(block[: end.start()])
        return b"".join(line), any(rest.strip() for rest in chain([block[end.start() :]], blocks))
    return b"".join(line), False
