"""A ratings file of one's own at an address: downloaded once, and checked against the digest in the config."""

import gzip
import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import tenacity

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data.locate import locate
from tasks.core.data.prepared import prepare
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import DataError
from tasks.core.files import file_sha256
from tests.serving import Answer, Server, cut_chunks, hang_up, reply, status

CONTENT = b"user,item,rating\n1,10,5\n2,11,4\n"


def config_of(url: str, content: bytes = CONTENT) -> DatasetConfig:
    return DatasetConfig(name="file", url=url, sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between attempts."""
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda _: None))


def test_a_file_is_downloaded_once_into_the_home(server: Server, home: Path) -> None:
    config = config_of(server.at("/data/ratings.csv?version=2", reply(CONTENT)))
    progress: list[tuple[int, int]] = []
    located = locate(config, on_bytes=lambda *counts: progress.append(counts))
    assert located.sha256 == config.sha256 == file_sha256(Path(located.path))
    assert located.path == str(home / "datasets" / "by-sha256" / located.sha256 / "ratings.csv")
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert read_ratings(config, located).frame["rating"].tolist() == [5, 4]
    assert locate(config) == located
    assert server.requests == ["/data/ratings.csv?version=2"]


def test_the_format_follows_from_the_suffix_of_the_path(server: Server) -> None:
    content = CONTENT.replace(b",", b"\t")
    config = config_of(server.at("/ratings.tsv?as=x.csv", reply(content)), content)
    assert read_ratings(config, locate(config)).frame["item"].tolist() == [10, 11]


def test_files_of_one_name_and_different_content_are_both_kept(server: Server) -> None:
    other = CONTENT.replace(b"5", b"3")
    configs = [config_of(server.at(f"/{i}/ratings.csv", reply(data)), data) for i, data in enumerate((CONTENT, other))]
    assert [read_ratings(config, locate(config)).frame["rating"].tolist() for config in configs] == [[5, 4], [3, 4]]
    assert [file_sha256(Path(locate(config).path)) for config in configs] == [config.sha256 for config in configs]
    assert len(server.requests) == 2


def test_a_file_gives_the_interactions_of_its_local_copy(server: Server, tmp_path: Path, home: Path) -> None:
    """The address is no part of the key under which interactions are stored."""
    (tmp_path / "copy.csv").write_bytes(CONTENT)
    remote = config_of(server.at("/ratings.csv", reply(CONTENT)))
    local = DatasetConfig(name="file", path=str(tmp_path / "copy.csv"))
    first, second = (prepare(config, PreprocessConfig(), locate(config)) for config in (local, remote))
    assert first == second
    assert len(list((home / "interactions").glob("*.npz"))) == 1


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        pytest.param(reply(CONTENT[::-1]), "does not match the known hash", 1, id="another digest"),
        pytest.param(status(404), "HTTP 404", 1, id="404"),
        pytest.param(status(503), "HTTP 503", 5, id="503"),
        pytest.param(reply(CONTENT, length=10**6), "bytes read", 5, id="short body"),
        pytest.param(cut_chunks, "IncompleteRead", 5, id="cut chunks"),
        pytest.param(hang_up, "Remote end closed connection", 5, id="hangs up"),
    ],
)
def test_a_failure_names_the_address_and_leaves_no_file(
    server: Server, home: Path, answer: Answer, reason: str, requests: int
) -> None:
    url = server.at("/ratings.csv", answer)
    with pytest.raises(DataError, match=r"ratings\.csv could not be downloaded") as raised:
        locate(config_of(url))
    assert f"  {url}: " in str(raised.value)
    assert reason in str(raised.value)
    assert len(server.requests) == requests
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_a_redirect_is_followed(server: Server) -> None:
    target = server.at("/files/1234", reply(CONTENT))
    config = config_of(server.at("/ratings.csv", status(302, Location=target)))
    assert Path(locate(config).path).name == "ratings.csv"


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}])
def test_the_digest_of_a_gz_file_is_that_of_the_compressed_file(server: Server, headers: dict[str, str]) -> None:
    """As `curl URL | sha256sum` prints it. Some servers declare such a file as compressed for the transfer."""
    data = gzip.compress(CONTENT)
    config = config_of(server.at("/ratings.csv.gz", reply(data, **headers)), data)
    assert Path(locate(config).path).read_bytes() == data


def test_a_body_that_is_compressed_for_the_transfer_is_unpacked(server: Server) -> None:
    config = config_of(server.at("/ratings.csv", reply(gzip.compress(CONTENT), Content_Encoding="gzip")))
    assert Path(locate(config).path).read_bytes() == CONTENT
