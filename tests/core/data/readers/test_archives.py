"""Local copies of a data set: zip files and folders."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.locate import locate
from tasks.core.data.readers import archives
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import DataError
from tests.core.data.helpers import TINY_MEMBERS, TINY_RATINGS, TINY_TITLES, columns_of, read_tiny, zip_of

pytestmark = pytest.mark.usefixtures("tiny_in_catalogue", "block_sizes")


@pytest.mark.parametrize("folder", [".", "tiny"])
def test_a_folder_is_read_with_or_without_the_archives_top_folder(tmp_path: Path, folder: str) -> None:
    copy = tmp_path / "copy"
    (copy / folder).mkdir(parents=True)
    (copy / folder / "ratings.tsv").write_bytes(TINY_RATINGS)
    (copy / folder / "titles").write_bytes(TINY_TITLES)
    ratings = read_tiny(copy)
    assert columns_of(ratings) == {"user": [1, 2], "item": [10, 20], "rating": [4.0, 5.0]}
    assert ratings.titles == {10: "Café (1999)", 20: "Two"}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_is_read_without_unpacking_it(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "copy.zip"
    path.write_bytes(zip_of(*TINY_MEMBERS, compression=compression))
    assert read_tiny(path).titles == {10: "Café (1999)", 20: "Two"}
    assert not (tmp_path / "tiny").exists()


def test_an_altered_member_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.tsv").write_bytes(TINY_RATINGS.replace(b"4", b"3"))
    (tmp_path / "titles").write_bytes(TINY_TITLES)
    with pytest.raises(DataError, match=r"ratings\.tsv has sha256 .* was published; it is truncated or altered"):
        read_tiny(tmp_path)


def test_a_folder_without_the_member_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no ratings\.tsv"):
        read_tiny(tmp_path)


def test_a_member_that_leads_outside_is_neither_read_nor_written(tmp_path: Path) -> None:
    path = tmp_path / "down" / "copy.zip"
    path.parent.mkdir()
    path.write_bytes(zip_of(("../ratings.tsv", b"evil"), ("/tiny/ratings.tsv", b"evil"), *TINY_MEMBERS))
    assert len(read_tiny(path).frame) == 2
    assert not (tmp_path / "ratings.tsv").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(zip_of(*TINY_MEMBERS, TINY_MEMBERS[0]), "holds tiny/ratings.tsv 2 times", id="duplicate member"),
        pytest.param(zip_of(TINY_MEMBERS[1]), "holds tiny/ratings.tsv 0 times", id="missing member"),
        pytest.param(zip_of(("../tiny/ratings.tsv", TINY_RATINGS)), "0 times", id="traversal only"),
        pytest.param(zip_of(("tiny/ratings.tsv", TINY_RATINGS * 9)), "claims 126 bytes; expected 14", id="larger"),
        pytest.param(zip_of(("tiny/ratings.tsv", TINY_RATINGS[:9])), "claims 9 bytes; expected 14", id="smaller"),
        pytest.param(zip_of(("tiny/ratings.tsv", TINY_RATINGS[::-1])), "truncated or altered", id="altered"),
        pytest.param(zip_of(*TINY_MEMBERS)[:-30], "neither a directory nor a zip", id="truncated"),
        pytest.param(zip_of(*TINY_MEMBERS)[40:], "damaged zip|holds|Bad|cannot be read", id="beginning lost"),
        pytest.param(b"no zip at all", "neither a directory nor a zip", id="no zip"),
        pytest.param(b"", "neither a directory nor a zip", id="empty"),
    ],
)
def test_a_zip_that_is_not_the_published_one_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "copy.zip"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_tiny(path)


@pytest.mark.timeout(20)
def test_a_member_larger_than_it_claims_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = zip_of(("tiny/ratings.tsv", bytes(50_000_000)))
    content = bomb.replace((50_000_000).to_bytes(4, "little"), len(TINY_RATINGS).to_bytes(4, "little"))
    path = tmp_path / "copy.zip"
    path.write_bytes(content)
    assert zipfile.ZipFile(path).getinfo("tiny/ratings.tsv").file_size == len(TINY_RATINGS)
    with pytest.raises(DataError, match=r"damaged zip|larger than"):
        read_tiny(path)


@pytest.mark.parametrize(
    "compression",
    [
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_BZIP2,
        zipfile.ZIP_LZMA,
    ],
)
def test_a_flipped_byte_is_refused_or_harmless(tmp_path: Path, compression: int) -> None:
    content = zip_of(*TINY_MEMBERS, compression=compression)
    path = tmp_path / "copy.zip"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("tiny/ratings.tsv").compress_size
    start = 30 + len("tiny/ratings.tsv")  # the member's first byte, after its local header
    config = DatasetConfig(name="tiny", path=str(path))
    refused = 0
    for at in range(start, start + size, 1 + size // 20):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            assert locate(config).sha256 == hashlib.sha256(TINY_RATINGS).hexdigest()
        except DataError:
            refused += 1
    assert refused


def test_a_zip_that_is_damaged_between_locating_and_reading_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "copy.zip"
    content = zip_of(*TINY_MEMBERS, compression=zipfile.ZIP_STORED)
    path.write_bytes(content)
    config = DatasetConfig(name="tiny", path=str(path))
    located = locate(config)
    path.write_bytes(content.replace(b"20\t5", b"20\t4"))
    with pytest.raises(DataError, match="damaged zip"):
        read_ratings(config, located)


def test_a_member_without_a_pinned_size_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MAX_MEMBER_BYTES", 10)
    path = tmp_path / "copy.zip"
    path.write_bytes(zip_of(*TINY_MEMBERS))
    with pytest.raises(DataError, match=r"tiny/titles claims 26 bytes; expected at most 10"):
        read_tiny(path)
