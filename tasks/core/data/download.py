"""Downloads of files: pinned by digest, limited in size and time, retried.

pooch checks digests and moves complete files into place, and tenacity repeats what may succeed on retry. The transfer
between them is written here, because neither limits it: no more bytes than were published, one deadline for all
attempts, no redirect from https to http.
"""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.core.data.catalogue import Download
from tasks.core.errors import DataError
from tasks.core.files import file_digest
from tasks.core.types import OnProgress

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)
ATTEMPTS = 5
"""Rounds over all mirrors."""
_READ_BYTES = 1 << 16
_LONGEST_BACKOFF = 30.0  # seconds
_CONNECT_AND_READ_TIMEOUTS = (10, 30)  # seconds


class _TransientError(Exception):
    """A failure that may succeed on retry, after `wait` seconds if the server asks for a pause."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def fetch(archive: Download, folder: Path, *, on_bytes: OnProgress | None = None) -> Path:
    """Return the path of a file to download in `folder`, after a download unless it is there already.

    The mirrors are tried in order. If none succeeds but a failure may be transient (no connection, HTTP 408, 425, 429
    or 5xx, an incomplete transfer), the round is repeated after a pause, `ATTEMPTS` times at most and until
    `archive.seconds` have passed. The pauses grow, and respect the servers' Retry-After.

    Parameters
    ----------
    archive : Download
        Such as an archive of the catalogue. The last part of its first URL is the file's name.
    folder : Path
        Created if it does not exist.
    on_bytes : OnProgress, optional
        Called with the bytes received and the bytes expected, if anybody said how many these are.

    Returns
    -------
    Path
        A file whose digest is the pinned one.

    Raises
    ------
    DataError
        If no mirror gave the pinned bytes (the message lists each mirror's failure), or `folder` cannot be written.
    """
    import tenacity

    name = _file_name(archive.urls[0])
    target = folder / name
    algorithm, digest = archive.pin
    if target.exists():
        if file_digest(target, algorithm) == digest:
            return target
        log.warning("%s is not what was published (%s differs); downloading it again", target, algorithm)
    deadline = time.monotonic() + archive.seconds
    failures: list[str] = []

    def try_mirrors() -> Path:
        failures.clear()
        wait: float | None = None
        for url in archive.urls:
            try:
                return _download(url, archive, target, on_bytes, deadline)
            except _TransientError as error:
                failures.append(f"  {_without_login(url)}: {error}")
                wait = max(wait or 0.0, error.wait)
            except (DataError, ValueError) as error:  # pooch raises ValueError for another digest
                failures.append(f"  {_without_login(url)}: {error}")
        if wait is None:
            raise DataError("")
        raise _TransientError("", wait)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        requested = error.wait if isinstance(error, _TransientError) else 0.0
        return float(max(requested, min(2.0 ** (state.attempt_number - 1), _LONGEST_BACKOFF)))

    def log_failures(state: tenacity.RetryCallState) -> None:
        log.warning("download failed; next attempt in %.0f s:\n%s", state.upcoming_sleep, "\n".join(failures))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TransientError),
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(archive.seconds),
        wait=pause,
        before_sleep=log_failures,
    )
    try:
        return retrying(try_mirrors)
    except (DataError, tenacity.RetryError):
        raise DataError(
            f"{name} could not be downloaded:\n" + "\n".join(failures) + "\n"
            "Try again later, or set dataset.path to a copy that you have"
        ) from None


def _download(url: str, archive: Download, target: Path, on_bytes: OnProgress | None, deadline: float) -> Path:
    """Download from one mirror, and move the file into place once its digest is right."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)

    def downloader(url: str, output_file: str, _: object) -> None:
        _transfer(url, Path(output_file), archive.bytes, on_bytes, deadline)

    try:
        pooch.retrieve(
            url,
            known_hash=":".join(archive.pin),
            fname=target.name,
            path=target.parent,
            downloader=downloader,
        )
    except OSError as error:  # from the disk: failures of the network are a _TransientError or a DataError by now
        raise DataError(f"{target.parent} cannot be written: {error.strerror or error}") from None
    # the file's name is on the disk only once its directory is flushed
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return target


def _transfer(url: str, output: Path, expected_bytes: int | None, on_bytes: OnProgress | None, deadline: float) -> None:
    """Write the content of `url` to `output`: never more than the expected bytes, never past the deadline.

    Without expected bytes, the server says how many there are, if it does.
    """
    import requests
    import urllib3

    class Session(requests.Session):
        # called for each redirect: the place to refuse one that would continue without encryption
        def rebuild_auth(self, prepared: requests.PreparedRequest, response: requests.Response) -> None:
            if urlsplit(response.url).scheme == "https" and urlsplit(str(prepared.url)).scheme != "https":
                raise DataError(f"redirects from https to {_without_login(str(prepared.url))}, which is refused")
            super().rebuild_auth(prepared, response)  # type: ignore[no-untyped-call]

    received = 0
    # many servers declare that a .gz file is compressed for the transfer; its digest is that of the compressed file
    decode = not urlsplit(url).path.endswith(".gz")
    try:
        with Session() as session, _get(session, url) as response, output.open("wb") as file:
            declared = response.headers.get("Content-Length", "")
            if expected_bytes is None and declared.isdecimal() and "Content-Encoding" not in response.headers:
                expected_bytes = int(declared)
            # read1 returns what has arrived, so the deadline is checked even if the server sends a byte at a time
            while chunk := response.raw.read1(_READ_BYTES, decode_content=decode):
                received += len(chunk)
                if expected_bytes is not None and received > expected_bytes:
                    raise DataError(f"sends more than the {expected_bytes:,} bytes that were published")
                if time.monotonic() > deadline:
                    size = "" if expected_bytes is None else f" of {expected_bytes:,}"
                    raise DataError(f"too slow: {received:,}{size} bytes received before the deadline")
                file.write(chunk)
                if on_bytes and expected_bytes is not None:
                    on_bytes(received, expected_bytes)
            file.flush()
            os.fsync(file.fileno())
    except urllib3.exceptions.HTTPError as error:
        raise _TransientError(_reason(error)) from None
    if expected_bytes is not None and received < expected_bytes:
        raise _TransientError(f"ended after {received:,} of {expected_bytes:,} bytes")


def _get(session: "requests.Session", url: str) -> "requests.Response":
    """Send a GET request and return the response, its body unread."""
    import requests

    try:
        response = session.get(
            url, stream=True, timeout=_CONNECT_AND_READ_TIMEOUTS, headers={"Accept-Encoding": "identity"}
        )
    except requests.exceptions.SSLError as error:
        raise DataError(f"its certificate is not accepted: {_reason(error)}") from None
    except ValueError:  # InvalidURL, MissingSchema and InvalidSchema of requests
        raise DataError("is not the address of a file; expected http(s)://HOST/.../FILE") from None
    except requests.RequestException as error:
        raise _TransientError(_reason(error)) from None
    except OSError as error:  # a missing certificate bundle
        raise DataError(str(error)) from None
    if response.status_code in {408, 425, 429} or response.status_code >= 500:
        raise _TransientError(f"HTTP {response.status_code} {response.reason}", _retry_after(response.headers))
    if response.status_code != 200:
        raise DataError(f"HTTP {response.status_code} {response.reason}")
    return response


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the pause that the server asks for, in seconds; 0 if there is none or it is a date."""
    value = headers.get("Retry-After") or "0"
    return float(value) if value.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    """Return the innermost cause: urllib3 and requests each wrap the errors of the layer below."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    inner = getattr(error, "reason", None)
    return str(inner or error).split(">: ")[-1].rstrip(")'\"")


def _file_name(url: str) -> str:
    name = Path(urlsplit(url).path).name
    if name in {"", ".."}:
        raise DataError(f"the address {_without_login(url)} names no file; expected http(s)://HOST/.../FILE")
    return name


def _without_login(url: str) -> str:
    """Return the address without user name and password, for messages."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
