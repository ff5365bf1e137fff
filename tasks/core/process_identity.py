"""Identity of a running process, by which another process can tell whether it still runs."""

import os
import socket
from functools import cache
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Return host, pid, start time and machine of this process.

    Returns
    -------
    dict
        `host`, `pid`, `started` in seconds since 1970, and `machine`: where, and since which boot, the pid is valid.
    """
    import psutil

    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "machine": _machine(),
    }


def has_ended(process: dict[str, Any]) -> bool:
    """Return whether a process ran on this machine and no longer does; False if that cannot be determined."""
    import psutil

    if process.get("machine") != _machine():
        return False
    try:
        # the pid may have been given to another process since
        return bool(abs(psutil.Process(process["pid"]).create_time() - process["started"]) > 1)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


@cache
def _machine() -> str:
    """Return a name of this machine since its boot and of its pid namespace: a container has its own pids."""
    parts = [socket.gethostname()]
    for read, path in ((Path.read_text, "/proc/sys/kernel/random/boot_id"), (Path.readlink, "/proc/self/ns/pid")):
        try:
            parts.append(str(read(Path(path))).strip())
        except OSError:  # not Linux
            continue
    return " ".join(parts)
