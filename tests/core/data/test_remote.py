"""Ratings in an object store: a real S3 client against an S3 server on this machine."""

import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import remote
from tasks.core.data.inspection.inspect_file import inspect_file
from tasks.core.data.locate import locate
from tasks.core.data.prepared import prepare
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import ConfigError, DataError
from tasks.recovery.verify_home import verify_home
from tests.core.data.helpers import columns_of

URL = "s3://lake/plays"
CSV = b"user,item,rating\n1,10,5\n2,11,4\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(address: str, monkeypatch: pytest.MonkeyPatch, direct_connections: None, home: Path) -> s3fs.S3FileSystem:
    """Return an S3 client of an empty bucket `lake`, and let the environment name the server as it does in use."""
    environment = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store, _ = fsspec.url_to_fs("s3://lake", **remote._options("s3"))  # the instance that is used: fsspec keeps it
    if store.exists("lake"):
        store.rm("lake", recursive=True)
    store.mkdir("lake", create_bucket=True, region_name="eu-central-1")
    return store


def put(store: s3fs.S3FileSystem, path: str, **columns: Any) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    store.pipe(path, sink.getvalue().to_pybytes())


@pytest.fixture
def plays(store: s3fs.S3FileSystem) -> s3fs.S3FileSystem:
    """Return the store with a folder `plays` as Spark writes it, partitioned by rating."""
    put(store, "lake/plays/rating=5/part-00000.parquet", user=["b", "a"], item=[10, 11])
    put(store, "lake/plays/rating=4/part-00000.parquet", user=["c"], item=[10])
    store.pipe({"lake/plays/_SUCCESS": b"", "lake/plays/rating=4/.part-00000.parquet.crc": b"crc"})
    return store


def config_of(path: str = URL) -> DatasetConfig:
    return DatasetConfig(name="file", path=path)


def copied_files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "datasets").rglob("*") if path.is_file())


def test_a_folder_is_read_as_one_table(plays: s3fs.S3FileSystem, home: Path) -> None:
    expected = {"user": ["c", "b", "a"], "item": [10, 10, 11], "rating": [4, 5, 5]}
    progress: list[tuple[int, int]] = []
    located = locate(config_of(), on_bytes=lambda *counts: progress.append(counts))
    assert columns_of(read_ratings(config_of(), located)) == expected
    assert Path(located.path).is_relative_to(home)
    total = plays.du("lake/plays") - len(b"crc")
    assert progress[-1] == (total, total)
    assert sorted(progress) == progress


def test_a_folder_has_the_digest_and_the_interactions_of_its_local_copy(
    plays: s3fs.S3FileSystem, tmp_path: Path
) -> None:
    plays.get("lake/plays", str(tmp_path / "local"), recursive=True)
    configs = [config_of(), config_of(str(tmp_path / "local"))]
    located = [locate(config) for config in configs]
    assert located[0].sha256 == located[1].sha256
    prepared = [prepare(config, PreprocessConfig(), at) for config, at in zip(configs, located, strict=True)]
    assert prepared[0] == prepared[1]


def test_a_single_file_of_any_format_is_read(store: s3fs.S3FileSystem, tmp_path: Path) -> None:
    store.pipe("lake/own.csv", CSV)
    (tmp_path / "own.csv").write_bytes(CSV)
    config = config_of("s3://lake/own.csv")
    assert read_ratings(config, locate(config)).frame["rating"].tolist() == [5, 4]
    assert locate(config).sha256 == locate(config_of(str(tmp_path / "own.csv"))).sha256


