"""The real downloader against a real server on loopback that misbehaves on demand."""

import hashlib
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
import yaml

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.catalogue import Archive, entry
from tasks.core.data.download import ATTEMPTS, fetch
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import file_sha256
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

REMEDY = "Try again later, or set dataset.path to a copy that you have"


def archive(*urls: str, data: bytes = DATA, seconds: float = 600) -> Archive:
    return Archive(urls=urls, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), seconds=seconds)


def by_md5(*urls: str, data: bytes = DATA) -> Archive:
    return Archive(urls=urls, bytes=len(data), md5=hashlib.md5(data).hexdigest())


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no certificates but those of the test."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LATENTLAB_CATALOGUE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which are noted in place of waiting."""
    noted: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=noted.append))
    return noted


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as started:
        yield started


@pytest.fixture
def secure(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Server]]:
    """Starts HTTPS servers; `trusted` ones through REQUESTS_CA_BUNDLE."""
    with ExitStack() as running:

        def start(*, days: int = 1, trusted: bool = True) -> Server:
            tls = certificate(tmp_path_factory.mktemp("certificate"), days)
            if trusted:
                monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[0]))
            return running.enter_context(serving(Server(tls)))

        yield start


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_whole_download_has_the_pinned_digest_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = archive(server.at("/data/a.zip", reply()))
    path = fetch(found, tmp_path / "datasets", on_bytes=lambda *counts: told.append(counts))
    assert file_sha256(path) == found.sha256
    assert left_in(tmp_path / "datasets") == ["a.zip"]
    assert told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_second_call_makes_no_request_even_without_a_server(server: Server, tmp_path: Path) -> None:
    found = archive(server.at("/a.zip", reply()))
    first = fetch(found, tmp_path)
    assert fetch(found, tmp_path) == first
    assert server.requests == ["/a.zip"]
    offline = archive(f"http://127.0.0.1:{refused_port()}/a.zip")
    assert fetch(offline, tmp_path) == first


@pytest.mark.parametrize("damaged", [DATA[:-1], b"", bytes([DATA[0] ^ 1]) + DATA[1:], DATA + b"x"])
def test_a_damaged_file_is_downloaded_again(server: Server, tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(damaged)
    path = fetch(archive(server.at("/a.zip", reply())), tmp_path)
    assert path.read_bytes() == DATA
    assert left_in(tmp_path) == ["a.zip"]


def test_a_damaged_file_that_cannot_be_replaced_is_an_error(
    server: Server, tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "a.zip").write_bytes(DATA[:-1])
    with pytest.raises(DataError, match="HTTP 404"):
        fetch(archive(server.at("/a.zip", status(404))), tmp_path)


def test_an_archive_may_be_pinned_by_md5(server: Server, tmp_path: Path) -> None:
    found = by_md5(server.at("/a.zip", reply()))
    path = fetch(found, tmp_path)
    assert path.read_bytes() == DATA
    assert fetch(found, tmp_path) == path
    assert server.requests == ["/a.zip"]


def test_another_md5_is_downloaded_again_and_refused(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = DATA[::-1]
    (tmp_path / "a.zip").write_bytes(other)
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(by_md5(server.at("/a.zip", reply(other))), tmp_path)
    assert "md5 differs" in caplog.text
    assert server.requests == ["/a.zip"]


@pytest.mark.parametrize(
    "passing",
    [
        *(pytest.param(status(code), id=str(code)) for code in (408, 425, 429, 500, 502, 503, 504)),
        pytest.param(hang_up, id="hangs up"),
        pytest.param(reply(DATA[:1000], length=len(DATA)), id="short body"),
        pytest.param(reply(DATA[:1000]), id="short file"),
        pytest.param(cut_chunks, id="cut chunks"),
        pytest.param(reply(DATA, Content_Encoding="gzip"), id="not the gzip it says"),
    ],
)
def test_what_may_pass_is_tried_again(server: Server, tmp_path: Path, pauses: list[float], passing: Answer) -> None:
    path = fetch(archive(server.at("/a.zip", passing, passing, reply())), tmp_path)
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
def test_what_does_not_pass_is_an_error_after_a_few_tries(
    server: Server, tmp_path: Path, pauses: list[float], answer: Answer, reason: str
) -> None:
    url = server.at("/a.zip", answer)
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    name, what, remedy = str(raised.value).splitlines()
    assert name == "a.zip could not be downloaded:"
    assert what.startswith(f"  {url}: ")
    assert reason in what
    assert remedy == REMEDY
    assert len(server.requests) == ATTEMPTS
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        *((status(code), f"HTTP {code}") for code in (204, 206, 400, 401, 403, 404, 410)),
        (reply(DATA[::-1]), "does not match the known hash"),
        (reply(DATA + b"x"), "sends more than the 200,000 bytes that were published"),
        (endless_chunks, "sends more than the 200,000 bytes that were published"),
    ],
)
def test_what_cannot_pass_is_asked_once_and_leaves_nothing(
    server: Server, tmp_path: Path, pauses: list[float], answer: Answer, reason: str
) -> None:
    url = server.at("/a.zip", answer)
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert f"  {url}: " in str(raised.value)
    assert reason in str(raised.value)
    assert str(raised.value).endswith(REMEDY)
    assert server.requests == ["/a.zip"]
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_waited_for(server: Server, tmp_path: Path, pauses: list[float], code: int) -> None:
    fetch(archive(server.at("/a.zip", status(code, Retry_After="17"), reply())), tmp_path)
    assert pauses == [17.0]


