"""This process, described so that another can tell whether it still runs."""

import os
import socket
from functools import cache
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """`host`, `pid`, when it `started` (seconds since 1970), and `machine`, within which the pid means something."""
    import psutil

    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "machine": _machine(),
    }


def is_gone(process: dict[str, Any]) -> bool:
    """Whether a process was of this machine and is no more; False where that cannot be told."""
    import psutil

    if process.get("machine") != _machine():
        return False
    try:
        # another process may have got its pid
        return bool(abs(psutil.Process(process["pid"]).create_time() - process["started"]) > 1)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


@cache
def _machine() -> str:
    """This machine since it was started, and the space in which pids count (a container has its own)."""
    parts = [socket.gethostname()]
    for read, path in ((Path.read_text, "/proc/sys/kernel/random/boot_id"), (Path.readlink, "/proc/self/ns/pid")):
        try:
            parts.append(str(read(Path(path))).strip())
        except OSError:  # not Linux
            continue
    return " ".join(parts)
