"""The number of fits that run at a time on this machine."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tasks.core.models.cost import fit_bytes
from tasks.core.models.threads import cores
from tasks.core.planning.runs import PlannedRun

_LIBRARY_BYTES = 150 << 20
"""Memory of the libraries in a process that runs fits."""


def fits_at_a_time(workers: int | str, runs: Sequence[PlannedRun], size: tuple[int, int, int]) -> int:
    """Return how many fits run at a time: at most one for each core, and no more than there are fits.

    With a model that Spark trains it is one: Spark uses all cores for each fit.

    Several fits with one thread each are faster than one fit with several threads: threads of a fit wait for each
    other in every sweep, and the lists and uploads of one fit are made while another one trains.

    Parameters
    ----------
    workers : int or "auto"
        The setting `execution.workers`. `auto` runs as many fits as half of the free memory holds.
    runs : sequence of PlannedRun
        The fits to run.
    size : tuple of int
        Number of users, of items and of interactions.

    Returns
    -------
    int
        At least 1.
    """
    if any(run.settings.is_of_spark for run in runs):
        return 1
    if isinstance(workers, str):
        fit = _LIBRARY_BYTES + max((run_bytes(run, size) for run in runs), default=0)
        workers = int(free_memory() / 2 / fit)
    return max(min(workers, cores(), len(runs)), 1)


def run_bytes(run: PlannedRun, size: tuple[int, int, int]) -> int:
    """Return the memory of one fit and of making its lists, without that of the libraries.

    Parameters
    ----------
    run : PlannedRun
        The fit. One that leaves out interactions holds the complete matrix besides what it is fitted to.
    size : tuple of int
        Number of users, of items and of interactions.

    Returns
    -------
    int
        Bytes.
    """
    users, items, n_interactions = size
    complete = 8 * n_interactions if run.resample else 0
    return fit_bytes(users, items, run.fitted_interactions(n_interactions), run.settings) + complete


def free_memory() -> int:
    """Return how many bytes are free on this machine, and within the limit of its container if there is one."""
    import psutil

    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no such files outside a container; `max` where there is no limit
        limit, used = (int(Path("/sys/fs/cgroup", f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, limit - used)
    return max(free, 0)
