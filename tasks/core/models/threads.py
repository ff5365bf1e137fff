"""Number of cores that a process may use, and a limit on BLAS threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threadpoolctl


def cores() -> int:
    """Return how many cores this process may use."""
    # macOS has no affinity
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_blas_lock = Lock()
_blas_users = 0
_blas_limit: "threadpoolctl.threadpool_limits | None" = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread within the block, so that its threads do not compete with implicit's for the cores."""
    import scipy.linalg  # noqa: F401 -- scipy has a BLAS of its own, which a limit does not reach if it is loaded later
    import threadpoolctl

    # The limit belongs to the process. The first of several concurrent fits sets it and the last one lifts it: with a
    # limit of its own, a fit that ends last would restore the one thread that it found when it began.
    global _blas_users, _blas_limit
    with _blas_lock:
        if _blas_users == 0:
            with _any_thread():
                _blas_limit = threadpoolctl.threadpool_limits(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _blas_limit is not None:
                with _any_thread():
                    _blas_limit.restore_original_limits()


@contextmanager
def _any_thread() -> Iterator[None]:
    """Let this thread change the limit of the process within the block, and any other thread after it.

    threadpoolctl ignores what other threads ask for than the one that set the first limit.
    """
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread(force=True)
    try:
        yield
    finally:
        OpenBLASController.clear_controlling_thread(force=True)
