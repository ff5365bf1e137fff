"""Prefect's embedded server: without PREFECT_API_URL, flow runs use a server that lasts as long as the command.

Prefect would start it at its first request, start it again whenever it fails, and report nothing but a time-out. It
takes seconds, in which the process can prepare what else a flow run needs.
"""

import atexit
import os
import re
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread

import prefect
from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
)

from tasks.core.errors import OrchestrationError
from tasks.recovery.interrupts import deferred_signals

_STARTS = 3
"""Processes started in turn while others take their ports."""
_POLL_SECONDS = 0.1
_STOP_SECONDS = 5
_SERVER = """
import os, signal, threading

def end_with_parent():
    os.read(0, 1)  # returns once the parent has closed the pipe, or is dead
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_parent, daemon=True).start()
from uvicorn.main import main
main()
"""
"""Code of the server's process: uvicorn, which ends when its parent does, however that ends."""


def start_embedded_server() -> None:
    """Start the embedded server and wait until it answers, see `embedded_server`."""
    with embedded_server():
        pass


@contextmanager
def embedded_server() -> Iterator[None]:
    """Start the embedded server, and wait at the end of the block until it answers.

    Nothing is started if PREFECT_API_URL names another server, or the embedded one is running already.

    Raises
    ------
    OrchestrationError
        If Prefect's settings allow no embedded server, or if it does not start; with its own error.
    """
    if PREFECT_API_URL.value() or _is_running():
        yield
        return
    if not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        raise OrchestrationError(
            "PREFECT_API_URL is not set, and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE is false; set PREFECT_API_URL to the "
            "address of a Prefect server, or allow the embedded one"
        )
    server = _Server()
    yield
    # its import takes as long as the start, for which Prefect's clients need it as well
    from prefect.server.api.server import SubprocessASGIServer

    for starts in range(1, _STARTS + 1):
        failure = _wait_until_it_answers(server.process, server.port)
        if failure is None:
            shared = SubprocessASGIServer()  # the one instance that Prefect's clients use
            shared.port, shared.server_process, shared.running = server.port, server.process, True
            return
        server.stop()
        if starts == _STARTS or not any("address already in use" in line for line in server.output):
            break
        server = _Server()
    raise OrchestrationError(
        f"Prefect's embedded server does not start: {failure}{_cause(server.output)}; its database is "
        f"{PREFECT_API_DATABASE_CONNECTION_URL.value()}: check that this version of Prefect can use it, set "
        "PREFECT_HOME to another folder, or set PREFECT_API_URL to the address of a running server"
    ) from RuntimeError("".join(server.output))


def _is_running() -> bool:
    """Return whether this process has an embedded server, without the import of what only its start needs."""
    module = sys.modules.get("prefect.server.api.server")
    return module is not None and module.SubprocessASGIServer().running


class _Server:
    """A process of the server, which ends with this one, and what it prints."""

    def __init__(self) -> None:
        self.port = _free_port()
        self.output: deque[str] = deque(maxlen=500)
        with deferred_signals():  # one that came in between would leave the process to itself
            self.process = _start_process(self.port)
            self._reader = Thread(target=self.output.extend, args=(self.process.stdout,), daemon=True)
            self._reader.start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """End the process, and read the rest of its output."""
        atexit.unregister(self.stop)
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _start_process(port: int) -> "subprocess.Popen[str]":
    """Start the server's process with the arguments of Prefect's own command. It prints its errors to `stdout`."""
    packages = Path(str(prefect.__file__)).parents[1]
    command = [sys.executable, "-P", "-c", _SERVER, "--app-dir", str(packages)]
    command += ["--factory", "prefect.server.api.server:create_app", "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(
        [*command, "--log-level", "error", "--lifespan", "on"],
        env={
            **os.environ,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
            **get_current_settings().to_environment_variables(exclude_unset=True),
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
        },
        # Ctrl-C in a terminal is for the parent to handle, which sends its last events to the server
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _wait_until_it_answers(process: "subprocess.Popen[str]", port: int) -> str | None:
    """Return why the server cannot be used; None once it can."""
    seconds = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"its process ended with exit code {process.returncode}"
        connection = HTTPConnection("127.0.0.1", port, timeout=seconds)  # never through a proxy
        try:
            connection.request("GET", "/api/health")
            status = connection.getresponse().status
            return None if status == 200 else f"it answered with status {status}"
        except (OSError, HTTPException):
            time.sleep(_POLL_SECONDS)
        finally:
            connection.close()
    return f"it did not answer within {seconds} s"


def _cause(output: Iterable[str]) -> str:
    """Return the last exception that the server printed, after a colon; empty if there is none."""
    exceptions = [line.strip() for line in output if re.match(r"[A-Za-z_][\w.]*(Error|Exception)\b", line)]
    return f": {exceptions[-1]}" if exceptions else ""
