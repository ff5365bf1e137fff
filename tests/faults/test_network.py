"""Downloads by the real command from a server that misbehaves."""

import io
import shutil
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.workspace import (
    ARCHIVE,
    GOOD,
    MEMBER,
    Digests,
    Workspace,
    kill,
    one_line,
    ratings,
    wait_until,
    zipped,
)
from tests.serving import Server, certificate, cut_chunks, dripping, hang_up, refused_port, reply, serving, status


def test_a_transient_failure_is_retried(workspace: Workspace, expected: Digests) -> None:
    workspace.serve(status(503), status(429, Retry_After="2"), hang_up, reply(GOOD))
    workspace.completes(expected)
    assert len(workspace.server.requests) == 4


def test_a_lasting_failure_is_reported_and_the_same_command_completes_later(
    workspace: Workspace, expected: Digests, tmp_path: Path
) -> None:
    expired = certificate(tmp_path, days=-1)
    with serving(Server(expired)) as expired_server:
        workspace.env["REQUESTS_CA_BUNDLE"] = str(expired[0])
        unreachable = f"http://127.0.0.1:{refused_port()}/{ARCHIVE}"
        distrusted = expired_server.at(f"/{ARCHIVE}", reply(GOOD))
        advice = "or set dataset.path to a copy that you have"
        faults: list[tuple[Callable[[], object], str]] = [
            (lambda: workspace.set_urls(unreachable, seconds=2), "Connection refused"),
            (lambda: workspace.serve(status(404)), "HTTP 404"),
            (lambda: workspace.serve(status(503), seconds=2), "HTTP 503"),
            (lambda: workspace.serve(reply(GOOD[:500], length=len(GOOD)), seconds=2), "bytes read"),
            (lambda: workspace.serve(cut_chunks, seconds=2), "IncompleteRead"),
            (lambda: workspace.serve(reply(b"x" * len(GOOD))), "does not match the known hash"),
            (lambda: workspace.serve(dripping(b"x", 1.0, 30), seconds=2), "too slow"),
            (lambda: workspace.set_urls(distrusted, seconds=2), "its certificate is not accepted"),
        ]
        for arrange, reason in faults:
            arrange()
            workspace.fails(3, reason, f"{ARCHIVE} could not be downloaded", advice)
            assert list((workspace.home / "datasets").glob("*")) == [], reason
        assert expired_server.requests == []
    del workspace.env["REQUESTS_CA_BUNDLE"]
    workspace.serve(reply(GOOD))
    workspace.completes(expected)


def test_a_redirect_from_https_to_http_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    valid = certificate(tmp_path, days=1)
    workspace.env["REQUESTS_CA_BUNDLE"] = str(valid[0])
    plain = workspace.server.at("/plain.zip", reply(GOOD))
    with serving(Server(valid)) as secure:
        workspace.set_urls(secure.at(f"/{ARCHIVE}", status(302, Location=plain)))
        workspace.fails(3, "redirects from https to http", "which is refused")
    assert workspace.server.requests == []


def test_a_kill_during_a_download_leaves_no_archive(workspace: Workspace, expected: Digests) -> None:
    workspace.serve(dripping(GOOD[:100], 0.2, 100))
    process = workspace.start()
    wait_until(lambda: list((workspace.home / "datasets").glob("*")), process)
    time.sleep(0.5)
    kill(process)
    assert not (workspace.home / "datasets" / ARCHIVE).exists()
    workspace.serve(reply(GOOD))
    workspace.completes(expected)


def test_a_cached_archive_needs_no_network_unless_it_is_damaged(workspace: Workspace, expected: Digests) -> None:
    workspace.completes(expected)
    cached = workspace.home / "datasets" / ARCHIVE
    shutil.rmtree(workspace.home / "interactions")
    workspace.set_urls(f"http://127.0.0.1:{refused_port()}/{ARCHIVE}", seconds=2)
    workspace.completes(expected)
    content = bytearray(cached.read_bytes())
    content[100] ^= 1
    cached.write_bytes(content)
    complete = workspace.complete_files()
    done = workspace.run("run", "config.yaml", "--set", "replicates=1")
    assert done.returncode == 3
    assert "is not what was published (sha256 differs); downloading it again" in one_line(done.stderr)
    assert "Connection refused" in done.stderr
    assert workspace.complete_files() == complete
    workspace.serve(reply(GOOD))
    workspace.completes(expected)
    assert cached.read_bytes() == GOOD


def linked() -> bytes:
    """Return a zip whose member is a symbolic link."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo(MEMBER)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "../../../../etc/passwd")
    return content.getvalue()


def duplicated() -> bytes:
    """Return a zip with two members of the expected name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(MEMBER, ratings())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(MEMBER, b"other")
    return content.getvalue()


def bomb_of_false_size() -> bytes:
    """Return a zip of a gigabyte of zeros that claims the size of the ratings."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(MEMBER, "w") as member:
        for _ in range(256):
            member.write(bytes(1 << 22))
    size, claimed = (256 << 22).to_bytes(4, "little"), len(ratings()).to_bytes(4, "little")
    assert size in content.getvalue()
    return content.getvalue().replace(size, claimed)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        pytest.param(b"not a zip at all" * 10, "neither a directory nor a zip", id="no zip"),
        pytest.param(GOOD[:-300], "neither a directory nor a zip", id="cut"),
        pytest.param(zipped({f"../../{MEMBER}": ratings(), "/etc/x": b"x"}), "0 times; expected once", id="traversal"),
        pytest.param(linked(), "expected", id="link"),
        pytest.param(duplicated(), "2 times; expected once", id="twice"),
        pytest.param(zipped({MEMBER: bytes(1 << 28)}), "claims 268,435,456 bytes", id="bomb"),
        pytest.param(bomb_of_false_size(), "tiny/ratings.tsv", id="bomb of false size"),
        pytest.param(zipped({MEMBER: ratings()[:-1] + b"\r"}), "was published", id="other bytes"),
    ],
)
def test_a_hostile_zip_is_refused_and_nothing_is_extracted(workspace: Workspace, archive: bytes, reason: str) -> None:
    workspace.serve(reply(archive), archive=archive)
    begun = time.monotonic()
    done = workspace.run("data", "describe", "config.yaml")
    assert time.monotonic() - begun < 20
    names = {path.name for path in workspace.folder.iterdir()}  # before check_failure opens the store
    message = workspace.check_failure(done, 3, reason)
    assert str(workspace.home / "datasets" / ARCHIVE) in message
    assert [path.name for path in (workspace.home / "datasets").iterdir()] == [ARCHIVE]
    assert names <= {"home", "config.yaml", "catalogue.yaml", "prefect", "mlflow.db"}
