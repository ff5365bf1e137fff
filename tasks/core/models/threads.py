"""Cores of this process, and the limit on BLAS threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threadpoolctl


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_blas_lock = Lock()
_blas_users = 0
_blas_limit: "threadpoolctl.threadpool_limits | None" = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS, within the block, from fighting implicit's threads over the cores.

    The limit is the process's: the first of several fits at a time sets it and the last one lifts it, where limits
    of their own would be lifted, and set for ever, in the order in which the fits happen to end.
    """
    import threadpoolctl

    global _blas_users, _blas_limit
    with _blas_lock:
        if _blas_users == 0:
            _blas_limit = threadpoolctl.threadpool_limits(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _blas_limit is not None:
                _blas_limit.restore_original_limits()
