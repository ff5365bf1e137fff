"""Cores and the limit on BLAS threads."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from threading import Thread

import pytest
import scipy.linalg  # noqa: F401 -- numpy and scipy each load a BLAS
import threadpoolctl

from tasks.core.models.threads import cores, one_blas_thread


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}


def test_cores_are_those_of_the_affinity() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinity")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert cores() == len(allowed)


def test_concurrent_limits_end_with_the_last_whatever_their_order() -> None:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = ExitStack(), ExitStack()
        first.enter_context(one_blas_thread())
        second.enter_context(one_blas_thread())
        first.close()
        assert blas_threads() == {1}
        second.close()
        assert blas_threads() == before


def test_every_thread_can_set_the_limit_and_lift_that_of_another() -> None:
    """threadpoolctl 3.8 lets only the thread that sets the first limit change it, and silently ignores the others."""
    seen: list[set[int]] = []

    def within(block: ExitStack) -> None:
        block.enter_context(one_blas_thread())
        seen.append(blas_threads())

    def in_thread(function: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=function, args=arguments)
        thread.start()
        thread.join()

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        for enter, leave in ((within, in_thread), (in_thread, within), (in_thread, in_thread)):
            block = ExitStack()
            in_thread(within, block) if enter is in_thread else within(block)
            in_thread(block.close) if leave is in_thread else block.close()
            assert blas_threads() == before
    assert seen == [{1}] * 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_library_that_is_imported_within_the_block_is_limited_too() -> None:
    """Numpy and scipy each have a BLAS; scipy's is loaded with its first use."""
    program = (
        "import os\n"
        "os.sched_setaffinity(0, range(os.cpu_count()))\n"  # a pytest worker has one core, and BLAS one thread
        "import numpy, threadpoolctl\n"
        "from tasks.core.models.threads import one_blas_thread\n"
        "with one_blas_thread():\n"
        "    import scipy.stats\n"
        "    print([pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['user_api'] == 'blas'])\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {1}
