"""A local HTTP server that misbehaves as a test asks, certificates for it, and servers as processes."""

import datetime
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import pytest
import requests

DATA = b"ratings!" * 25_000  # 200 kB: several reads of the transfer
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
"""All cores, as this is imported before a pytest worker gets cores of its own; None where there is no affinity."""

AnyServer = TypeVar("AnyServer", bound=ThreadingHTTPServer)
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Gives the answers of each path in turn and repeats the last one; records every request."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, deque[Answer]] = defaultdict(deque)
        self.requests: list[str] = []
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def handle_error(self, *_: object) -> None:
        """Ignore errors: many tests have a client that hangs up."""

    def at(self, path: str, *answers: Answer, login: str = "") -> str:
        """Add answers to a path, and return its address."""
        self.answers[path].extend(answers)
        return f"{self.scheme}://{login}127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        answers = self.server.answers[self.path]
        self.close_connection = True
        (answers.popleft() if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        pass


def reply(data: bytes = DATA, *, status: int = 200, length: int | None = None, **headers: str) -> Answer:
    """Answer with a body, whose Content-Length may be wrong."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data) if length is None else length))
        request.send_header("Connection", "close")
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def status(code: int, **headers: str) -> Answer:
    """Answer with a status and no body."""
    return reply(b"", status=code, **headers)


def cut_chunks(request: BaseHTTPRequestHandler) -> None:
    """Answer with a chunked body whose last chunk ends early."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"%x\r\n%s\r\n" % (1000, DATA[:1000]) + b"%x\r\n" % 1000 + DATA[:10])


def endless_chunks(request: BaseHTTPRequestHandler) -> None:
    """Answer with a chunked body that never ends."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while True:
        request.wfile.write(b"%x\r\n%s\r\n" % (len(DATA), DATA))


def dripping(piece: bytes, every: float, times: int) -> Answer:
    """Answer with a body that comes in pieces, with pauses of `every` seconds."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(DATA)))
        request.end_headers()
        for _ in range(times):
            request.wfile.write(piece)
            time.sleep(every)

    return answer


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    request.connection.shutdown(socket.SHUT_RDWR)


def refused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(server: AnyServer) -> Iterator[AnyServer]:
    """Run a server during the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    """Write a self-signed certificate of 127.0.0.1 that expires in `days` days; return its path and its key's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "latentlab test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def wait_for(url: str, log: Path, seconds: float = 120) -> None:
    """Return once a server answers; fail with the end of its log if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    pytest.fail(f"{url} does not answer: {log.read_text()[-3000:]}")


@contextmanager
def on_all_cores() -> Iterator[None]:
    """Let the processes that the block starts use all cores, and not those of this pytest worker alone.

    This is for servers. Commands stay on the worker's cores, since the number of fits at a time depends on them.
    """
    if CORES is None:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def start_server(command: list[str], folder: Path, env: dict[str, str], url: str) -> subprocess.Popen[bytes]:
    """Start a server as a process in a session of its own, and wait until it answers at `url`."""
    log = folder / "server.log"
    with log.open("ab") as file, on_all_cores():
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True)
    try:
        wait_for(url, log)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process
