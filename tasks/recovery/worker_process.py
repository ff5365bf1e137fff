"""Child processes that train: a crash in native code, or of memory, is one failed fit and not a lost flow.

A child trains one fit after another and ends when its parent does, however that ends. Neither pebble nor the standard
library's executor does this. With pebble, the death of an idle child breaks the pool. The executor gives up all fits
when one child dies, and does not say which signal ended it. Both import the parent's main module in the child, which in
a Prefect worker is Prefect itself.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

from tasks.core.config.als import AlsConfig
from tasks.core.errors import OUT_OF_MEMORY, LatentlabError, Stopped, TrainingError
from tasks.core.files import home_error
from tasks.core.training.run_fit import FitRequest, FitResult, run_fit
from tasks.core.training.spark_fit import run_spark_fit
from tasks.core.training.step import OnSteps, Step
from tasks.reporting import progress

_GRACE_SECONDS = 3.0
"""Time for a fit that is stopped to end its iteration and write a checkpoint."""
_STOP = "stop"


class _Worker:
    """A child process, and the connection to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tasks.recovery.worker_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is for the parent to handle
                # implicit's threads must not spin while they wait: other fits use the cores
                env={"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        self.connection = Connection(ours.detach())

    def run_fit(self, request: FitRequest, on_steps: OnSteps) -> FitResult:
        """Run a fit in the child; see `tasks.core.training.run_fit.run_fit`."""
        iteration = 0
        try:
            self._send(request)
            while True:
                message = self._receive()
                if message is None:
                    raise TrainingError(self._post_mortem(iteration, request.settings))
                if isinstance(message, FitResult):
                    return message
                if isinstance(message, BaseException):
                    raise message
                steps: list[Step] = message
                iteration = steps[-1].iteration
                on_steps(steps)
        except BaseException:
            self.end(_GRACE_SECONDS)
            raise

    def _send(self, message: object) -> None:
        with suppress(OSError):  # a dead child is noticed when its answer is waited for
            self.connection.send(message)

    def _receive(self) -> Any:
        """Return the child's next message, or None once it is dead."""
        with suppress(EOFError, OSError):
            while not self.connection.poll(0.2):
                progress.check_stop("training was stopped")
            return self.connection.recv()
        return None

    def end(self, grace_seconds: float = 0.5) -> None:
        """Stop the child's fit and end the child; kill it if that takes longer than `grace_seconds`."""
        if self.connection.closed:
            return
        self._send(_STOP)
        try:
            self.process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.connection.close()

    def _post_mortem(self, iteration: int, settings: AlsConfig) -> str:
        code = self.process.wait()
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        resumes = "starts this fit anew" if settings.is_of_spark else "resumes from the last checkpoint"
        advice = f"run the same command again: it {resumes}"
        if code == -signal.SIGKILL:
            advice = f"memory has probably run out: lower factors or execution.workers, or {advice}"
        return f"the training process ended ({cause}) after iteration {iteration} of {settings.iterations}; {advice}"


_idle_workers: ContextVar["SimpleQueue[_Worker] | None"] = ContextVar("idle_workers", default=None)


@contextmanager
def worker_processes(number: int) -> Iterator[None]:
    """Run the fits of the block in `number` child processes, started at once; in this process if it is 0."""
    if not number:
        yield
        return
    idle: SimpleQueue[_Worker] = SimpleQueue()
    token = _idle_workers.set(idle)
    try:
        for _ in range(number):
            idle.put(_Worker())
        yield
    finally:
        _idle_workers.reset(token)
        with suppress(Empty):
            while True:
                idle.get_nowait().end()


def run_isolated(request: FitRequest, on_steps: OnSteps) -> FitResult:
    """Run a fit in a child process within `worker_processes`, else in this process.

    So is one in the Spark session of this process: it is nowhere else.

    Parameters
    ----------
    request : FitRequest
        The fit.
    on_steps : callable
        See `tasks.core.training.run_fit.run_fit`.

    Returns
    -------
    FitResult

    Raises
    ------
    TrainingError
        If the child dies, or as `tasks.core.training.run_fit.run_fit` does.
    """
    idle = _idle_workers.get()
    if idle is None or (request.settings.is_of_spark and request.spark is None):
        return _run(request, on_steps)
    try:
        worker = idle.get_nowait()
    except Empty:  # one has died with its fit
        worker = _Worker()
    result = worker.run_fit(request, on_steps)
    idle.put(worker)
    return result


def _run(request: FitRequest, on_steps: OnSteps) -> FitResult:
    return run_spark_fit(request, on_steps) if request.settings.is_of_spark else run_fit(request, on_steps)


def _serve(handle: int) -> None:
    """Run fits until the parent is gone or says stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(handle)
    requests: SimpleQueue[FitRequest] = SimpleQueue()
    fitting, stopped = threading.Event(), threading.Event()

    def listen() -> None:
        with suppress(EOFError, OSError):
            while (message := connection.recv()) != _STOP:
                requests.put(message)
            if fitting.is_set():  # the fit writes a checkpoint first
                stopped.set()
                return
        os._exit(0)

    def on_steps(steps: list[Step]) -> None:
        if stopped.is_set():
            raise Stopped
        if steps:
            connection.send(steps)

    threading.Thread(target=listen, daemon=True).start()
    with suppress(OSError):  # the parent is gone
        while True:
            request = requests.get()
            fitting.set()
            connection.send(_result_or_error(request, on_steps))
            fitting.clear()
    os._exit(0)


def _result_or_error(request: FitRequest, on_steps: OnSteps) -> FitResult | BaseException:
    try:
        return _run(request, on_steps)
    except Stopped:
        os._exit(0)
    except LatentlabError as error:
        return error
    except MemoryError:
        return TrainingError(OUT_OF_MEMORY)
    except Exception as error:
        if expected := home_error(error):
            return expected
        failure = RuntimeError(f"{type(error).__name__}: {error}")  # the error itself may not be picklable
        failure.add_note(traceback.format_exc())
        return failure


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
