"""Files, and members of zips or folders, as blocks of bytes."""

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tasks.core.data.catalogue import Member
from tasks.core.errors import DataError

BLOCK_BYTES = 1 << 20  # bytes read at a time
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
        while block := file.read(BLOCK_BYTES):
            size += len(block)
            if limit is not None and size > limit:
                raise DataError(f"{path}: larger than the {limit:,} bytes expected; use another copy")
            yield block
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _DAMAGE as error:
        raise DataError(f"{path}: damaged zip ({error}); use another copy") from None