def test_bytes_are_transferred_once(plays: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    first = locate(config_of())
    monkeypatch.setattr(plays, "get_file", None)
    assert locate(config_of()) == first


def test_a_changed_file_is_copied_again(plays: s3fs.S3FileSystem) -> None:
    before = locate(config_of())
    size = plays.size("lake/plays/rating=4/part-00000.parquet")
    put(plays, "lake/plays/rating=4/part-00000.parquet", user=["d"], item=[10])
    assert plays.size("lake/plays/rating=4/part-00000.parquet") == size
    after = locate(config_of())
    assert after.sha256 != before.sha256
    assert columns_of(read_ratings(config_of(), after))["user"] == ["d", "b", "a"]


def test_a_damaged_copy_is_made_again(plays: s3fs.S3FileSystem, caplog: pytest.LogCaptureFixture) -> None:
    located = locate(config_of())
    part = Path(located.path) / "rating=5" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert locate(config_of()) == located
    assert "is not what was copied from s3://lake/plays" in caplog.text
    assert len(read_ratings(config_of(), located).frame) == 3


def test_copying_resumes_where_it_was_interrupted(plays: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    get_file = plays.get_file

    def interrupted(remote: str, local: str, **options: Any) -> None:
        copied.append(remote)
        if len(copied) == 2:
            raise KeyboardInterrupt
        get_file(remote, local, **options)

    monkeypatch.setattr(plays, "get_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        locate(config_of())
    assert len(read_ratings(config_of(), locate(config_of())).frame) == 3
    assert [path.split("/")[2] for path in copied] == ["rating=4", "rating=5", "rating=5"]


def test_a_table_that_changes_while_it_is_copied_is_reported(
    plays: s3fs.S3FileSystem, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_file = plays.get_file

    def slow(remote: str, local: str, **options: Any) -> None:
        get_file(remote, local, **options)
        if "rating=5" in remote:
            put(plays, "lake/plays/rating=4/part-00001.parquet", user=["d"], item=[10])

    monkeypatch.setattr(plays, "get_file", slow)
    with pytest.raises(DataError, match="s3://lake/plays: changed while it was copied"):
        locate(config_of())
    assert copied_files(home) == []


def test_a_copy_is_verified(plays: s3fs.S3FileSystem, home: Path) -> None:
    located = locate(config_of())
    assert (verify_home().files, verify_home().problems) == (2, [])
    (part, other) = sorted(Path(located.path).rglob("*.parquet"))
    part.write_bytes(b"damaged")
    other.unlink()
    assert [problem.problem for problem in verify_home().problems] == ["damaged", "missing"]
    (record,) = (home / "datasets" / "remote").glob("*.json")
    record.write_text("[]")
    assert [(problem.path, problem.problem) for problem in verify_home().problems] == [
        (f"datasets/remote/{record.name}", "damaged")
    ]
    assert len(read_ratings(config_of(), locate(config_of())).frame) == 3


def test_data_init_writes_the_address(plays: s3fs.S3FileSystem) -> None:
    found = inspect_file(URL)
    assert (found.path, found.rows, found.users) == (URL, 3, 3)
    assert found.columns == {"user": "user", "item": "item", "rating": "rating"}


class TestFaults:
    @pytest.mark.parametrize("url", ["s3://lake/nothing", "s3://no-such-bucket/plays"])
    def test_an_address_of_nothing_is_refused(self, plays: s3fs.S3FileSystem, url: str) -> None:
        with pytest.raises(DataError, match=f"{url}: not found"):
            locate(config_of(url))

    def test_a_file_that_is_not_parquet_is_refused_before_anything_is_copied(
        self, plays: s3fs.S3FileSystem, home: Path
    ) -> None:
        plays.pipe("lake/plays/huge.mp4", b"no table")
        with pytest.raises(DataError, match=r"s3://lake/plays: found huge\.mp4; expected Parquet files only"):
            locate(config_of())
        assert copied_files(home) == []

    def test_a_server_that_does_not_answer_is_reported(
        self, plays: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(DataError, match=r"s3://lake/plays: cannot be read: .*127\.0\.0\.1:9"):
            locate(config_of())

    def test_missing_credentials_are_reported(
        self, plays: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(DataError, match=r"s3://lake/plays: cannot be read: .*credentials"):
            locate(config_of())

    def test_a_missing_client_library_is_named_with_its_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "adlfs", None)
        with pytest.raises(
            ConfigError, match=r"its client library is not installed: pip install --editable '\.\[azure\]'"
        ):
            locate(config_of("abfss://container@account.dfs.core.windows.net/plays"))

    def test_a_server_that_is_silent_is_reported_in_bounded_time(
        self, plays: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
            monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 0.2}})
            s3fs.S3FileSystem.clear_instance_cache()
            with pytest.raises(DataError, match=r"s3://lake/plays: cannot be read: .*[Tt]imeout"):
                locate(config_of())

    def test_an_unknown_scheme_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="expected an address such as s3://BUCKET/FOLDER"):
            locate(config_of("s4://lake/plays"))
