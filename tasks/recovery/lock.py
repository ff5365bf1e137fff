"""Locks between processes that use one home: of several that want the same work, one does it and the others wait.

A lock is the kernel's (flock): it is free as soon as its process ends, however that ends. The lock file says which
process holds it.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import DataError
from tasks.core.files import home, writing
from tasks.core.process_identity import this_process
from tasks.reporting import progress

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_LOCAL_LOCKS = {"nolock", "local_lock=flock", "local_lock=all", "nobrl"}
"""Mount options of NFS and SMB under which a lock holds on one machine only (nfs(5), mount.cifs(8))."""


@contextmanager
def lock(name: str, what: str) -> Iterator[bool]:
    """Hold the lock `name` during the block.

    Parameters
    ----------
    name : str
        The lock file's name.
    what : str
        What is waited for, in messages.

    Yields
    ------
    bool
        Whether another process held the lock before, and may have done the work.

    Raises
    ------
    DataError
        If the home cannot be written, or its file system has no locks between machines.
    Stopped
        If the work was stopped while it waited.
    """
    path = home() / "locks" / name
    waited = False
    while (held := _acquire(path)) is None:
        if not waited:
            log.info("%s: waiting for %s", what, _holder(path))
            waited = True
        progress.check_stop(f"{what} was stopped while it waited for another process")
        time.sleep(_POLL_SECONDS)
    try:
        yield waited
    finally:
        # a process that has already opened the file gets a lock without a name, which filelock (since 3.20.4) refuses
        path.unlink(missing_ok=True)
        held.release()


def remove_unused() -> None:
    """Remove lock files that no process holds: a killed process leaves its own."""
    for path in (home() / "locks").glob("*"):
        with suppress(OSError, DataError):
            if held := _acquire(path):
                path.unlink(missing_ok=True)
                held.release()


def locks_hold_between_machines(file_system: str, options: str) -> bool:
    """Return whether a lock on a file of a mount is seen by the other machines that mount it.

    Parameters
    ----------
    file_system : str
        Its type, such as ext4 or nfs4.
    options : str
        Its mount options, separated by commas.

    Returns
    -------
    bool
        True for a local file system.
    """
    network = file_system.startswith(("nfs", "cifs", "smb"))
    return not (network and _LOCAL_LOCKS & set(options.split(",")))


def _acquire(path: Path) -> "FileLock | None":
    """Return the lock if no process holds it, with this process named in its file."""
    from filelock import FileLock, Timeout

    with writing(path.parent):
        _refuse_local_locks(path.parent)
        # a soft lock, filelock's substitute where the kernel has no flock, would outlive a killed process
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise DataError(
                f"{path}: the file system of LATENTLAB_HOME has no locks ({error.strerror or error}), which keep two "
                "processes from running the same fit; set LATENTLAB_HOME to another disk"
            ) from error
        path.write_text(json.dumps({**this_process(), "since": time.time()}), encoding="utf-8")
    return lock


def _refuse_local_locks(folder: Path) -> None:
    import psutil

    mounts = [mount for mount in psutil.disk_partitions(all=True) if folder.is_relative_to(mount.mountpoint)]
    mount = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    if mount and not locks_hold_between_machines(mount.fstype, mount.opts):
        raise DataError(
            f"{folder}: is on {mount.fstype} mounted with {mount.opts}, where locks do not hold between machines; "
            "mount it with locks, or set LATENTLAB_HOME to a disk of this machine"
        )


def _holder(path: Path) -> str:
    """Return which process holds a lock, in words."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        since = time.strftime("%H:%M:%S", time.localtime(holder["since"]))
        return f"process {holder['pid']} on host {holder['host']}, which holds the lock since {since}"
    except (OSError, ValueError, KeyError, TypeError):  # it was just acquired, or just released
        return "another process, which holds the lock"
