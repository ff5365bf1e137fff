"""Downloads through the real command, from a server that misbehaves."""

import io
import shutil
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.lab import ARCHIVE, GOOD, MEMBER, Digests, Lab, kill, ratings, until, zipped
from tests.serving import Server, certificate, cut_chunks, dripping, hang_up, refused_port, reply, serving, status


def test_what_may_pass_is_tried_again(lab: Lab, undisturbed: Digests) -> None:
    lab.serve(status(503), status(429, Retry_After="2"), hang_up, reply(GOOD))
    lab.completes(undisturbed)
    assert len(lab.server.requests) == 4


def test_what_does_not_pass_is_told_and_the_same_command_completes_later(
    lab: Lab, undisturbed: Digests, tmp_path: Path
) -> None:
    expired = certificate(tmp_path, days=-1)
    with serving(Server(expired)) as old, serving(Server(expired)) as redirecting:
        lab.env["REQUESTS_CA_BUNDLE"] = str(expired[0])
        faults: list[tuple[Callable[[], object], str]] = [
            (lambda: lab.offer(f"http://127.0.0.1:{refused_port()}/{ARCHIVE}", seconds=3), "Connection refused"),
            (lambda: lab.serve(status(404)), "HTTP 404"),
            (lambda: lab.serve(status(503), seconds=3), "HTTP 503"),
            (lambda: lab.serve(reply(GOOD[:500], length=len(GOOD)), seconds=3), "bytes read"),
            (lambda: lab.serve(cut_chunks, seconds=3), "IncompleteRead"),
            (lambda: lab.serve(reply(b"x" * len(GOOD))), "does not match the known hash"),
            (lambda: lab.serve(dripping(b"x", 1.0, 30), seconds=3), "too slow"),
            (lambda: lab.offer(old.at(f"/{ARCHIVE}", reply(GOOD)), seconds=3), "its certificate is not accepted"),
        ]
        for arrange, reason in faults:
            arrange()
            lab.fails(3, reason, f"{ARCHIVE} could not be downloaded", "or set dataset.path to a copy that you have")
            assert list((lab.home / "datasets").glob("*")) == [], reason
        assert redirecting.requests == []
    del lab.env["REQUESTS_CA_BUNDLE"]
    lab.serve(reply(GOOD))
    lab.completes(undisturbed)


def test_a_step_from_https_to_http_is_refused(lab: Lab, tmp_path: Path) -> None:
    valid = certificate(tmp_path, days=1)
    lab.env["REQUESTS_CA_BUNDLE"] = str(valid[0])
    plain = lab.server.at("/plain.zip", reply(GOOD))
    with serving(Server(valid)) as secure:
        lab.offer(secure.at(f"/{ARCHIVE}", status(302, Location=plain)))
        lab.fails(3, "redirects from https to http", "which is refused")
    assert lab.server.requests == []


def test_a_kill_during_a_download_leaves_nothing_that_is_taken_for_whole(lab: Lab, undisturbed: Digests) -> None:
    lab.serve(dripping(GOOD[:100], 0.2, 100))
    process = lab.start()
    until(lambda: list((lab.home / "datasets").glob("*")), process)
    time.sleep(0.5)
    kill(process)
    assert not (lab.home / "datasets" / ARCHIVE).exists()
    lab.serve(reply(GOOD))
    lab.completes(undisturbed)


def test_a_cached_archive_is_used_without_a_network_and_a_damaged_one_is_not(lab: Lab, undisturbed: Digests) -> None:
    lab.completes(undisturbed)
    cached = lab.home / "datasets" / ARCHIVE
    shutil.rmtree(lab.home / "interactions")
    lab.offer(f"http://127.0.0.1:{refused_port()}/{ARCHIVE}", seconds=3)
    lab.completes(undisturbed)
    content = bytearray(cached.read_bytes())
    content[100] ^= 1
    cached.write_bytes(content)
    before = lab.files()
    done = lab.run("run", "config.yaml", "--set", "replicates=1")
    assert done.returncode == 3
    assert "is not what was published (sha256 differs); downloading it again" in " ".join(done.stderr.split())
    assert "Connection refused" in done.stderr
    assert lab.files() == before
    lab.serve(reply(GOOD))
    lab.completes(undisturbed)
    assert cached.read_bytes() == GOOD


def linked() -> bytes:
    """The member as a symbolic link to somewhere else."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo(MEMBER)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "../../../../etc/passwd")
    return made.getvalue()


def twice() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for content in (ratings(), b"other"):
            with pytest.warns(UserWarning, match="Duplicate") if content == b"other" else _nothing():
                archive.writestr(MEMBER, content)
    return made.getvalue()


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def lying_bomb() -> bytes:
    """A gigabyte of zeros that claims to be as large as the ratings."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(MEMBER, "w") as member:
        for _ in range(256):
            member.write(bytes(1 << 22))
    content = made.getvalue()
    size, claimed = (256 << 22).to_bytes(4, "little"), len(ratings()).to_bytes(4, "little")
    assert size in content
    return content.replace(size, claimed)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        pytest.param(b"not a zip at all" * 10, "neither a directory nor a zip", id="no zip"),
        pytest.param(GOOD[:-300], "neither a directory nor a zip", id="cut"),
        pytest.param(zipped({f"../../{MEMBER}": ratings(), "/etc/x": b"x"}), "0 times; expected once", id="traversal"),
        pytest.param(linked(), "expected", id="link"),
        pytest.param(twice(), "2 times; expected once", id="twice"),
        pytest.param(zipped({MEMBER: bytes(1 << 28)}), "claims 268,435,456 bytes", id="bomb"),
        pytest.param(lying_bomb(), "tiny/ratings.tsv", id="lying bomb"),
        pytest.param(zipped({MEMBER: ratings()[:-1] + b"\r"}), "was published", id="other bytes"),
    ],
)
def test_a_hostile_zip_is_refused_and_nothing_is_written_beside_it(lab: Lab, archive: bytes, reason: str) -> None:
    lab.serve(reply(archive), archive=archive)
    begun = time.monotonic()
    done = lab.run("data", "describe", "config.yaml")
    assert time.monotonic() - begun < 20
    names = {path.name for path in lab.folder.iterdir()}  # before this test itself opens the store
    message = lab.failed(done, 3, reason)
    assert str(lab.home / "datasets" / ARCHIVE) in message
    assert [path.name for path in (lab.home / "datasets").iterdir()] == [ARCHIVE]
    assert names <= {"home", "config.yaml", "catalogue.yaml", "prefect", "mlflow.db"}
