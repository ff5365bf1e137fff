"""Files, and members of zip files or folders, as blocks of bytes.

Nothing is extracted, and no file is in memory as a whole.
"""

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

BLOCK_BYTES = 1 << 20
"""Number of bytes that are read at a time."""
_MAX_MEMBER_BYTES = 2**31  # of a member of a zip file whose size is not pinned: a limit for zip bombs
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error, lzma.LZMAError)
"""What zipfile raises for corrupt files."""


def member_sha256(path: Path, member: Member) -> str:
    """Return the sha256 of a member, compared to the pinned one.

    Parameters
    ----------
    path : Path
        See `open_blocks`.
    member : Member
        May have no digest; then there is nothing to compare.

    Returns
    -------
    str
        In hex.

    Raises
    ------
    DataError
        If the member is missing, cannot be read, or its digest is not the pinned one.
    """
    hasher, size = hashlib.sha256(), 0
    with open_blocks(path, member) as blocks:
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
def open_blocks(path: Path, member: Member | None) -> Iterator[Iterator[bytes]]:
    """Open a file and iterate over its bytes in blocks.

    Parameters
    ----------
    path : Path
        A file; if there is a `member`, the zip file or the folder that contains it, or the member itself.
    member : Member or None
        None if `path` is the file to read.

    Yields
    ------
    Iterator of bytes
        Valid within the context.

    Raises
    ------
    DataError
        On entering the context or from the iterator: if the member is missing, the zip file is corrupt, it holds more
        bytes than it may, or reading fails.
    """
    with ExitStack() as stack:
        limit = None
        try:
            if member is None:
                file: Any = stack.enter_context(path.open("rb"))
            elif path.is_dir():
                # the folder may be the archive's top folder, or the one that contains it
                candidates = [path / member.member, path / Path(member.member).name]
                member_path = next((candidate for candidate in candidates if candidate.is_file()), None)
                if member_path is None:
                    raise DataError(
                        f"{path}: has no {Path(member.member).name}; expected the unpacked archive's folder"
                    )
                file = stack.enter_context(member_path.open("rb"))
            elif zipfile.is_zipfile(path):
                limit = member.bytes or _MAX_MEMBER_BYTES
                file = _open_zip_member(path, member, limit, stack)
            elif path.name == Path(member.member).name:
                file = stack.enter_context(path.open("rb"))
            else:
                raise DataError(f"{path}: neither a directory nor a zip; expected one that holds {member.member}")
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        except _ZIP_ERRORS as error:
            raise DataError(f"{path}: damaged zip ({error}); use another copy") from error
        yield _read_blocks(file, path, limit)


def _open_zip_member(path: Path, member: Member, limit: int, stack: ExitStack) -> Any:
    archive = stack.enter_context(zipfile.ZipFile(path))
    infos = [info for info in archive.infolist() if info.filename == member.member]
    if len(infos) != 1:
        raise DataError(f"{path}: holds {member.member} {len(infos)} times; expected once")
    size = infos[0].file_size
    if size > limit or (member.bytes and size != member.bytes):
        expected = f"{limit:,}" if member.bytes else f"at most {limit:,}"
        raise DataError(f"{path}: {member.member} claims {size:,} bytes; expected {expected}; use another copy")
    return stack.enter_context(archive.open(infos[0]))


def _read_blocks(file: Any, path: Path, limit: int | None) -> Iterator[bytes]:
    """Yield the content of an open file. The limit is checked again, because a zip file may lie about sizes."""
    size = 0
    try:
        while block := file.read(BLOCK_BYTES):
            size += len(block)
            if limit is not None and size > limit:
                raise DataError(f"{path}: larger than the {limit:,} bytes expected; use another copy")
            yield block
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except _ZIP_ERRORS as error:
        raise DataError(f"{path}: damaged zip ({error}); use another copy") from error
