"""Files, and members of zips or folders, as blocks of bytes: none is in memory whole, and nothing is extracted."""

import csv
import hashlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.catalogue import Member
from tasks.core.errors import DataError

_BLOCK = 1 << 20  # bytes read at a time
_MOST = 2**31  # of a zip's member whose size is not pinned


def member_sha256(path: Path, member: Member) -> str:
    """A member's sha256.

    Raises
    ------
    DataError
        It is not there, cannot be read, or is not the pinned one.
    """
    hasher, size = hashlib.sha256(), 0
    with blocks_of(path, member) as blocks:
        for block in blocks:
            hasher.update(block)
            size += len(block)
    if member.sha256 and hasher.hexdigest() != member.sha256:
        raise DataError(
            f"{path}: {Path(member.member).name} has sha256 {hasher.hexdigest()[:12]}… ({size:,} bytes) but "
            f"{member.sha256[:12]}… was published; it is truncated or altered: use another copy, "
            "or `name: file` for data of your own"
        )
    return hasher.hexdigest()


@contextmanager
def blocks_of(path: Path, member: Member | None) -> Iterator[Iterator[bytes]]:
    """The bytes of a file, or of a member: from a zip by its name, or from a directory.

    Raises
    ------
    DataError
        On entering or from the blocks: no such member, a damaged zip, more bytes than there may be, a failing disk.
    """
    with ExitStack() as opened:
        limit = None
        try:
            if member is None:
                file: Any = opened.enter_context(path.open("rb"))
            elif path.is_dir():
                # with or without the archive's own top folder
                candidates = [path / member.member, path / Path(member.member).name]
                inside = next((candidate for candidate in candidates if candidate.is_file()), None)
                if inside is None:
                    raise DataError(
                        f"{path}: has no {Path(member.member).name}; expected the unpacked archive's folder"
                    )
                file = opened.enter_context(inside.open("rb"))
            elif zipfile.is_zipfile(path):
                limit = member.bytes or _MOST
                file = _in_zip(path, member, limit, opened)
            elif path.name == Path(member.member).name:
                file = opened.enter_context(path.open("rb"))
            else:
                raise DataError(f"{path}: neither a directory nor a zip; expected one that holds {member.member}")
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        except _DAMAGE as error:
            raise DataError(f"{path}: damaged zip ({error}); use another copy") from None
        yield _read(file, path, limit)


_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error, lzma.LZMAError)
"""What reading a damaged zip raises."""


def _in_zip(path: Path, member: Member, limit: int, opened: ExitStack) -> Any:
    """A member of a zip, open to be read."""
    archive = opened.enter_context(zipfile.ZipFile(path))
    named = [info for info in archive.infolist() if info.filename == member.member]
    if len(named) != 1:
        raise DataError(f"{path}: holds {member.member} {len(named)} times; expected once")
    if named[0].file_size > limit or (member.bytes and named[0].file_size != member.bytes):
        bound = f"{limit:,}" if member.bytes else f"at most {limit:,}"
        raise DataError(
            f"{path}: {member.member} claims {named[0].file_size:,} bytes; expected {bound}; use another copy"
        )
    return opened.enter_context(archive.open(named[0]))


def _read(file: Any, path: Path, limit: int | None) -> Iterator[bytes]:
    """What is in an open file, and never more than it may be."""
    size = 0
    try:
        while block := file.read(_BLOCK):
            size += len(block)
            if limit is not None and size > limit:
                raise DataError(f"{path}: larger than the {limit:,} bytes expected; use another copy")
            yield block
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _DAMAGE as error:
        raise DataError(f"{path}: damaged zip ({error}); use another copy") from None


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
    return io.BufferedReader(_Blocks(blocks), _BLOCK)


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
