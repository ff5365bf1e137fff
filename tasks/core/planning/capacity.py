"""How many fits share this machine."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tasks.core.models.cost import fit_bytes
from tasks.core.models.threads import cores
from tasks.core.planning.runs import PlannedRun

LIBRARY_BYTES = 150 << 20
"""Of a process that fits."""


def fits_at_a_time(workers: int | str, runs: Sequence[PlannedRun], size: tuple[int, int, int]) -> int:
    """How many fits share this machine, by `execution.workers`.

    `auto` is one a core: threads of one fit wait for each other in every sweep, fits do not, and one's lists and
    uploads are made while another trains. Never more than there are fits, nor than half of the free memory holds.

    Parameters
    ----------
    size : users, items and interactions
    """
    most = workers
    if isinstance(most, str):
        each = LIBRARY_BYTES + max((fit_bytes(*size, run.settings) for run in runs), default=0)
        most = int(free_memory() / 2 / each)
    return max(min(most, cores(), len(runs)), 1)


def free_memory() -> int:
    """Bytes that are free on this machine, or within the container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # there is none, or it is `max`
        limit, used = (int(Path("/sys/fs/cgroup", f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, limit - used)
    return max(free, 0)
