"""Ratings files of every form, and how unusable ones are refused."""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tasks.core.config.dataset import Columns, DatasetConfig
from tasks.core.data.catalogue import entry
from tasks.core.data.locate import locate
from tasks.core.data.readers import archives, delimited
from tasks.core.data.readers.ratings import Ratings, read_ratings
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import file_sha256

HEADER = "user,item,rating\n"
RATINGS = b"1\t10\t4\n2\t20\t5\n"
TITLES = "10|Caf\u00e9 (1999)|x\n20|Two|y\n".encode("latin-1")
POSITIONS = Columns(user=0, item=1, rating=2)

ReadOwn = Callable[..., Ratings]


@pytest.fixture
def own(tmp_path: Path) -> ReadOwn:
    """Read `content` as one's own file of the given name."""

    def own(content: str | bytes | pd.DataFrame, name: str = "own.csv", **settings: object) -> Ratings:
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        config = DatasetConfig.model_validate({"name": "file", "path": str(path), **settings})
        return read_ratings(config, locate(config))

    return own


@pytest.fixture(params=["whole", "in parts"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read by blocks of a few bytes too, and parsed by two rows."""
    if request.param == "in parts":
        monkeypatch.setattr(archives, "BLOCK_BYTES", 3)
        monkeypatch.setattr(delimited, "_ROWS", 2)


def columns(ratings: Ratings) -> dict[str, list[object]]:
    return {str(name): ratings.frame[name].tolist() for name in ratings.frame}


@pytest.mark.usefixtures("parts")
class TestOwnFile:
    @pytest.mark.parametrize(
        ("name", "content", "settings"),
        [
            ("own.csv", "user,item,rating\n1,10,4\n2,20,4.5\n", {}),
            ("own.csv", "rating,junk,item,user\n4,x,10,1\n4.5,y,20,2\n", {}),
            ("own.csv", "user,item,rating\r\n1,10,4\r\n2,20,4.5\r\n", {}),
            ("own.csv", "\ufeffuser,item,rating\n1,10,4\n\n2,20,4.5", {}),
            ("own.csv", 'user,item,rating\n"1","10","4"\n2,20,4.5\n', {}),
            ("own.tsv", "user\titem\trating\n1\t10\t4\n2\t20\t4.5\n", {}),
            ("own.txt", "user;item;rating\n1;10;4\n2;20;4.5\n", {"separator": ";"}),
            ("own.csv", "who,what,stars\n1,10,4\n2,20,4.5\n", {"columns": Columns(user="who", item=1, rating="stars")}),
            ("own.csv", "4,10,1\n4.5,20,2\n", {"header": False, "columns": Columns(user=2, item=1, rating=0)}),
            ("own.dat", "1::10::4\n2::20::4.5\n", {"header": False, "separator": "::", "columns": POSITIONS}),
            ("own.dat", "1€10€4\n2€20€4.5\n", {"header": False, "separator": "€", "columns": POSITIONS}),
        ],
    )
    def test_text_in_any_form_gives_the_same_frame(
        self, own: ReadOwn, name: str, content: str, settings: dict[str, object]
    ) -> None:
        found = own(content, name, **settings)
        assert columns(found) == {"user": [1, 2], "item": [10, 20], "rating": [4.0, 4.5]}
        assert found.titles == {}

    def test_a_longer_file_gives_what_stands_in_it(self, own: ReadOwn) -> None:
        rows = [(f"u{i * 7 % 11}", str(i * 5 % 13), i % 9 / 2, 1000 + i) for i in range(100)]
        text = "".join(f"{user},{item},{rating},{at}\n" for user, item, rating, at in rows)
        found = own(text, header=False, columns=Columns(user=0, item=1, rating=2, timestamp=3))
        assert list(found.frame.itertuples(index=False, name=None)) == [(u, int(i), r, t) for u, i, r, t in rows]

    def test_a_separator_is_the_first_that_can_be(self, own: ReadOwn) -> None:
        where = Columns(user=0, item=1, rating=None)
        found = own("1:::a\n2:::b\n", "own.dat", header=False, separator="::", columns=where)
        assert columns(found) == {"user": [1, 2], "item": [":a", ":b"]}

    def test_parquet_gives_the_same_frame_as_text(self, own: ReadOwn) -> None:
        frame = pd.DataFrame({"junk": [0, 0], "item": [10, 20], "user": ["1", "2"], "rating": [4, 4.5]})
        assert columns(own(frame, "own.parquet")) == {"user": [1, 2], "item": [10, 20], "rating": [4.0, 4.5]}

    def test_ratings_and_timestamps_may_be_missing(self, own: ReadOwn) -> None:
        assert columns(own("user,item\n1,10\n", columns=Columns(rating=None))) == {"user": [1], "item": [10]}

    def test_timestamps_are_numbers(self, own: ReadOwn) -> None:
        found = own("user,item,rating,at\n1,10,4,874724710\n", columns=Columns(timestamp="at"))
        assert columns(found)["timestamp"] == [874724710.0]

    @pytest.mark.parametrize(
        ("ids", "expected"),
        [
            (["1", "2"], [1, 2]),
            (["-1", "0"], [-1, 0]),
            (["007", "7"], ["007", "7"]),
            (["1", "1.0"], ["1", "1.0"]),
            (["1", "b"], ["1", "b"]),
            (["+1", "1"], ["+1", "1"]),
            (["1", "٣"], ["1", "٣"]),
            (["NA", "null"], ["NA", "null"]),
            (["nan", "None"], ["nan", "None"]),
            (["true", "1e3"], ["true", "1e3"]),
            (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        ],
    )
    @pytest.mark.parametrize("form", ["csv", "parquet"])
    def test_ids_stay_as_they_are_written(
        self, own: ReadOwn, ids: list[str], expected: list[object], form: str
    ) -> None:
        frame = pd.DataFrame({"user": ids, "item": "x", "rating": 5})
        found = own(frame if form == "parquet" else frame.to_csv(index=False), f"own.{form}")
        assert columns(found)["user"] == expected

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (HEADER + "1,2,3\n1,3,good\n", "own.csv:3: the rating is 'good'; expected a finite number"),
            (HEADER + "1,2,3\n\n1,3,nan\n", "own.csv:4: the rating is 'nan'; expected a finite number"),
            (HEADER + "1,2,inf\n", "own.csv:2: the rating is 'inf'; expected a finite number"),
            (HEADER + "1,2,-Infinity\n", "own.csv:2: the rating is '-Infinity'; expected a finite number"),
            (HEADER + "1,2,1e400\n", "own.csv:2: the rating is '1e400'; expected a finite number"),
            (HEADER + "1,2,\n", "own.csv:2: the rating is ''; expected a finite number"),
            (HEADER + '"a\nb",2,3\nc,d,e\n', "own.csv:4: the rating is 'e'; expected a finite number"),
            (HEADER + "1,2,3\n,2,3\n", "own.csv:3: the user id is empty"),
            (HEADER + "1,,3\n", "own.csv:2: the item id is empty"),
            (HEADER + "1,2,3\n1,2\n", "own.csv:3: 2 columns; rating is column 2"),
            (HEADER.encode() + b"1,2,3\n\xfc,2,3\n", "own.csv:3: not UTF-8 text"),
            ("", "own.csv: empty"),
            (" \n\n", "own.csv: empty"),
            (HEADER, "own.csv: a header and no ratings"),
            (HEADER + "\n\n", "own.csv: a header and no ratings"),
            ("user,movie,rating\n1,2,3\n", "own.csv: has no column 'item' for item; its columns are user, movie"),
            ("user\titem\trating\n1\t2\t3\n", "own.csv: has no column 'user'"),
            pytest.param(
                HEADER + " ,2,3\n",
                "own.csv:2: the user id is empty",
            ),
            pytest.param(
                HEADER + "1,2,3\n1,3,1_0\n",
                "own.csv:3: the rating is '1_0'",
            ),
            (HEADER + "1,2,3\n1,3,٣\n", "own.csv:3: the rating is '٣'"),
            (HEADER + "1,2,3\n1,3,4\n1,4,5\n1,5,5,9\n", "own.csv:5: 4 columns, but the first line has 3"),
            (HEADER.encode() + b"1,2,3\n1,,3\n\xfc,2,3\n", "own.csv:4: not UTF-8 text"),
        ],
    )
    def test_a_fault_names_its_line(self, own: ReadOwn, content: str | bytes, message: str) -> None:
        with pytest.raises(DataError) as caught:
            own(content)
        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize(
        ("ids", "expected"),
        [
            (pd.Categorical(["b", "b", "7"], categories=["unused", "7", "b"]), ["b", "b", "7"]),
            (pd.Categorical([7, 7, 9]), [7, 7, 9]),
            (pd.array([7, 7, 9], dtype="Int64"), [7, 7, 9]),
            ([0.5, 1.0, 0.5], ["0.5", "1.0", "0.5"]),
            ([True, False, True], ["True", "False", "True"]),
            (
                pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01"]),
                ["2020-01-01 00:00:00", "2020-01-02 00:00:00"],
            ),
        ],
        ids=["categories of text", "categories of integers", "nullable integers", "floats", "booleans", "times"],
    )
    def test_ids_in_parquet_are_what_their_values_are_written_as(
        self, own: ReadOwn, tmp_path: Path, ids: object, expected: list[object]
    ) -> None:
        pd.DataFrame({"user": ids, "item": 1, "rating": 5}).to_parquet(tmp_path / "own.parquet", row_group_size=2)
        found = columns(own((tmp_path / "own.parquet").read_bytes(), "own.parquet"))["user"]
        assert found == [*expected, expected[0]][:3]

    @pytest.mark.parametrize(
        ("frame", "message"),
        [
            ({"user": [1.0, None], "item": [1, 2], "rating": [4, 5]}, "no user id in row 2"),
            ({"user": [1, 2], "item": ["a", None], "rating": [4, 5]}, "no item id in row 2"),
            ({"user": [1, 2], "item": [1, 2], "rating": [4.0, float("inf")]}, "the rating in row 2 is inf"),
            ({"user": [1, 2], "item": [1, 2], "rating": ["4", "good"]}, "column 'rating' for rating"),
            ({"user": [], "item": [], "rating": []}, "no rows"),
            ({"user": [1], "movie": [1], "rating": [4]}, "has no column 'item' for item"),
            pytest.param(
                {"user": ["", "b"], "item": [1, 2], "rating": [4, 5]},
                "no user id in row 1",
            ),
        ],
    )
    def test_a_fault_in_parquet_names_its_row(self, own: ReadOwn, frame: dict[str, list[object]], message: str) -> None:
        with pytest.raises(DataError, match=message):
            own(pd.DataFrame(frame), "own.parquet")

    def test_what_is_not_parquet_is_refused(self, own: ReadOwn) -> None:
        with pytest.raises(DataError, match="not readable as Parquet"):
            own(b"PAR1 and then nothing of the kind PAR1", "own.parquet")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"header": False}, "dataset.columns.user: found the name 'user' but `header: false`"),
            ({"columns": Columns(user=0, item=0, rating=2)}, "names a column twice"),
            ({"columns": Columns(user="item", item=1, rating=2)}, "names a column twice"),
        ],
    )
    def test_columns_that_cannot_be_meant_are_the_config_s_fault(
        self, own: ReadOwn, settings: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            own(HEADER + "1,2,3\n", **settings)

    def test_a_parquet_column_cannot_be_two_things(self, own: ReadOwn) -> None:
        with pytest.raises(ConfigError, match="names a column twice"):
            own(pd.DataFrame({"user": [1], "rating": [3]}), "own.parquet", columns=Columns(item="user"))

    def test_a_column_beyond_the_last_is_refused(self, own: ReadOwn) -> None:
        with pytest.raises(DataError, match="rating is column 7"):
            own(HEADER + "1,2,3\n", columns=Columns(rating=7))

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="is not a file"):
            locate(DatasetConfig(name="file", path=str(tmp_path / "gone.csv")))

    @pytest.mark.parametrize("rating", ["5", "x", ""])
    def test_a_text_that_changes_is_told_as_changed_whatever_it_is_now(self, tmp_path: Path, rating: str) -> None:
        path = tmp_path / "own.csv"
        path.write_text(HEADER + "1,2,4\n")
        config = DatasetConfig(name="file", path=str(path))
        located = locate(config)
        path.write_text(HEADER + f"1,2,{rating}\n")
        with pytest.raises(DataError, match="changed while it was used"):
            read_ratings(config, located)

    @pytest.mark.parametrize(
        "name",
        [
            "own.csv",
            pytest.param(
                "own.parquet",
            ),
        ],
    )
    def test_a_file_that_changes_between_locating_and_reading_is_refused(self, tmp_path: Path, name: str) -> None:
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


class TestLists:
    def test_a_line_a_user(self, own: ReadOwn) -> None:
        found = own("7 3 1\n5\n\n6\t3   9\n", "lists.txt", layout="lists")
        assert columns(found) == {"user": [7, 7, 6, 6], "item": [3, 1, 3, 9]}

    def test_a_separator_is_taken_as_it_is(self, own: ReadOwn) -> None:
        found = own("a b;x y;z\n", "lists.txt", layout="lists", separator=";")
        assert columns(found) == {"user": ["a b", "a b"], "item": ["x y", "z"]}

    def test_a_user_may_have_several_lines(self, own: ReadOwn) -> None:
        assert columns(own("1 2\n1 3\n", "l", layout="lists"))["item"] == [2, 3]

    @pytest.mark.parametrize(
        ("content", "settings", "message"),
        [
            ("", {}, "no interactions; expected a line a user"),
            ("1\n2\n", {}, "no interactions; expected a line a user"),
            ("1;2;;3\n", {"separator": ";"}, "l:1: an id is empty; expected `user item item ...`"),
            ("1;2\n;3\n", {"separator": ";"}, "l:2: an id is empty"),
            (b"1 2\n1 \xff\n", {}, "l:2: not UTF-8 text"),
        ],
    )
    def test_what_is_no_list_is_refused(
        self, own: ReadOwn, content: str, settings: dict[str, str], message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            own(content, "l", layout="lists", **settings)


@pytest.fixture
def catalogued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set `tiny` whose archive holds two pinned members."""
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
    bytes: {len(RATINGS)}
    sha256: {hashlib.sha256(RATINGS).hexdigest()}
    separator: "\\t"
    columns: {{user: 0, item: 1, rating: 2}}
  titles: {{member: tiny/titles, separator: "|", encoding: latin-1}}
"""
    )
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(path))


def read_tiny(path: Path) -> Ratings:
    config = DatasetConfig(name="tiny", path=str(path))
    return read_ratings(config, locate(config))


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice is meant
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


GOOD = (("tiny/ratings.tsv", RATINGS), ("tiny/titles", TITLES))


@pytest.mark.usefixtures("catalogued", "parts")
class TestLocalCopy:
    @pytest.mark.parametrize("folder", [".", "tiny"])
    def test_a_directory_is_read_with_or_without_its_top_folder(self, tmp_path: Path, folder: str) -> None:
        copy = tmp_path / "copy"
        (copy / folder).mkdir(parents=True)
        (copy / folder / "ratings.tsv").write_bytes(RATINGS)
        (copy / folder / "titles").write_bytes(TITLES)
        found = read_tiny(copy)
        assert columns(found) == {"user": [1, 2], "item": [10, 20], "rating": [4.0, 5.0]}
        assert found.titles == {10: "Café (1999)", 20: "Two"}

    @pytest.mark.parametrize(
        "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    )
    def test_a_zip_is_read_without_unpacking_it(self, tmp_path: Path, compression: int) -> None:
        path = tmp_path / "copy.zip"
        path.write_bytes(zipped(*GOOD, compression=compression))
        assert read_tiny(path).titles == {10: "Café (1999)", 20: "Two"}
        assert not (tmp_path / "tiny").exists()

    def test_an_altered_member_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "ratings.tsv").write_bytes(RATINGS.replace(b"4", b"3"))
        (tmp_path / "titles").write_bytes(TITLES)
        with pytest.raises(DataError, match=r"ratings\.tsv has sha256 .* was published; it is truncated or altered"):
            read_tiny(tmp_path)

    def test_a_directory_without_the_member_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"has no ratings\.tsv"):
            read_tiny(tmp_path)

    def test_a_path_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            read_tiny(tmp_path / "gone")

    def test_a_member_that_leads_outside_is_neither_read_nor_written(self, tmp_path: Path) -> None:
        path = tmp_path / "down" / "copy.zip"
        path.parent.mkdir()
        path.write_bytes(zipped(("../ratings.tsv", b"evil"), ("/tiny/ratings.tsv", b"evil"), *GOOD))
        assert len(read_tiny(path).frame) == 2
        assert not (tmp_path / "ratings.tsv").exists()

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            pytest.param(zipped(*GOOD, GOOD[0]), "holds tiny/ratings.tsv 2 times", id="duplicate member"),
            pytest.param(zipped(GOOD[1]), "holds tiny/ratings.tsv 0 times", id="missing member"),
            pytest.param(zipped(("../tiny/ratings.tsv", RATINGS)), "0 times", id="traversal only"),
            pytest.param(zipped(("tiny/ratings.tsv", RATINGS * 9)), "claims 126 bytes; expected 14", id="larger"),
            pytest.param(zipped(("tiny/ratings.tsv", RATINGS[:9])), "claims 9 bytes; expected 14", id="smaller"),
            pytest.param(zipped(("tiny/ratings.tsv", RATINGS[::-1])), "truncated or altered", id="altered"),
            pytest.param(zipped(*GOOD)[:-30], "neither a directory nor a zip", id="truncated"),
            pytest.param(zipped(*GOOD)[40:], "damaged zip|holds|Bad|cannot be read", id="beginning lost"),
            pytest.param(b"no zip at all", "neither a directory nor a zip", id="no zip"),
            pytest.param(b"", "neither a directory nor a zip", id="empty"),
        ],
    )
    def test_a_zip_that_is_not_the_published_one_is_refused(self, tmp_path: Path, data: bytes, message: str) -> None:
        path = tmp_path / "copy.zip"
        path.write_bytes(data)
        with pytest.raises(DataError, match=message):
            read_tiny(path)

    @pytest.mark.timeout(20)
    def test_a_size_that_lies_is_found_out_before_the_member_is_unpacked(self, tmp_path: Path) -> None:
        bomb = zipped(("tiny/ratings.tsv", bytes(50_000_000)))
        claimed = bomb.replace((50_000_000).to_bytes(4, "little"), len(RATINGS).to_bytes(4, "little"))
        path = tmp_path / "copy.zip"
        path.write_bytes(claimed)
        assert zipfile.ZipFile(path).getinfo("tiny/ratings.tsv").file_size == len(RATINGS)
        with pytest.raises(DataError, match=r"damaged zip|larger than"):
            read_tiny(path)

    @pytest.mark.parametrize(
        "compression",
        [
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
            zipfile.ZIP_BZIP2,
            pytest.param(
                zipfile.ZIP_LZMA,
            ),
        ],
    )
    def test_a_flipped_byte_is_an_expected_failure_or_harmless(self, tmp_path: Path, compression: int) -> None:
        whole = zipped(*GOOD, compression=compression)
        path = tmp_path / "copy.zip"
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo("tiny/ratings.tsv").compress_size
        start = 30 + len("tiny/ratings.tsv")  # the member's first byte, after its local header
        config = DatasetConfig(name="tiny", path=str(path))
        refused = 0
        for at in range(start, start + size, 1 + size // 20):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
            try:
                assert locate(config).sha256 == hashlib.sha256(RATINGS).hexdigest()
            except DataError:
                refused += 1
        assert refused

    def test_a_copy_that_changes_between_locating_and_reading_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "ratings.tsv").write_bytes(RATINGS)
        config = DatasetConfig(name="tiny", path=str(tmp_path))
        located = locate(config)
        (tmp_path / "ratings.tsv").write_bytes(RATINGS[::-1])
        with pytest.raises(DataError):
            read_ratings(config, located)

    def test_a_zip_that_is_damaged_between_locating_and_reading_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "copy.zip"
        whole = zipped(*GOOD, compression=zipfile.ZIP_STORED)
        path.write_bytes(whole)
        config = DatasetConfig(name="tiny", path=str(path))
        located = locate(config)
        path.write_bytes(whole.replace(b"20\t5", b"20\t4"))
        with pytest.raises(DataError, match="damaged zip"):
            read_ratings(config, located)

    def test_a_member_of_any_size_has_a_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archives, "_MOST", 10)
        path = tmp_path / "copy.zip"
        path.write_bytes(zipped(*GOOD))
        with pytest.raises(DataError, match=r"tiny/titles claims 26 bytes; expected at most 10"):
            read_tiny(path)

    @pytest.mark.parametrize(
        ("titles", "expected"),
        [
            pytest.param(
                b"10|One\x85Two|x\n20|Two|y\n",
                {10: "One\x85Two", 20: "Two"},
                id="0x85 in a title",
            ),
            pytest.param(
                b"10\n20|Two|y\n",
                {20: "Two"},
                id="no title",
            ),
            pytest.param(b"10|One\r\n\r\n20|Two\r\n", {10: "One", 20: "Two"}, id="Windows lines"),
            pytest.param(b'10|"One|x\n20|T"w"o"\n', {10: '"One', 20: 'T"w"o"'}, id="quotes"),
        ],
    )
    def test_titles_are_the_second_field_of_each_line(
        self, tmp_path: Path, titles: bytes, expected: dict[int, str]
    ) -> None:
        (tmp_path / "ratings.tsv").write_bytes(RATINGS)
        (tmp_path / "titles").write_bytes(titles)
        assert read_tiny(tmp_path).titles == expected


def test_the_synthetic_ratings_are_made_anew_where_damaged_and_else_kept(home: Path) -> None:
    config = DatasetConfig(name="synthetic-100k")
    (home / "datasets").mkdir(parents=True)
    (home / "datasets" / "synthetic-100k.tsv").write_bytes(b"1\t1\t5\t0\n")
    located = locate(config)
    made = Path(located.path).stat().st_mtime_ns
    assert file_sha256(Path(located.path)) == located.sha256 == entry("synthetic-100k").ratings.sha256
    assert locate(config) == located
    assert Path(located.path).stat().st_mtime_ns == made
    ratings = read_ratings(config, located)
    assert set(ratings.frame["item"].cat.categories) == set(ratings.titles)


def test_an_unknown_data_set_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'movielens-100k'"):
        locate(DatasetConfig(name="movielens-10k"))


@pytest.mark.genuine
def test_the_genuine_movielens_100k_is_the_published_one(genuine: Path) -> None:
    config = DatasetConfig(name="movielens-100k", path=str(genuine))
    ratings = read_ratings(config, locate(config))
    first = ratings.frame.iloc[0]
    assert (first["user"], first["item"], first["rating"], first["timestamp"]) == (196, 242, 3.0, 881250949.0)
    assert len(ratings.frame) == 100_000
    assert ratings.titles[1] == "Toy Story (1995)"
    assert ratings.titles[543] == "Misérables, Les (1995)"
