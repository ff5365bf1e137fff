"""Downloads from a real server on the loopback interface that misbehaves on demand."""

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import tenacity

from tasks.core.data.catalogue import Archive
from tasks.core.data.download import ATTEMPTS, fetch
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import file_sha256
from tests.core.data.helpers import archive_of_md5
from tests.serving import (
    DATA,
    Answer,
    Server,
    certificate,
    cut_chunks,
    dripping,
    endless_chunks,
    hang_up,
    refused_port,
    reply,
    serving,
    status,
)

pytestmark = pytest.mark.usefixtures("direct_connections")
REMEDY = "Try again later, or set dataset.path to a copy that you have"


def archive(*urls: str, seconds: float = 600) -> Archive:
    return Archive(urls=urls, bytes=len(DATA), sha256=hashlib.sha256(DATA).hexdigest(), seconds=seconds)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which are recorded and not waited for."""
    recorded: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=recorded.append))
    return recorded


@pytest.fixture
def secure(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Server]]:
    """Start HTTPS servers, whose certificate is in REQUESTS_CA_BUNDLE if `trusted`."""
    with ExitStack() as stack:

        def start(*, days: int = 1, trusted: bool = True) -> Server:
            tls = certificate(tmp_path_factory.mktemp("certificate"), days)
            if trusted:
                monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[0]))
            return stack.enter_context(serving(Server(tls)))

        yield start


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_complete_download_has_the_pinned_digest_and_leaves_no_other_file(server: Server, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    pinned = archive(server.at("/data/a.zip", reply()))
    path = fetch(pinned, tmp_path / "datasets", on_bytes=lambda *counts: progress.append(counts))
    assert file_sha256(path) == pinned.sha256
    assert files_in(tmp_path / "datasets") == ["a.zip"]
    assert progress[-1] == (len(DATA), len(DATA))
    assert [received for received, _ in progress] == sorted({received for received, _ in progress})


def test_a_second_call_needs_no_server(server: Server, tmp_path: Path) -> None:
    pinned = archive(server.at("/a.zip", reply()))
    first = fetch(pinned, tmp_path)
    assert fetch(pinned, tmp_path) == first
    assert server.requests == ["/a.zip"]
    offline = archive(f"http://127.0.0.1:{refused_port()}/a.zip")
    assert fetch(offline, tmp_path) == first


@pytest.mark.parametrize("damaged", [DATA[:-1], b"", bytes([DATA[0] ^ 1]) + DATA[1:], DATA + b"x"])
def test_a_damaged_file_is_downloaded_again(server: Server, tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(damaged)
    path = fetch(archive(server.at("/a.zip", reply())), tmp_path)
    assert path.read_bytes() == DATA
    assert files_in(tmp_path) == ["a.zip"]


def test_a_damaged_file_that_cannot_be_replaced_is_an_error(
    server: Server, tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "a.zip").write_bytes(DATA[:-1])
    with pytest.raises(DataError, match="HTTP 404"):
        fetch(archive(server.at("/a.zip", status(404))), tmp_path)


def test_an_archive_may_be_pinned_by_md5(server: Server, tmp_path: Path) -> None:
    pinned = archive_of_md5(server.at("/a.zip", reply()), data=DATA)
    path = fetch(pinned, tmp_path)
    assert path.read_bytes() == DATA
    assert fetch(pinned, tmp_path) == path
    assert server.requests == ["/a.zip"]


def test_a_file_with_another_md5_is_downloaded_again_and_refused(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    altered = DATA[::-1]
    (tmp_path / "a.zip").write_bytes(altered)
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(archive_of_md5(server.at("/a.zip", reply(altered)), data=DATA), tmp_path)
    assert "md5 differs" in caplog.text
    assert server.requests == ["/a.zip"]


@pytest.mark.parametrize(
    "failure",
    [
        *(pytest.param(status(code), id=str(code)) for code in (408, 425, 429, 500, 502, 503, 504)),
        pytest.param(hang_up, id="hangs up"),
        pytest.param(reply(DATA[:1000], length=len(DATA)), id="short body"),
        pytest.param(reply(DATA[:1000]), id="short file"),
        pytest.param(cut_chunks, id="cut chunks"),
        pytest.param(reply(DATA, Content_Encoding="gzip"), id="claims gzip"),
    ],
)
def test_a_transient_failure_is_retried(server: Server, tmp_path: Path, pauses: list[float], failure: Answer) -> None:
    path = fetch(archive(server.at("/a.zip", failure, failure, reply())), tmp_path)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 3
    assert pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(status(503), "HTTP 503 Service Unavailable", id="503"),
        pytest.param(reply(DATA[:1000]), "ended after 1,000 of 200,000 bytes", id="short file"),
        pytest.param(reply(DATA[:1000], length=len(DATA)), "1000 bytes read", id="short body"),
        pytest.param(cut_chunks, "IncompleteRead", id="cut chunks"),
        pytest.param(hang_up, "Remote end closed connection", id="hangs up"),
    ],
)
def test_a_transient_failure_that_persists_is_an_error_after_all_attempts(
    server: Server, tmp_path: Path, pauses: list[float], answer: Answer, reason: str
) -> None:
    url = server.at("/a.zip", answer)
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    heading, failure, remedy = str(raised.value).splitlines()
    assert heading == "a.zip could not be downloaded:"
    assert failure.startswith(f"  {url}: ")
    assert reason in failure
    assert remedy == REMEDY
    assert len(server.requests) == ATTEMPTS
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        *((status(code), f"HTTP {code}") for code in (204, 206, 400, 401, 403, 404, 410)),
        (reply(DATA[::-1]), "does not match the known hash"),
        (reply(DATA + b"x"), "sends more than the 200,000 bytes that were published"),
        (endless_chunks, "sends more than the 200,000 bytes that were published"),
    ],
)
def test_a_permanent_failure_is_not_retried_and_leaves_no_file(
    server: Server, tmp_path: Path, pauses: list[float], answer: Answer, reason: str
) -> None:
    url = server.at("/a.zip", answer)
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert f"  {url}: " in str(raised.value)
    assert reason in str(raised.value)
    assert str(raised.value).endswith(REMEDY)
    assert server.requests == ["/a.zip"]
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("code", [429, 503])
def test_the_pause_is_that_of_retry_after(server: Server, tmp_path: Path, pauses: list[float], code: int) -> None:
    fetch(archive(server.at("/a.zip", status(code, Retry_After="17"), reply())), tmp_path)
    assert pauses == [17.0]


@pytest.mark.parametrize("value", ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(
    server: Server, tmp_path: Path, pauses: list[float], value: str
) -> None:
    fetch(archive(server.at("/a.zip", status(429, Retry_After=value), reply())), tmp_path)
    assert pauses == [1.0]


def test_a_retry_after_beyond_the_deadline_ends_the_attempts(
    server: Server, tmp_path: Path, pauses: list[float]
) -> None:
    with pytest.raises(DataError, match="HTTP 429"):
        fetch(archive(server.at("/a.zip", status(429, Retry_After="3600")), seconds=60), tmp_path)
    assert pauses == []
    assert len(server.requests) == 1


def test_mirrors_are_tried_in_order(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    first, second = server.at("/1/a.zip", status(404)), server.at("/2/a.zip", reply(DATA[::-1]))
    third, fourth = server.at("/3/a.zip", reply()), server.at("/4/a.zip", reply())
    path = fetch(archive(first, second, third, fourth), tmp_path)
    assert path.read_bytes() == DATA
    assert server.requests == ["/1/a.zip", "/2/a.zip", "/3/a.zip"]
    assert pauses == []


def test_a_round_is_repeated_while_one_mirror_may_recover(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    gone, busy = server.at("/1/a.zip", status(404)), server.at("/2/a.zip", status(503), reply())
    fetch(archive(gone, busy), tmp_path)
    assert server.requests == ["/1/a.zip", "/2/a.zip"] * 2


def test_the_message_lists_the_failure_of_each_mirror(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    gone, altered = server.at("/1/a.zip", status(404)), server.at("/2/a.zip", reply(DATA[::-1]))
    refused = f"http://127.0.0.1:{refused_port()}/a.zip"
    with pytest.raises(DataError) as raised:
        fetch(archive(gone, altered, refused), tmp_path)
    _, *failures, remedy = str(raised.value).splitlines()
    expected = [(gone, "HTTP 404"), (altered, "known hash"), (refused, "Connection refused")]
    assert [url in line and reason in line for line, (url, reason) in zip(failures, expected, strict=True)] == [
        True
    ] * 3
    assert remedy == REMEDY


@pytest.mark.parametrize(
    "piece", [pytest.param(DATA[:70_000], id="more than one read"), pytest.param(b"x", id="a byte at a time")]
)
def test_a_slow_download_ends_at_the_deadline(server: Server, tmp_path: Path, piece: bytes) -> None:
    url = server.at("/a.zip", dripping(piece, every=0.2, times=15))
    started = time.monotonic()
    with pytest.raises(DataError, match=r"too slow: [\d,]+ of 200,000 bytes received before the deadline"):
        fetch(archive(url, seconds=0.3), tmp_path)
    assert time.monotonic() - started < 2
    assert files_in(tmp_path) == []


def test_a_refused_connection_is_retried_then_reported(tmp_path: Path, pauses: list[float]) -> None:
    url = f"http://127.0.0.1:{refused_port()}/a.zip"
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert f"  {url}: " in str(raised.value)
    assert "Connection refused" in str(raised.value)
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("days", "trusted", "reason"), [(1, False, "self-signed certificate"), (-1, True, "certificate has expired")]
)
def test_an_invalid_certificate_is_refused_without_a_retry(
    secure: Callable[..., Server],
    tmp_path: Path,
    pauses: list[float],
    days: int,
    trusted: bool,
    reason: str,
) -> None:
    server = secure(days=days, trusted=trusted)
    url = server.at("/a.zip", reply())
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert f"{url}: its certificate is not accepted" in str(raised.value)
    assert reason in str(raised.value)
    assert (server.requests, pauses) == ([], [])


def test_certificates_in_requests_ca_bundle_are_trusted(secure: Callable[..., Server], tmp_path: Path) -> None:
    path = fetch(archive(secure().at("/a.zip", reply())), tmp_path)
    assert path.read_bytes() == DATA


def test_a_missing_ca_bundle_is_named_and_the_folder_is_not_blamed(
    secure: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = secure().at("/a.zip", reply())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    with pytest.raises(DataError, match=r"absent\.pem") as raised:
        fetch(archive(url), tmp_path / "datasets")
    assert "cannot be written" not in str(raised.value)


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    target = server.at("/there/b.zip", reply())
    path = fetch(archive(server.at("/a.zip", status(302, Location=target))), tmp_path)
    assert (path.name, path.read_bytes()) == ("a.zip", DATA)


def test_a_redirect_from_https_to_http_is_refused(
    secure: Callable[..., Server], server: Server, tmp_path: Path, pauses: list[float]
) -> None:
    plain = server.at("/b.zip", reply(), login="someone:hunter2@")
    url = secure().at("/a.zip", status(302, Location=plain))
    with pytest.raises(DataError, match="redirects from https to http") as raised:
        fetch(archive(url), tmp_path)
    assert server.requests == []
    assert "hunter2" not in str(raised.value)


def test_a_cycle_of_redirects_is_an_error(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    url = server.at("/a.zip", status(302, Location="/a.zip"))
    with pytest.raises(DataError, match="redirects"):
        fetch(archive(url), tmp_path)


@pytest.mark.parametrize("answer", [status(404), status(503), reply(DATA[::-1]), hang_up])
def test_messages_contain_no_password(
    server: Server, tmp_path: Path, pauses: list[float], caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    url = server.at("/a.zip", answer, login="someone:hunter2@")
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert url.replace("someone:hunter2@", "") in str(raised.value)
    assert "hunter2" not in str(raised.value) + caplog.text


@pytest.mark.parametrize(
    "url", ["ftp://someone:hunter2@127.0.0.1/a.zip", "http://someone:hunter2@127.0.0.1:port/a.zip", "a.zip"]
)
def test_an_invalid_address_is_reported_without_a_retry_and_without_its_password(
    tmp_path: Path, pauses: list[float], url: str
) -> None:
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert "hunter2" not in str(raised.value)
    assert pauses == []


@pytest.mark.parametrize("path", ["", "/", "/.."])
def test_an_address_without_a_file_name_is_refused(server: Server, tmp_path: Path, path: str) -> None:
    with pytest.raises((ConfigError, DataError)):
        fetch(archive(f"http://127.0.0.1:{server.server_port}{path}"), tmp_path)


def test_a_folder_that_cannot_be_created_is_named(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=r"file/datasets cannot be written: Not a directory"):
        fetch(archive(server.at("/a.zip", reply())), tmp_path / "file" / "datasets")


def test_a_full_disk_is_reported_without_a_retry(
    server: Server, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        fetch(archive(server.at("/a.zip", reply())), tmp_path)
    assert server.requests == ["/a.zip"]
    assert files_in(tmp_path) == []


def test_concurrent_downloads_all_get_the_file(server: Server, tmp_path: Path) -> None:
    pinned = archive(server.at("/a.zip", reply()))
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(pinned, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [tmp_path / "a.zip"] * 4
    assert paths[0].read_bytes() == DATA
    assert files_in(tmp_path) == ["a.zip"]
