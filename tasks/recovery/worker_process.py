"""Child processes that train."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tasks.core.errors import OUT_OF_MEMORY, LatentlabError, Stopped, TrainingError
from tasks.core.training.run_fit import FitRequest, FitResult, run_fit
from tasks.core.training.step import OnSteps, Step
from tasks.recovery import interrupts

_GRACE_SECONDS = 3.0
"""Time for a fit that is called off to end its sweep and write a checkpoint."""
_STOP = "stop"


class Child:
    """A process of ours that trains."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the child)
        with theirs:
            # a session of its own: Ctrl-C in a terminal is the parent's to handle
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tasks.recovery.worker_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.said,
                start_new_session=True,
                # implicit's threads are not to spin while they wait: others may want the cores
                env={"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        self.connection = Connection(ours.detach())
        self._sending = threading.Lock()

    def carry_out(self, order: FitRequest, target: Path, tell: OnSteps) -> FitResult:
        """`tasks.core.training.run_fit.run_fit`, in the child.

        Raises
        ------
        TrainingError
            The child died.
        """
        done = 0
        try:
            self._send((order, target))
            while True:
                message = self._receive()
                if message is None:
                    raise TrainingError(self._post_mortem(done, order.settings.iterations))
                if isinstance(message, FitResult):
                    return message
                if isinstance(message, BaseException):
                    raise message
                steps: list[Step] = message
                done = steps[-1].iteration
                tell(steps)
        except BaseException:
            self.end(_GRACE_SECONDS)
            raise

    def grant(self, threads: int) -> None:
        """Have its fit go on with so many threads, from the next sweep on."""
        self._send(threads)

    def _send(self, message: object) -> None:
        with suppress(OSError), self._sending:  # it died: found when its answer is waited for
            self.connection.send(message)

    def _receive(self) -> Any:
        """The child's next message; None once it is dead."""
        with suppress(EOFError, OSError):
            while not self.connection.poll(0.2):
                interrupts.check()
            return self.connection.recv()
        return None

    def end(self, grace: float = 0.5) -> None:
        """Stop its fit and end it; killed if that takes longer than `grace` seconds."""
        if self.connection.closed:
            return
        self._send(_STOP)
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with self._sending:
            self.connection.close()
        self.said.close()

    def _post_mortem(self, done: int, iterations: int) -> str:
        code = self.process.wait()
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self.said.seek(0)
        if lines := self.said.read().decode("utf-8", "replace").split("\n")[-2:-1]:
            cause += f", {lines[0].strip()[:200]}"
        advice = "run the same command again: it goes on from the last checkpoint"
        if code == -signal.SIGKILL:
            advice = f"memory has probably run out: lower factors or execution.workers, or {advice}"
        return f"the training process ended ({cause}) after iteration {done} of {iterations}; {advice}"


class Children:
    """Children that wait for fits: as many as there are fits at a time."""

    def __init__(self) -> None:
        self._all: list[Child] = []
        self._idle: SimpleQueue[Child] = SimpleQueue()
        self._lock = threading.Lock()

    def start(self, number: int) -> None:
        """Start children ahead of their first fits."""
        for _ in range(number):
            self._idle.put(self._new())

    def carry_out(self, order: FitRequest, target: Path, tell: OnSteps) -> FitResult:
        """Have a child carry out a fit."""
        try:
            child = self._idle.get_nowait()
        except Empty:
            child = self._new()
        fitted = child.carry_out(order, target, tell)
        self._idle.put(child)
        return fitted

    def grant(self, threads: int) -> None:
        """Have the fits under way go on with so many threads each."""
        with self._lock:
            for child in self._all:
                child.grant(threads)

    def end(self) -> None:
        """End all of them."""
        for child in self._all:
            child.end()

    def _new(self) -> Child:
        child = Child()
        with self._lock:
            self._all.append(child)
        return child


_children: ContextVar[Children | None] = ContextVar("children", default=None)


@contextmanager
def isolated(number: int) -> Iterator[None]:
    """Fits within the block are carried out by `number` child processes; with none, in this one."""
    if not number:
        yield
        return
    children = Children()
    token = _children.set(children)
    try:
        children.start(number)
        yield
    finally:
        _children.reset(token)
        children.end()


def perform(order: FitRequest, target: Path, tell: OnSteps) -> FitResult:
    """Carry out a fit: in a child within `isolated`, else in this process."""
    children = _children.get()
    return children.carry_out(order, target, tell) if children else run_fit(order, target, tell)


def grant(threads: int) -> None:
    """Have fits in children, within `isolated`, go on with so many threads each: others have ended, and none begin."""
    if children := _children.get():
        children.grant(threads)


def _serve(handle: int) -> None:
    """What a child does: fits, until its parent is gone or tells it to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(handle)
    orders: SimpleQueue[tuple[FitRequest, Path]] = SimpleQueue()
    fitting, stopped = threading.Event(), threading.Event()
    granted = 0

    def listen() -> None:
        nonlocal granted
        with suppress(EOFError, OSError):
            while (message := connection.recv()) != _STOP:
                if isinstance(message, int):  # may come before the last order, and no other comes after that
                    granted = message
                else:
                    orders.put(message)
            if fitting.is_set():  # a checkpoint is written first
                stopped.set()
                return
        os._exit(0)

    def tell(steps: list[Step]) -> None:
        if stopped.is_set():
            raise Stopped
        connection.send(steps)

    threading.Thread(target=listen, daemon=True).start()
    with suppress(OSError):  # the parent is gone
        while True:
            order, target = orders.get()
            fitting.set()
            connection.send(_answer(order, target, tell, lambda: granted))
            fitting.clear()
    os._exit(0)


def _answer(order: FitRequest, target: Path, tell: OnSteps, granted: Callable[[], int]) -> FitResult | BaseException:
    try:
        return run_fit(order, target, tell, granted)
    except Stopped:
        os._exit(0)
    except LatentlabError as error:
        return error
    except MemoryError:
        return TrainingError(OUT_OF_MEMORY)
    except Exception as error:
        failure = RuntimeError(f"{type(error).__name__}: {error}")
        failure.add_note(traceback.format_exc())
        return failure


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
