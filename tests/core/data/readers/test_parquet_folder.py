"""Folders of Parquet files, as Spark writes them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.config.dataset import Columns, DatasetConfig
from tasks.core.data.locate import locate
from tasks.core.data.readers.parquet import table
from tasks.core.data.readers.parquet.opening import open_ratings
from tasks.core.data.readers.ratings import Ratings, read_ratings
from tasks.core.errors import DataError
from tests.core.data.helpers import columns_of

Files = Mapping[str, Mapping[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "plays"


@pytest.fixture
def write(folder: Path) -> Callable[[Files], Path]:
    """Write a folder of Parquet files, each given by its path in it and its columns."""

    def write(files: Files) -> Path:
        for path, columns in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(dict(columns)), folder / path, row_group_size=2)
        return folder

    return write


Write = Callable[[Files], Path]


def config_of(folder: Path, **settings: Any) -> DatasetConfig:
    return DatasetConfig.model_validate({"name": "file", "path": str(folder), **settings})


def read(folder: Path, **settings: Any) -> Ratings:
    config = config_of(folder, **settings)
    return read_ratings(config, locate(config))


def rows(*users: Any, item: Any = 1, rating: Any = 5.0) -> dict[str, Any]:
    return {"user": list(users), "item": [item] * len(users), "rating": [rating] * len(users)}


TWO = {"part-00000.parquet": rows("b", "c", "a"), "part-00001.parquet": rows("b", "d", item=2)}


class TestOrder:
    def test_rows_are_those_of_the_files_by_path_and_of_their_row_groups(self, write: Write) -> None:
        files = {
            "part-10.parquet": rows("e"),
            "part-02.parquet": rows("b", "a", "d", "c", "f"),
            "a/part-99.parquet": rows("z"),
        }
        assert columns_of(read(write(files)))["user"] == ["z", "b", "a", "d", "c", "f", "e"]

    def test_rows_of_many_row_groups_and_batches_are_in_order(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.mkdir()
        users = np.random.default_rng(0).permutation(20_000)
        for number, part in enumerate(np.split(users, 4)):
            pq.write_table(pa.table(rows(*part.tolist())), folder / f"part-{number}.parquet", row_group_size=700)
        monkeypatch.setattr(table, "BATCH_ROWS", 300)
        assert read(folder).frame["user"].tolist() == users.tolist()

    def test_ids_are_integers_only_if_those_of_all_files_are(self, write: Write) -> None:
        files = {"part-0.parquet": rows("7", "8"), "part-1.parquet": rows("007")}
        assert columns_of(read(write(files)))["user"] == ["7", "8", "007"]
        (folder := write(files) / "part-1.parquet").unlink()
        assert columns_of(read(folder.parent))["user"] == [7, 8]

    def test_only_the_first_row_of_all_files_says_whether_times_are_texts_of_iso_8601(self, write: Write) -> None:
        files = {
            "part-0.parquet": {**rows("a"), "at": ["1970-01-02"]},
            "part-1.parquet": {**rows("b"), "at": ["86400"]},
        }
        with pytest.raises(DataError, match=r"part-1\.parquet: column 'at' for timestamp: found '86400'"):
            read(write(files), columns=Columns(timestamp="at"))


class TestFiles:
    @pytest.mark.parametrize(
        "name",
        [
            "_SUCCESS", "_committed_4711", "_started_4711", ".part-00000.parquet.crc", "part-00000.parquet.crc",
            ".hidden.parquet", "_temporary/0/part-00000.parquet", ".spark-staging/part-00000.parquet", "_metadata",
        ],
    )  # fmt: skip
    def test_what_spark_does_not_read_is_not_read(self, write: Write, name: str) -> None:
        folder = write(TWO)
        before = locate(config_of(folder))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no Parquet")
        assert locate(config_of(folder)) == before
        assert columns_of(read(folder))["user"] == ["b", "c", "a", "b", "d"]

    def test_a_file_of_another_kind_is_refused_and_not_left_out(self, write: Write) -> None:
        folder = write(TWO)
        (folder / "notes.csv").write_text("user,item\n")
        with pytest.raises(DataError, match=r"plays: found notes\.csv; expected Parquet files only"):
            read(folder)

    def test_a_file_that_is_parquet_by_name_only_is_refused_by_its_name(self, write: Write) -> None:
        (write(TWO) / "part-00002.parquet").write_bytes(b"PAR1 and nothing of the kind")
        with pytest.raises(DataError, match=r"part-00002\.parquet: not readable as Parquet"):
            read(write(TWO))

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("_delta_log/00000000000000000000.json", "a Delta table"),
            (".hoodie/hoodie.properties", "a Hudi table"),
            ("metadata/v1.metadata.json", "an Iceberg table"),
        ],
    )
    def test_a_table_whose_files_include_earlier_versions_is_refused(self, write: Write, path: str, kind: str) -> None:
        folder = write(TWO)
        (folder / path).parent.mkdir()
        (folder / path).write_text("{}")
        with pytest.raises(DataError, match=rf"plays: {kind}, whose files include those of earlier versions"):
            read(folder)

    def test_a_folder_without_parquet_files_is_refused(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "_SUCCESS").touch()
        with pytest.raises(DataError, match="plays: a folder without Parquet files"):
            read(folder)

    def test_files_without_rows_are_read_and_a_table_without_rows_is_refused(self, write: Write) -> None:
        empty = pa.table(rows("a", "b")).slice(0, 0)
        folder = write(TWO)
        for name in ("part-0.parquet", "part-2.parquet"):
            pq.write_table(empty, folder / name)
        assert len(read(folder).frame) == 5
        for name in TWO:
            (folder / name).unlink()
        with pytest.raises(DataError, match="plays: no rows"):
            read(folder)

    def test_links_to_folders_are_followed(self, write: Write, folder: Path, tmp_path: Path) -> None:
        write(TWO)
        (folder / "a").mkdir()
        (tmp_path / "elsewhere").mkdir()
        pq.write_table(pa.table(rows("linked")), tmp_path / "elsewhere" / "part-0.parquet")
        (folder / "b").symlink_to(tmp_path / "elsewhere")
        assert columns_of(read(folder))["user"][0] == "linked"


class TestPartitions:
    def test_values_in_the_names_of_folders_are_columns(self, write: Write) -> None:
        files = {
            "year=2023/rating=3.5/part-0.parquet": {"user": ["a", "b"], "item": [1, 1]},
            "year=2024/rating=5/part-0.parquet": {"user": ["c"], "item": [1]},
        }
        frame = columns_of(read(write(files), columns=Columns(timestamp="year")))
        assert frame == {
            "user": ["a", "b", "c"],
            "item": [1, 1, 1],
            "rating": [3.5, 3.5, 5],
            "timestamp": [2023, 2023, 2024],
        }

    def test_dates_in_the_names_of_folders_are_times(self, write: Write) -> None:
        files = {"day=1970-01-02/part-0.parquet": rows("a"), "day=1970-01-03/part-0.parquet": rows("b")}
        assert columns_of(read(write(files), columns=Columns(timestamp="day")))["timestamp"] == [86400, 172800]

    def test_ids_in_the_names_of_folders_are_their_text(self, write: Write) -> None:
        folder = write({f"user={name}/part-0.parquet": {"item": [1], "rating": [1]} for name in ("007", "a%20b", "8")})
        assert columns_of(read(folder))["user"] == ["007", "8", "a b"]

    def test_a_folder_whose_name_begins_with_an_underscore_can_be_a_partition(self, write: Write) -> None:
        folder = write({"_year=2024/part-0.parquet": rows("a")})
        assert columns_of(read(folder, columns=Columns(timestamp="_year")))["timestamp"] == [2024]

    def test_a_missing_value_is_refused(self, write: Write) -> None:
        folder = write({"user=__HIVE_DEFAULT_PARTITION__/part-0.parquet": {"item": [1], "rating": [1]}})
        with pytest.raises(DataError, match=r"part-0\.parquet: no user id in row 1"):
            read(folder)

    def test_files_that_are_partitioned_by_other_columns_are_refused(self, write: Write) -> None:
        folder = write({"day=1/part-0.parquet": rows("a"), "part-1.parquet": rows("a")})
        with pytest.raises(DataError, match=r"partitioned by day in .* but by no column in part-1"):
            read(folder)

    def test_a_column_of_the_files_and_of_the_folders_is_refused(self, write: Write) -> None:
        with pytest.raises(DataError, match="has the column 'rating' for rating 2 times"):
            read(write({"rating=5/part-0.parquet": rows("a")}))


class TestSchemas:
    def test_a_file_that_lacks_a_column_is_refused_by_its_name(self, write: Write) -> None:
        files = {**TWO, "part-00002.parquet": {"user": ["a"], "movie": [1], "rating": [1.0]}}
        message = r"part-00002\.parquet: has no column 'item' for item, which part-00000\.parquet has; its columns are"
        with pytest.raises(DataError, match=message):
            read(write(files))

    @pytest.mark.parametrize(
        "values", [pa.array([4], pa.int32()), pa.array(["4"]), pa.array([4], pa.float32())], ids=lambda v: str(v.type)
    )
    def test_a_column_of_two_types_is_refused_with_both(self, write: Write, values: Any) -> None:
        files = {**TWO, "part-00002.parquet": {**rows("a"), "rating": values}}
        message = r"part-00002\.parquet: the column 'rating' for rating is .*, but double in part-00000\.parquet"
        with pytest.raises(DataError, match=message):
            read(write(files))

    def test_columns_that_are_not_read_may_differ(self, write: Write) -> None:
        files = {"0.parquet": {"junk": [1], **rows("a")}, "1.parquet": {**rows("b"), "junk": ["x"], "more": [1]}}
        assert columns_of(read(write(files)))["user"] == ["a", "b"]

    def test_categories_and_texts_are_one_type(self, write: Write) -> None:
        texts = pa.array(["b", "a"])
        files = {
            "0.parquet": {**rows("x", "y"), "user": texts.dictionary_encode()},
            "1.parquet": {**rows("x", "y"), "user": texts.cast(pa.large_string())},
            "2.parquet": {**rows("x", "y"), "user": texts},
        }
        assert columns_of(read(write(files)))["user"] == ["b", "a"] * 3

    def test_columns_by_position_are_those_of_the_first_file(self, write: Write) -> None:
        files = {"0.parquet": {"u": ["a"], "i": [1]}, "1.parquet": {"i": [2], "u": ["b"]}}
        frame = columns_of(read(write(files), columns=Columns(user=0, item=1, rating=None)))
        assert frame == {"user": ["a", "b"], "item": [1, 2]}


class TestFaults:
    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            (rows("a", "b", None), "no user id in row 3"),
            (rows("a", " ", "c"), "no user id in row 2"),
            ({**rows("a", "b"), "rating": [1, float("inf")]}, "the rating in row 2 is inf"),
        ],
    )
    def test_a_fault_is_reported_with_its_file_and_row(
        self, write: Write, columns: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(table, "BATCH_ROWS", 1)
        with pytest.raises(DataError, match=rf"^part-00002\.parquet: {message}"):
            read(write({**TWO, "part-00002.parquet": columns}))

    def test_times_of_two_units_are_refused_with_a_row_of_each(self, write: Write) -> None:
        files = {
            "0.parquet": {**rows("a", "b"), "at": [5, 978300760]},
            "1.parquet": {**rows("a", "b", "c"), "at": [7, 8, 978300760000]},
        }
        message = r"plays: .*978300760 \(row 2 of 0\.parquet\) in seconds and 978300760000 \(row 3 of 1"
        with pytest.raises(DataError, match=message):
            read(write(files), columns=Columns(timestamp="at"))

    def test_lists_in_a_folder_are_refused(self, write: Write) -> None:
        with pytest.raises(DataError, match="a folder of Parquet files; `layout: lists` is for text"):
            read(write(TWO), layout="lists")

    def test_a_file_that_changes_after_the_folder_was_located_is_reported(self, write: Write) -> None:
        config = config_of(write(TWO))
        located = locate(config)
        write({"part-00001.parquet": rows("b", "e", item=2)})
        with pytest.raises(DataError, match="changed while it was used"):
            read_ratings(config, located)

    def test_a_file_that_changes_between_two_passes_is_reported(self, write: Write) -> None:
        located = locate(config_of(write(TWO)))
        ratings = open_ratings(Path(located.path), Columns(), located.sha256)
        assert sum(len(batch.users) for batch in ratings.batches()) == 5
        write({"part-00001.parquet": rows("b", "e", "f", item=2)})
        with pytest.raises(DataError, match=r"part-00001\.parquet: changed while it was used"):
            list(ratings.batches())


class TestDigest:
    def digest(self, folder: Path) -> str:
        return locate(config_of(folder)).sha256

    def test_it_is_of_the_content_wherever_the_folder_is(self, write: Write, tmp_path: Path) -> None:
        folder = write(TWO)
        before = self.digest(folder)
        folder.rename(tmp_path / "moved")
        assert self.digest(tmp_path / "moved") == before

    def test_another_name_another_byte_or_a_further_file_is_another_digest(self, write: Write) -> None:
        folder = write(TWO)
        digests = [self.digest(folder)]
        (folder / "part-00001.parquet").rename(folder / "part-00002.parquet")
        digests.append(self.digest(folder))
        data = bytearray((folder / "part-00002.parquet").read_bytes())
        data[10] ^= 1
        (folder / "part-00002.parquet").write_bytes(data)
        digests.append(self.digest(folder))
        write({"part-00003.parquet": rows("a")})
        digests.append(self.digest(folder))
        assert len(set(digests)) == 4


def test_one_file_and_the_same_rows_in_a_folder_are_the_same_frame(write: Write, tmp_path: Path) -> None:
    folder = write(TWO)
    whole = pd.concat([pq.read_table(folder / name).to_pandas() for name in TWO])
    whole.to_parquet(tmp_path / "whole.parquet")
    pd.testing.assert_frame_equal(read(folder).frame, read(tmp_path / "whole.parquet").frame)
