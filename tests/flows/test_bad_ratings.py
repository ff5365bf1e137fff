"""Ratings that cannot be used: exit code 3, and the file, the line or the folder."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.data.synthetic import write_ratings
from tests.command_line import CommandLine


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "ratings.csv: empty; expected a line for each rating"),
        ("user,item,rating\n", "ratings.csv: a header and no ratings"),
        ("user,movie,rating\n1,1,5\n", "has no column 'item' for item; its columns are user, movie, rating"),
        ("user,item,rating\n1,1,5\n1,2,good\n", "ratings.csv:3: the rating is 'good'; expected a finite number"),
        ("user,item,rating\n1,1,5\n\n1,2,NaN\n", "ratings.csv:4: the rating is 'NaN'; expected a finite number"),
        ("user,item,rating\n1,1,inf\n", "ratings.csv:2: the rating is 'inf'; expected a finite number"),
        ("user,item,rating\n1,1,1e999\n", "ratings.csv:2: the rating is '1e999'; expected a finite number"),
        ("user,item,rating\n1,1,\n", "ratings.csv:2: the rating is ''; expected a finite number"),
        ("user,item,rating\n1,1,5\n,2,5\n", "ratings.csv:3: the user id is empty"),
        ("user,item,rating\n1,1,5\n1,2\n", "ratings.csv:3: 2 columns; rating is column 2 (from 0)"),
        ("user,item,rating\n1,1,5\n1,1,4\n", "user 1 rates item 1 twice (ratings 1 and 2 of the file)"),
        ("user,item,rating\n1,1,0\n", "a rating of 0: 1 of 1 ratings are 0 or less"),
    ],
)
def test_a_fault_in_the_ratings_is_reported_with_its_line(offline: CommandLine, content: str, message: str) -> None:
    (offline.folder / "ratings.csv").write_text(content)
    assert message in offline.failure(3, "data", "describe", "config.yaml")


def test_a_filter_that_leaves_no_rating_is_reported_with_the_range_of_the_ratings(offline: CommandLine) -> None:
    describe = ("data", "describe", "config.yaml", "--set", "preprocess.min_rating=6")
    message = offline.failure(3, *describe, run=offline.run)
    assert message.startswith("no rating is at least min_rating 6: ratings go from 5 to 5; lower preprocess.min_rating")


def published(folder: Path) -> Path:
    """Write the embedded data set's ratings, and return their path."""
    write_ratings(folder / "synthetic-100k.tsv", 20250101)
    return folder / "synthetic-100k.tsv"


def cut_off(folder: Path) -> str:
    path = published(folder)
    path.write_bytes(path.read_bytes()[:-1])
    return path.name


def altered(folder: Path) -> str:
    path = published(folder)
    path.write_bytes(path.read_bytes().replace(b"\t5\t", b"\t4\t", 1))
    return "."


def cut_zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "copy.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.write(published(folder), "synthetic-100k.tsv")
    (folder / "copy.zip").write_bytes((folder / "copy.zip").read_bytes()[:-200])
    return "copy.zip"


def folder_without(folder: Path) -> str:
    (folder / "copy").mkdir()
    return "copy"


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        (lambda _: "absent", "absent does not exist; remove the key to have the data set downloaded"),
        (cut_off, "(2,090,061 bytes) but 443f2ae85952… was published; it is truncated or altered"),
        (altered, "(2,090,062 bytes) but 443f2ae85952… was published; it is truncated or altered"),
        (cut_zip, "copy.zip: neither a directory nor a zip"),
        (folder_without, "copy: has no synthetic-100k.tsv; expected the unpacked archive's folder"),
    ],
)
def test_a_copy_that_differs_from_the_published_data_is_refused(
    offline: CommandLine, copy: Callable[[Path], str], message: str
) -> None:
    path = copy(offline.folder)
    copied = ["--set", "dataset.name=synthetic-100k", "--set", f"dataset.path={path}"]
    assert message in offline.failure(3, "data", "describe", "config.yaml", *copied)


@pytest.mark.parametrize("path", ["absent.csv", "."])
def test_a_path_that_is_not_a_file_is_refused(offline: CommandLine, path: str) -> None:
    message = offline.failure(3, "check", "config.yaml", "--set", f"dataset.path={path}")
    assert "is not a file; expected a CSV, TSV or Parquet file of ratings" in message


def test_a_damaged_parquet_file_is_refused(offline: CommandLine) -> None:
    (offline.folder / "ratings.parquet").write_bytes(b"PAR1, and then nothing of the kind")
    message = offline.failure(3, "data", "describe", "config.yaml", "--set", "dataset.path=ratings.parquet")
    assert "ratings.parquet: not readable as Parquet" in message


def test_a_home_that_cannot_be_written_is_reported(offline: CommandLine) -> None:
    (offline.folder / "home").write_text("not a folder")
    message = offline.failure(3, "data", "describe", "config.yaml")
    assert "cannot be written: Not a directory; free space, or set LATENTLAB_HOME elsewhere" in message
