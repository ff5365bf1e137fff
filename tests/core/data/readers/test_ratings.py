"""Located data sets: titles, files that changed after they were located, and the genuine MovieLens 100K."""

from pathlib import Path

import pandas as pd
import pytest

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import DataError
from tests.core.data.helpers import TINY_RATINGS, read_tiny


@pytest.mark.usefixtures("block_sizes")
@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
def test_a_file_that_changes_between_locating_and_reading_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    def write(rating: int) -> None:
        frame = pd.DataFrame({"user": [1], "item": [2], "rating": [rating]})
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)

    write(4)
    config = DatasetConfig(name="file", path=str(path))
    located = locate(config)
    write(5)
    with pytest.raises(DataError, match="changed while it was used"):
        read_ratings(config, located)


@pytest.mark.usefixtures("tiny_in_catalogue", "block_sizes")
class TestTiny:
    def test_a_copy_that_changes_between_locating_and_reading_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "ratings.tsv").write_bytes(TINY_RATINGS)
        config = DatasetConfig(name="tiny", path=str(tmp_path))
        located = locate(config)
        (tmp_path / "ratings.tsv").write_bytes(TINY_RATINGS[::-1])
        with pytest.raises(DataError):
            read_ratings(config, located)

    @pytest.mark.parametrize(
        ("titles", "expected"),
        [
            pytest.param(b"10|One\x85Two|x\n20|Two|y\n", {10: "One\x85Two", 20: "Two"}, id="0x85 in a title"),
            pytest.param(b"10\n20|Two|y\n", {20: "Two"}, id="no title"),
            pytest.param(b"10|One\r\n\r\n20|Two\r\n", {10: "One", 20: "Two"}, id="Windows line endings"),
            pytest.param(b'10|"One|x\n20|T"w"o"\n', {10: '"One', 20: 'T"w"o"'}, id="quotes"),
        ],
    )
    def test_titles_are_the_second_field_of_each_line(
        self, tmp_path: Path, titles: bytes, expected: dict[int, str]
    ) -> None:
        (tmp_path / "ratings.tsv").write_bytes(TINY_RATINGS)
        (tmp_path / "titles").write_bytes(titles)
        assert read_tiny(tmp_path).titles == expected


@pytest.mark.genuine
def test_the_genuine_movielens_100k_is_the_published_one(genuine: Path) -> None:
    config = DatasetConfig(name="movielens-100k", path=str(genuine))
    ratings = read_ratings(config, locate(config))
    first = ratings.frame.iloc[0]
    assert (first["user"], first["item"], first["rating"], first["timestamp"]) == (196, 242, 3.0, 881250949.0)
    assert len(ratings.frame) == 100_000
    assert ratings.titles[1] == "Toy Story (1995)"
    assert ratings.titles[543] == "Misérables, Les (1995)"
