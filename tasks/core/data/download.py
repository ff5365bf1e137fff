"""Downloads of archives: pinned, capped in size and time, retried."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.core.data.catalogue import Archive
from tasks.core.errors import DataError
from tasks.core.files import file_digest

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)
ATTEMPTS = 5
_CHUNK = 1 << 16
OnBytes = Callable[[int, int], None]
"""Called with the bytes received so far and the bytes expected."""


class _Passing(Exception):
    """A failure that may be over the next time; `wait` is what the server asked for, in seconds."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def fetch(archive: Archive, folder: Path, *, on_bytes: OnBytes | None = None) -> Path:
    """The archive in `folder`, downloaded unless its bytes are there already.

    The mirrors are tried in order; the round is repeated, with growing pauses, after failures that may
    pass (no connection, 408, 425, 429, 5xx, a broken transfer), until `archive.seconds` are over.

    Raises
    ------
    DataError
        No mirror gave the pinned bytes; the message lists what each did.
    """
    import tenacity

    name = _file_name(archive.urls[0])
    target = folder / name
    algorithm, digest = archive.pin
    if target.exists():
        if file_digest(target, algorithm) == digest:
            return target
        log.warning("%s is not what was published (%s differs); downloading it again", target, algorithm)
    end = time.monotonic() + archive.seconds
    failures: list[str] = []

    def one_round() -> Path:
        failures.clear()
        wait: float | None = None
        for url in archive.urls:
            try:
                return _from_mirror(url, archive, target, on_bytes, end)
            except _Passing as error:
                failures.append(f"  {_shown(url)}: {error}")
                wait = max(wait or 0.0, error.wait)
            except (DataError, ValueError) as error:
                failures.append(f"  {_shown(url)}: {error}")
        if wait is None:
            raise DataError("")
        raise _Passing("", wait)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, _Passing) else 0.0
        return float(max(asked, min(2.0 ** (state.attempt_number - 1), 30.0)))

    def tell(state: tenacity.RetryCallState) -> None:
        log.warning("download failed, next try in %.0f s:\n%s", state.upcoming_sleep, "\n".join(failures))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_Passing),
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(archive.seconds),
        wait=pause,
        before_sleep=tell,
    )
    try:
        return retrying(one_round)
    except (DataError, tenacity.RetryError):
        raise DataError(
            f"{name} could not be downloaded:\n" + "\n".join(failures) + "\n"
            "Try again later, or set dataset.path to a copy that you have"
        ) from None


def _from_mirror(url: str, archive: Archive, target: Path, on_bytes: OnBytes | None, end: float) -> Path:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)

    def transfer(url: str, output_file: str, _: object) -> None:
        _transfer(url, Path(output_file), archive.bytes, on_bytes, end)

    try:
        pooch.retrieve(
            url,
            known_hash=":".join(archive.pin),
            fname=target.name,
            path=target.parent,
            downloader=transfer,
        )
    except OSError as error:  # the disk; what the network does is a _Passing or a DataError by now
        raise DataError(f"{target.parent} cannot be written: {error.strerror or error}") from None
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return target


def _transfer(url: str, output: Path, expected: int, on_bytes: OnBytes | None, end: float) -> None:
    """Write what `url` gives to `output`: never more than `expected` bytes, never past `end`."""
    import requests
    import urllib3

    class Session(requests.Session):
        def rebuild_auth(self, prepared: requests.PreparedRequest, response: requests.Response) -> None:
            if urlsplit(response.url).scheme == "https" and urlsplit(str(prepared.url)).scheme != "https":
                raise DataError(f"redirects from https to {_shown(str(prepared.url))}, which is refused")
            super().rebuild_auth(prepared, response)  # type: ignore[no-untyped-call]

    received = 0
    try:
        with Session() as session, _asked(session, url) as response, output.open("wb") as file:
            # read1 returns what has arrived, so that the clock is looked at however slowly it comes
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                received += len(chunk)
                if received > expected:
                    raise DataError(f"sends more than the {expected:,} bytes that were published")
                if time.monotonic() > end:
                    raise DataError(f"too slow: {received:,} of {expected:,} bytes when the time was over")
                file.write(chunk)
                if on_bytes:
                    on_bytes(received, expected)
            file.flush()
            os.fsync(file.fileno())
    except urllib3.exceptions.HTTPError as error:
        raise _Passing(_reason(error)) from None
    if received < expected:
        raise _Passing(f"ended after {received:,} of {expected:,} bytes")


def _asked(session: "requests.Session", url: str) -> "requests.Response":
    """The response to a GET, whose body is still to be read."""
    import requests

    try:
        response = session.get(url, stream=True, timeout=(10, 30), headers={"Accept-Encoding": "identity"})
    except requests.exceptions.SSLError as error:
        raise DataError(f"its certificate is not accepted: {_reason(error)}") from None
    except ValueError:  # of requests' own: InvalidURL, MissingSchema, InvalidSchema
        raise DataError("is not the address of a file; expected http(s)://HOST/.../FILE") from None
    except requests.RequestException as error:
        raise _Passing(_reason(error)) from None
    except OSError as error:  # a bundle of certificates that is not there
        raise DataError(str(error)) from None
    if response.status_code in {408, 425, 429} or response.status_code >= 500:
        raise _Passing(f"HTTP {response.status_code} {response.reason}", _retry_after(response.headers))
    if response.status_code != 200:
        raise DataError(f"HTTP {response.status_code} {response.reason}")
    return response


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After") or "0"
    return float(value) if value.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    """The innermost cause, without the wrapping of three libraries."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    inner = getattr(error, "reason", None)
    return str(inner or error).split(">: ")[-1].rstrip(")'\"")


def _file_name(url: str) -> str:
    name = Path(urlsplit(url).path).name
    if name in {"", ".."}:
        raise DataError(f"the address {_shown(url)} names no file; expected http(s)://HOST/.../FILE")
    return name


def _shown(url: str) -> str:
    """The address without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