@pytest.mark.parametrize("value", ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_of_seconds_is_passed_over(
    server: Server, tmp_path: Path, pauses: list[float], value: str
) -> None:
    fetch(archive(server.at("/a.zip", status(429, Retry_After=value), reply())), tmp_path)
    assert pauses == [1.0]


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(
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


def test_the_message_lists_what_each_mirror_did(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    gone, wrong = server.at("/1/a.zip", status(404)), server.at("/2/a.zip", reply(DATA[::-1]))
    refused = f"http://127.0.0.1:{refused_port()}/a.zip"
    with pytest.raises(DataError) as raised:
        fetch(archive(gone, wrong, refused), tmp_path)
    _, *failures, remedy = str(raised.value).splitlines()
    expected = [(gone, "HTTP 404"), (wrong, "known hash"), (refused, "Connection refused")]
    assert [url in line and reason in line for line, (url, reason) in zip(failures, expected, strict=True)] == [
        True
    ] * 3
    assert remedy == REMEDY


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(DATA[:70_000], id="more than a read at a time"),
        pytest.param(
            b"x",
            id="a byte at a time",
        ),
    ],
)
def test_a_slow_server_is_left_at_the_deadline(server: Server, tmp_path: Path, slow: bytes) -> None:
    url = server.at("/a.zip", dripping(slow, every=0.2, times=15))
    started = time.monotonic()
    with pytest.raises(DataError, match=r"too slow: [\d,]+ of 200,000 bytes"):
        fetch(archive(url, seconds=0.3), tmp_path)
    assert time.monotonic() - started < 2
    assert left_in(tmp_path) == []


def test_a_refused_connection_is_tried_again_then_told(tmp_path: Path, pauses: list[float]) -> None:
    url = f"http://127.0.0.1:{refused_port()}/a.zip"
    with pytest.raises(DataError) as raised:
        fetch(archive(url), tmp_path)
    assert f"  {url}: " in str(raised.value)
    assert "Connection refused" in str(raised.value)
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("days", "trusted", "reason"), [(1, False, "self-signed certificate"), (-1, True, "certificate has expired")]
)
def test_a_certificate_that_is_not_good_is_refused_at_once(
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


def test_requests_ca_bundle_is_trusted(secure: Callable[..., Server], tmp_path: Path) -> None:
    path = fetch(archive(secure().at("/a.zip", reply())), tmp_path)
    assert path.read_bytes() == DATA


def test_a_ca_bundle_that_is_not_there_is_named_and_the_folder_is_not_blamed(
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


def test_a_circle_of_redirects_ends(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    url = server.at("/a.zip", status(302, Location="/a.zip"))
    with pytest.raises(DataError, match="redirects"):
        fetch(archive(url), tmp_path)


@pytest.mark.parametrize("answer", [status(404), status(503), reply(DATA[::-1]), hang_up])
def test_no_message_shows_a_password(
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
def test_an_address_that_cannot_be_asked_is_told_at_once_without_its_password(
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


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=r"file/datasets cannot be written: Not a directory"):
        fetch(archive(server.at("/a.zip", reply())), tmp_path / "file" / "datasets")


def test_a_disk_that_is_full_is_told_once(
    server: Server, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        fetch(archive(server.at("/a.zip", reply())), tmp_path)
    assert server.requests == ["/a.zip"]
    assert left_in(tmp_path) == []


def test_two_at_once_both_get_the_file(server: Server, tmp_path: Path) -> None:
    found = archive(server.at("/a.zip", reply()))
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(found, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [tmp_path / "a.zip"] * 4
    assert paths[0].read_bytes() == DATA
    assert left_in(tmp_path) == ["a.zip"]


@pytest.fixture
def own(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A catalogue of one data set, served as a zip over loopback."""
    content = b"1::10::5::100\n2::10::4::101\n2::11::3::102\n"
    with zipfile.ZipFile(tmp_path / "own.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("own/ratings.dat", content)
        zipped.writestr("own/movies.dat", "10::First (1990)\n11::Second (1991)\n")
    data = (tmp_path / "own.zip").read_bytes()
    known: dict[str, Any] = {
        "title": "Our own",
        "licence": "ours",
        "users": 2,
        "items": 2,
        "rows": 3,
        "archive": archive(server.at("/own.zip", reply(data)), data=data).model_dump(mode="json"),
        "ratings": {
            "member": "own/ratings.dat",
            "sha256": hashlib.sha256(content).hexdigest(),
            "separator": "::",
            "columns": {"user": 0, "item": 1, "rating": 2, "timestamp": 3},
        },
        "titles": {"member": "own/movies.dat", "separator": "::"},
    }
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump({"our-own": known}))
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(tmp_path / "catalogue.yaml"))
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    return known


def test_a_catalogue_of_ones_own_is_downloaded_and_read(own: dict[str, Any], server: Server, tmp_path: Path) -> None:
    config = DatasetConfig(name="our-own")
    located = locate(config)
    assert located.path == str(tmp_path / "home/datasets/own.zip")
    assert located.sha256 == own["ratings"]["sha256"]
    ratings = read_ratings(config, located)
    assert ratings.frame["rating"].tolist() == [5, 4, 3]
    assert ratings.frame["user"].tolist() == [1, 2, 2]
    assert ratings.titles == {10: "First (1990)", 11: "Second (1991)"}
    assert locate(config) == located
    assert server.requests == ["/own.zip"]


RATED = "userId,movieId,rating,timestamp\n1,11,4.0,944249077\n2,1,0.5,944250228\n"
MOVIES = '''\
movieId,title,genres
1,Toy Story (1995),Adventure|Animation
11,"American President, The (1995)",Comedy
99,"""Great Performances"" Cats (1998)",Musical
'''


def test_the_form_of_the_larger_movielens(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "ml-32m.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("ml-32m/ratings.csv", RATED)
        zipped.writestr("ml-32m/movies.csv", MOVIES)
    data = (tmp_path / "ml-32m.zip").read_bytes()
    published = entry("movielens-32m").model_dump(mode="json")
    served = by_md5(server.at("/ml-32m.zip", reply(data)), data=data).model_dump(mode="json")
    known = published | {"users": 2, "items": 2, "rows": 2, "archive": served}
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump({"movielens-32m": known}))
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(tmp_path / "catalogue.yaml"))
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    config = DatasetConfig(name="movielens-32m")
    ratings = read_ratings(config, locate(config))
    assert ratings.frame.to_dict("list") == {
        "user": [1, 2],
        "item": [11, 1],
        "rating": [4.0, 0.5],
        "timestamp": [944249077.0, 944250228.0],
    }
    assert ratings.titles == {
        1: "Toy Story (1995)",
        11: "American President, The (1995)",
        99: '"Great Performances" Cats (1998)',
    }
    copy = tmp_path / "copy.zip"
    copy.write_bytes(data)
    whole = DatasetConfig(name="movielens-32m", path=str(copy))
    assert read_ratings(whole, locate(whole)).frame.equals(ratings.frame)
    with zipfile.ZipFile(copy, "a") as zipped:
        zipped.writestr("ml-32m/more.txt", "as many ratings, and yet not what was published")
    with pytest.raises(DataError, match=r"its md5 is .* was published; .* the folder that it unpacks to"):
        locate(whole)
