"""A data set's file on this machine: one's own, a local copy, a download, or generated ratings."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.catalogue import catalogue_entry
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import file_sha256
from tests.core.data.helpers import archive_of_md5, read_tiny
from tests.serving import Server, reply


@pytest.mark.usefixtures("block_sizes")
class TestPath:
    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="is not a file"):
            locate(DatasetConfig(name="file", path=str(tmp_path / "gone.csv")))

    @pytest.mark.usefixtures("tiny_in_catalogue")
    def test_a_missing_copy_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            read_tiny(tmp_path / "gone")


def test_synthetic_ratings_are_generated_again_only_if_they_are_damaged(home: Path) -> None:
    config = DatasetConfig(name="synthetic-100k")
    (home / "datasets").mkdir(parents=True)
    (home / "datasets" / "synthetic-100k.tsv").write_bytes(b"1\t1\t5\t0\n")
    located = locate(config)
    generated_at = Path(located.path).stat().st_mtime_ns
    assert file_sha256(Path(located.path)) == located.sha256 == catalogue_entry("synthetic-100k").ratings.sha256
    assert locate(config) == located
    assert Path(located.path).stat().st_mtime_ns == generated_at
    ratings = read_ratings(config, located)
    assert set(ratings.frame["item"].cat.categories) == set(ratings.titles)


def test_the_error_for_an_unknown_data_set_suggests_a_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'movielens-100k'"):
        locate(DatasetConfig(name="movielens-10k"))


def write_catalogue(folder: Path, monkeypatch: pytest.MonkeyPatch, entries: dict[str, Any]) -> None:
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(entries))
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(folder / "catalogue.yaml"))


def test_a_data_set_of_ones_own_catalogue_is_downloaded_and_read(
    server: Server, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"1::10::5::100\n2::10::4::101\n2::11::3::102\n"
    with zipfile.ZipFile(tmp_path / "own.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("own/ratings.dat", content)
        archive.writestr("own/movies.dat", "10::First (1990)\n11::Second (1991)\n")
    data = (tmp_path / "own.zip").read_bytes()
    pin = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    sha256 = hashlib.sha256(content).hexdigest()
    entry = {
        "title": "Our own",
        "licence": "ours",
        "users": 2,
        "items": 2,
        "rows": 3,
        "archive": {"urls": [server.at("/own.zip", reply(data))], **pin},
        "ratings": {
            "member": "own/ratings.dat",
            "sha256": sha256,
            "separator": "::",
            "columns": {"user": 0, "item": 1, "rating": 2, "timestamp": 3},
        },
        "titles": {"member": "own/movies.dat", "separator": "::"},
    }
    write_catalogue(tmp_path, monkeypatch, {"our-own": entry})
    config = DatasetConfig(name="our-own")
    located = locate(config)
    assert located.path == str(home / "datasets/own.zip")
    assert located.sha256 == sha256
    ratings = read_ratings(config, located)
    assert ratings.frame["rating"].tolist() == [5, 4, 3]
    assert ratings.frame["user"].tolist() == [1, 2, 2]
    assert ratings.titles == {10: "First (1990)", 11: "Second (1991)"}
    assert locate(config) == located
    assert server.requests == ["/own.zip"]


RATINGS = "userId,movieId,rating,timestamp\n1,11,4.0,944249077\n2,1,0.5,944250228\n"
MOVIES = '''\
movieId,title,genres
1,Toy Story (1995),Adventure|Animation
11,"American President, The (1995)",Comedy
99,"""Great Performances"" Cats (1998)",Musical
'''


def test_a_larger_movielens_is_read_from_an_archive_with_the_published_md5(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "ml-32m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml-32m/ratings.csv", RATINGS)
        archive.writestr("ml-32m/movies.csv", MOVIES)
    data = (tmp_path / "ml-32m.zip").read_bytes()
    published = catalogue_entry("movielens-32m").model_dump(mode="json")
    served = archive_of_md5(server.at("/ml-32m.zip", reply(data)), data=data).model_dump(mode="json")
    entry = published | {"users": 2, "items": 2, "rows": 2, "archive": served}
    write_catalogue(tmp_path, monkeypatch, {"movielens-32m": entry})
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
    config_of_copy = DatasetConfig(name="movielens-32m", path=str(copy))
    assert read_ratings(config_of_copy, locate(config_of_copy)).frame.equals(ratings.frame)
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("ml-32m/more.txt", "the ratings are the same, but the archive is not the published one")
    with pytest.raises(DataError, match=r"its md5 is .* was published; .* the folder that it unpacks to"):
        locate(config_of_copy)
