"""Verification of the files under the home: which are reported as damaged, missing or extra."""

import hashlib
from pathlib import Path

import pytest

from tasks.core.data.prepared import INTERACTIONS
from tasks.core.data.splits.held_out import SPLITS, HeldOut
from tasks.core.files import put
from tasks.core.models.spark.als import write_table
from tasks.recovery.verify_home import verify_home
from tasks.tracking.verify import Problem
from tests.core.data.prepared_example import hold_out_file, write_ratings


@pytest.fixture
def held_out(tmp_path: Path) -> HeldOut:
    """A split in the home, with the interactions that it was made from."""
    return hold_out_file(write_ratings(tmp_path))


def test_an_empty_home_has_no_problems() -> None:
    check = verify_home()
    assert (check.files, check.problems) == (0, [])


def test_undamaged_interactions_and_splits_have_no_problems(held_out: HeldOut) -> None:
    """Three files: the interactions, and the two parts of the split."""
    check = verify_home()
    assert (check.files, check.problems) == (3, [])


def test_the_visible_part_of_users_who_are_held_out_is_verified(tmp_path: Path) -> None:
    held_out = hold_out_file(write_ratings(tmp_path), split={"strategy": "strong"})
    assert held_out.visible is not None
    assert verify_home().files == 4
    Path(held_out.visible.path).unlink()
    assert verify_home().problems == [Problem("home", f"splits/{Path(held_out.visible.path).name}", "missing")]


def test_damaged_missing_and_extra_files_are_reported(held_out: HeldOut, home: Path) -> None:
    Path(held_out.test.path).write_bytes(b"damaged")
    Path(held_out.train.path).unlink()
    (home / SPLITS / "stranger.txt").write_text("extra")
    check = verify_home()
    assert check.files == 3
    assert len(check.problems) == 3
    assert set(check.problems) == {
        Problem("home", f"splits/{Path(held_out.test.path).name}", "damaged"),
        Problem("home", f"splits/{Path(held_out.train.path).name}", "missing"),
        Problem("home", "splits/stranger.txt", "extra"),
    }


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": 1}'])
def test_an_unreadable_record_of_the_cache_is_reported_as_damaged(held_out: HeldOut, home: Path, content: str) -> None:
    """The file that it names is verified all the same: it is still in the folder."""
    record = next((home / SPLITS / "made-from").iterdir())
    record.write_text(content)
    check = verify_home()
    assert check.problems == [Problem("home", f"splits/made-from/{record.name}", "damaged")]
    assert check.files == 4


def test_a_table_that_spark_reads_is_verified(held_out: HeldOut, home: Path) -> None:
    table = Path(put(INTERACTIONS, ".parquet", lambda path: write_table(held_out.load().train, path)).path)
    assert (verify_home().files, verify_home().problems) == (4, [])
    table.write_bytes(b"damaged")
    assert verify_home().problems == [Problem("home", f"interactions/{table.name}", "damaged")]


def test_files_that_are_being_written_are_not_reported(held_out: HeldOut, home: Path) -> None:
    for name in (".tmp-1.npz", ".tmp-2"):
        (home / SPLITS / name).write_bytes(b"incomplete")
    assert verify_home().problems == []


def test_a_file_downloaded_for_a_url_is_compared_to_its_digest(home: Path) -> None:
    for content in (b"1,2,5\n", b"2,2,5\n"):
        folder = home / "datasets" / "by-sha256" / hashlib.sha256(content).hexdigest()
        folder.mkdir(parents=True)
        (folder / "ratings.csv").write_bytes(content)
    assert (verify_home().files, verify_home().problems) == (2, [])
    (folder / "ratings.csv").write_bytes(b"damaged")
    (folder / "tmpabcdefgh").write_bytes(b"left by a download that was killed")
    assert verify_home().problems == [Problem("home", f"datasets/by-sha256/{folder.name}/ratings.csv", "damaged")]
