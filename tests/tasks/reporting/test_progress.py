"""Work in the background of other work."""

import time
from contextlib import nullcontext
from threading import Event

import pytest

from tasks.core.errors import Stopped
from tasks.reporting import progress


def test_work_in_the_background_gives_its_result_or_its_error() -> None:
    with progress.in_background(lambda: 3) as future:
        assert future.result() == 3
    with pytest.raises(ZeroDivisionError), progress.in_background(lambda: 1 / 0) as future:
        future.result()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("nested", [False, True])
def test_an_error_of_the_block_stops_the_work_at_its_next_step(nested: bool) -> None:
    """Also where the work has parts that can be stopped by themselves."""
    begun, ended = Event(), Event()

    def work() -> None:
        try:
            with progress.stoppable(Event()) if nested else nullcontext():
                while True:
                    progress.step("work", 1, 2, "steps")
                    begun.set()
                    time.sleep(0.01)
        except Stopped:
            ended.set()

    def block() -> None:
        with progress.in_background(work):
            assert begun.wait(30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    assert ended.is_set()
