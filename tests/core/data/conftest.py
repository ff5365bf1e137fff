"""Fixtures that several tests on data sets share."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.locate import locate
from tasks.core.data.readers import archives, arrow_parser, parsers, streams
from tasks.core.data.readers.ratings import Ratings, read_ratings
from tests.core.data.helpers import TINY_RATINGS, ReadOwn
from tests.serving import Server, serving


@pytest.fixture
def read_own(tmp_path: Path) -> ReadOwn:
    """Read contents as a file of one's own with the given name."""

    def read_own(content: str | bytes | pd.DataFrame, name: str = "own.csv", **settings: object) -> Ratings:
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        config = DatasetConfig.model_validate({"name": "file", "path": str(path), **settings})
        return read_ratings(config, locate(config))

    return read_own


@pytest.fixture(params=["one block", "many blocks"])
def block_sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test twice: with files that fit into one block, and with blocks of 3 bytes and chunks of 2 rows."""
    if request.param == "many blocks":
        monkeypatch.setattr(archives, "BLOCK_BYTES", 3)
        monkeypatch.setattr(streams, "BLOCK_BYTES", 3)
        monkeypatch.setattr(parsers, "CHUNK_ROWS", 2)
        monkeypatch.setattr(arrow_parser, "CHUNK_ROWS", 2)
        monkeypatch.setattr(arrow_parser, "_BLOCK_BYTES", 64)
        monkeypatch.setattr(arrow_parser, "_PENDING_ROWS", 5)


@pytest.fixture
def tiny_in_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a data set `tiny` to the catalogue. Its archive has two members, and the digest of one is pinned."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        f"""\
tiny:
  title: Tiny
  licence: none
  users: 2
  items: 2
  rows: 2
  archive: {{urls: ["https://localhost/tiny.zip"], bytes: 1, sha256: {"f" * 64}}}
  ratings:
    member: tiny/ratings.tsv
    bytes: {len(TINY_RATINGS)}
    sha256: {hashlib.sha256(TINY_RATINGS).hexdigest()}
    separator: "\\t"
    columns: {{user: 0, item: 1, rating: 2}}
  titles: {{member: tiny/titles, separator: "|", encoding: latin-1}}
"""
    )
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(path))


@pytest.fixture
def direct_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave proxies and certificate bundles of the environment out."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LATENTLAB_CATALOGUE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server(direct_connections: None) -> Iterator[Server]:
    with serving(Server()) as server:
        yield server
