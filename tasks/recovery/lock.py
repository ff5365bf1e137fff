"""Locks between processes that use one home."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.files import home, writing
from tasks.recovery import interrupts

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)
RENEWED_SECONDS = 5.0
EXPIRES_SECONDS = 40.0
_ASK_SECONDS = 0.2


@contextmanager
def lock(name: str, what: str) -> Iterator[bool]:
    """Hold `name` within the block; whether another process held it before, and may have done the work.

    Parameters
    ----------
    what : what is waited for, in a message

    Raises
    ------
    DataError
        The folder of locks cannot be written.
    """
    from filelock import FileLock

    path = home() / "locks" / name
    lock = FileLock(path, thread_local=False)
    waited = stale = False
    while not _acquired(lock, path):
        if not waited:
            log.info("%s: another process is at it; waiting", what)
            waited = True
        try:
            expired = time.time() - path.stat().st_mtime > EXPIRES_SECONDS
        except FileNotFoundError:  # let go of since
            continue
        if expired and stale:  # twice, since one that has just been taken is not renewed yet
            log.warning("%s: the process that is at it does not go on; it is begun again here", what)
            yield True
            return
        stale = expired
        interrupts.check(f"{what} was called off")
        time.sleep(_ASK_SECONDS)
    ended = threading.Event()

    def renew() -> None:
        with suppress(OSError):  # the folder is gone: others make locks of their own
            os.utime(path)
            while not ended.wait(RENEWED_SECONDS):
                os.utime(path)

    thread = threading.Thread(target=renew, name=f"lock {name}", daemon=True)
    thread.start()
    try:
        yield waited
    finally:
        ended.set()
        thread.join()
        path.unlink(missing_ok=True)  # others look again for the one that is there
        lock.release()


def forget() -> None:
    """Remove what is left of leases that nobody holds: whoever held them was killed, and their work is done since."""
    from filelock import FileLock, Timeout

    for path in (home() / "locks").glob("*"):
        with suppress(OSError, Timeout), FileLock(path, timeout=0):
            path.unlink(missing_ok=True)


def _acquired(lock: "FileLock", path: Path) -> bool:
    from filelock import Timeout

    with writing(path.parent):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        os.utime(path)
    return True
