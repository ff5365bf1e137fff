"""Interactions and their split in the store: when they are made again, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig, reading_settings
from tasks.core.config.evaluation import FilesSplit, StrongSplit
from tasks.core.data.filters import RatingCounts
from tasks.core.data.locate import locate
from tasks.core.data.prepared import INTERACTIONS, prepare
from tasks.core.data.splits.held_out import SPLITS, PublishedTest
from tasks.core.data.splits.strong import hold_out_strongly
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, combined_sha256, put
from tests.core.data.prepared_example import hold_out_file, prepare_file, splits_of_file, write_ratings

LAST: dict[str, Any] = {"split": {"strategy": "leave_last"}}


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    return write_ratings(tmp_path)


def modification_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}


# Interactions


def test_interactions_are_made_once(ratings: Path, home: Path) -> None:
    first = prepare_file(ratings)
    before = modification_times(home / INTERACTIONS)
    assert prepare_file(ratings) == first
    assert modification_times(home / INTERACTIONS) == before
    assert len(before) == 1


def test_the_path_of_a_ratings_file_does_not_decide_its_interactions(ratings: Path, home: Path) -> None:
    first = prepare_file(ratings)
    assert prepare_file(ratings.rename(ratings.with_name("renamed.csv"))) == first
    assert len(list((home / INTERACTIONS / "made-from").iterdir())) == 1


def test_other_settings_give_other_interactions(ratings: Path) -> None:
    rating, binary = prepare_file(ratings), prepare_file(ratings, confidence="binary")
    assert rating.sha256 != binary.sha256
    assert (set(rating.load().matrix.data), set(binary.load().matrix.data)) == ({5.0}, {1.0})


def test_prepared_data_have_a_digest_and_counts_of_the_interactions(ratings: Path) -> None:
    data = prepare_file(ratings)
    interactions = data.load()
    assert data.sha256 == interactions.digest()
    assert (data.summary.users, data.summary.items) == interactions.matrix.shape == (20, 15)
    assert data.summary.interactions == interactions.matrix.nnz
    assert not data.splits


def test_damaged_interactions_are_refused_and_then_made_again(ratings: Path) -> None:
    data = prepare_file(ratings)
    Path(data.file.path).write_bytes(b"damaged")
    with pytest.raises(DataError, match="the file was damaged"):
        data.load()
    assert prepare_file(ratings) == data
    assert data.load().digest() == data.sha256


def test_dropped_ratings_are_remembered(ratings: Path) -> None:
    text = ratings.read_text()
    ratings.write_text(text + "0,99,1,0,0\n")
    n = len(text.splitlines()) - 1
    for _ in range(2):
        assert prepare_file(ratings).ratings == RatingCounts(n + 1, min_rating=1)


def without_counts(file: StoredFile) -> None:
    """Make a stored matrix as an earlier version did: without counts, and recorded under the same keys."""
    folder = Path(file.path).parent
    with np.load(file.path) as arrays:
        kept = {name: arrays[name] for name in arrays if name not in ("counts", "by_numbers")}
    stored = put(folder.name, ".npz", lambda path: np.savez(path.open("wb"), **kept))
    for record in (folder / "made-from").iterdir():
        if Path(file.path).name in record.read_text():
            record.write_text(json.dumps({"name": Path(stored.path).name}))


def test_interactions_that_an_earlier_version_stored_are_made_again_with_their_counts(ratings: Path) -> None:
    data = prepare_file(ratings)
    without_counts(data.file)
    assert prepare_file(ratings) == data


# Splits


def test_a_split_is_made_once(ratings: Path, home: Path) -> None:
    first = hold_out_file(ratings)
    before = modification_times(home / SPLITS)
    assert hold_out_file(ratings) == first
    assert modification_times(home / SPLITS) == before
    assert len(before) == 2


def test_repeats_are_splits_with_seeds_of_their_own_and_keep_the_first(ratings: Path) -> None:
    splits = splits_of_file(ratings, seeds=[1, 2, 3], repeats=3)
    assert splits[0] == hold_out_file(ratings, seed=1)
    assert len({split.sha256 for split in splits}) == len({split.test.sha256 for split in splits}) == 3


def test_folds_are_splits_of_one_division(ratings: Path) -> None:
    data = prepare_file(ratings).load()
    splits = splits_of_file(ratings, seeds=[1] * 3, split={"strategy": "folds", "folds": 3})
    assert len({split.sha256 for split in splits}) == 3
    assert (sum(split.load().test for split in splits) != data.matrix).nnz == 0
    assert splits_of_file(ratings, seeds=[1] * 3, split={"strategy": "folds", "folds": 3}) == splits


def test_what_is_visible_of_the_users_of_a_fold_is_stored(ratings: Path) -> None:
    users = {"strategy": "folds", "by": "users", "folds": 3}
    splits = splits_of_file(ratings, seeds=[1] * 3, split=users)
    assert all(split.load().visible.nnz for split in splits)
    assert splits_of_file(ratings, seeds=[1] * 3, split=users) == splits


def test_another_column_of_timestamps_gives_another_split(ratings: Path) -> None:
    first, second = (hold_out_file(ratings, {"timestamp": name}, **LAST) for name in ("t1", "t2"))
    assert first.sha256 != second.sha256
    assert (first.load().test != second.load().test).nnz > 0
    with pytest.raises(DataError, match="needs timestamps"):
        hold_out_file(ratings, **LAST)


def test_the_validation_part_is_another_split(ratings: Path) -> None:
    test, validation = hold_out_file(ratings), hold_out_file(ratings, part="validation")
    assert test.sha256 != validation.sha256
    assert test.load().test.multiply(validation.load().test).nnz == 0


def test_another_seed_gives_another_split(ratings: Path) -> None:
    first, second = hold_out_file(ratings, seed=1), hold_out_file(ratings, seed=2)
    assert first.sha256 != second.sha256
    assert (first.load().test != second.load().test).nnz > 0


def test_a_damaged_or_missing_split_is_refused_and_then_made_again(ratings: Path) -> None:
    held_out = hold_out_file(ratings)
    Path(held_out.train.path).unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        held_out.load()
    assert hold_out_file(ratings) == held_out
    Path(held_out.test.path).write_bytes(b"damaged")
    Path(held_out.train.path).unlink()
    assert hold_out_file(ratings) == held_out
    assert held_out.load().counts()["test_interactions"] > 0


@pytest.mark.parametrize("part", ["test", "validation"])
def test_the_visible_part_of_users_who_are_held_out_is_stored(ratings: Path, home: Path, part: str) -> None:
    strong = {"split": {"strategy": "strong"}, "part": part}
    held_out = hold_out_file(ratings, **strong)
    before = modification_times(home / SPLITS)
    assert len(before) == 3
    assert hold_out_file(ratings, **strong) == held_out
    assert modification_times(home / SPLITS) == before
    split = held_out.load()
    assert split.visible is not None
    expected = hold_out_strongly(
        prepare_file(ratings).load().matrix, StrongSplit(strategy="strong"), seed=1, validation=part == "validation"
    )
    for stored, made in ((split.train, expected.train), (split.test, expected.test), (split.visible, expected.visible)):
        assert (stored != made).nnz == 0
    assert split.counts() == expected.counts()


def test_a_damaged_or_missing_visible_part_is_refused_and_then_made_again(ratings: Path) -> None:
    """Without it, nothing would be known of the users who are held out."""
    strong = {"split": {"strategy": "strong"}}
    held_out = hold_out_file(ratings, **strong)
    assert held_out.visible is not None
    Path(held_out.visible.path).write_bytes(b"damaged")
    with pytest.raises(DataError, match="the file was damaged"):
        held_out.load()
    assert hold_out_file(ratings, **strong) == held_out
    Path(held_out.visible.path).unlink()
    assert hold_out_file(ratings, **strong) == held_out
    assert held_out.load().visible is not None


# A published test file


def test_a_published_test_file_is_the_test_part_of_all_interactions(ratings: Path, tmp_path: Path) -> None:
    """The split depends on the content of the test file, not on its path."""
    test_file = tmp_path / "test.csv"
    test_file.write_text("user,item,rating\n99,1,5\n0,new,5\n3,new,4\n4,new,1\n")
    held_out = hold_out_file(ratings, split={"strategy": "files", "test": str(test_file)})
    split = held_out.load()
    assert split.train.nnz == prepare_file(ratings).summary.interactions
    users, items = split.test.tocoo().coords
    # the new user and the new item come after the 20 users and the 15 items of the train part
    assert (users.tolist().count(20), items.tolist().count(15)) == (1, 2)
    assert split.test.nnz == 3  # the rating of 1 is below min_rating
    assert held_out.published == PublishedTest(RatingCounts(4, min_rating=1), 1, 1, by_numbers=False)
    renamed = test_file.rename(tmp_path / "renamed.csv")
    assert hold_out_file(ratings, split={"strategy": "files", "test": str(renamed)}) == held_out
    renamed.write_text("user,item,rating\n0,new,5\n99,1,5\n")
    assert hold_out_file(ratings, split={"strategy": "files", "test": str(renamed)}).sha256 != held_out.sha256


def test_a_published_split_that_an_earlier_version_stored_is_made_again(ratings: Path, tmp_path: Path) -> None:
    test_file = tmp_path / "test.csv"
    test_file.write_text("user,item,rating\n99,1,5\n0,new,5\n")
    held_out = hold_out_file(ratings, split={"strategy": "files", "test": str(test_file)})
    without_counts(held_out.test)
    assert hold_out_file(ratings, split={"strategy": "files", "test": str(test_file)}) == held_out


def test_ids_that_meet_as_numbers_give_a_split_of_another_digest(ratings: Path, tmp_path: Path) -> None:
    """Earlier versions evaluated a split without a common user under the digest of the settings and the files."""
    test_file = tmp_path / "test.csv"
    test_file.write_text("user,item,rating\n0.0,99.0,5\n99.0,1.0,5\n")
    held_out = hold_out_file(ratings, split={"strategy": "files", "test": str(test_file)})
    (record,) = (Path(held_out.test.path).parent / "made-from").glob("*-test.json")
    assert held_out.published == PublishedTest(RatingCounts(2), 1, 1, by_numbers=True)
    assert held_out.sha256 != record.name.removesuffix("-test.json")
    assert hold_out_file(ratings, split={"strategy": "files", "test": str(test_file)}) == held_out


def test_what_overlap_left_out_is_remembered(ratings: Path, tmp_path: Path) -> None:
    """In the train part are user 0's first interactions. Without overlap, the file is refused."""
    item = ratings.read_text().splitlines()[1].split(",")[1]
    (tmp_path / "test.csv").write_text(f"user,item,rating\n0,{item},5\n0,new,5\n0,new,5\n")
    split = {"strategy": "files", "test": str(tmp_path / "test.csv")}
    with pytest.raises(DataError, match=r"^evaluation.split.test: user 0 rates item new twice.*overlap: drop counts"):
        hold_out_file(ratings, split=split)
    first = hold_out_file(ratings, split={**split, "overlap": "drop"})
    assert first.published == PublishedTest(RatingCounts(3), 0, 1, by_numbers=False, in_train=1, repeated=1)
    assert hold_out_file(ratings, split={**split, "overlap": "drop"}) == first
    assert first.load().test.nnz == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "test.csv: empty"), ("a,b\n1,2\n", "no column 'user'"), (None, "test.csv is not a file")],
)
def test_errors_of_a_published_test_file_name_its_config_key(
    ratings: Path, tmp_path: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "test.csv").write_text(content)
    with pytest.raises(DataError, match=f"^evaluation.split.test: .*{words}"):
        hold_out_file(ratings, split={"strategy": "files", "test": str(tmp_path / "test.csv")})


# Settings that were added later


def test_the_default_of_a_later_setting_does_not_change_the_key_of_stored_data(ratings: Path) -> None:
    """The keys were computed by the version that had no `dataset.quote`."""
    without = DatasetConfig(name="file", path=str(ratings))
    for dataset in (without, without.model_copy(update={"quote": "double"})):
        assert (
            combined_sha256("x", reading_settings(dataset))
            == "0b8a04852ab6c90e5e6508e873e7d3d396669f669eff3adb8fa07231ff492e56"
        )
    assert (
        combined_sha256("x", reading_settings(without.model_copy(update={"quote": "none"})))
        != "0b8a04852ab6c90e5e6508e873e7d3d396669f669eff3adb8fa07231ff492e56"
    )
    for quote in (None, "double"):
        split = FilesSplit(strategy="files", test="t.csv", quote=quote, overlap="error")
        assert (
            combined_sha256("x", reading_settings(split))
            == "1853d5b9310d5c4b1b588ebfd2ab0db4fffe797f6402db2dd2c16ba7d3544a57"
        )


def test_other_quoting_gives_other_interactions(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text('user,item,rating\n1,"a",5\n')

    def item(quote: str | None) -> str:
        dataset = DatasetConfig.model_validate({"name": "file", "path": str(path), "quote": quote})
        return str(prepare(dataset, PreprocessConfig(), locate(dataset)).load().item_ids[0])

    assert (item(None), item("none"), item("double")) == ("a", '"a"', "a")


def test_quotes_of_a_published_test_file_have_a_setting_of_their_own(ratings: Path, tmp_path: Path) -> None:
    test_file = tmp_path / "test.csv"
    test_file.write_text('user,item,rating\n0,"new,5\n3,new",4\n99,5,5\n')
    split = {"strategy": "files", "test": str(test_file)}
    with pytest.raises(DataError, match=r"^evaluation.split.test: .*test\.csv:2: the item id .* spans lines") as raised:
        hold_out_file(ratings, split=split)
    assert "set evaluation.split.quote: none" in str(raised.value)
    assert hold_out_file(ratings, split={**split, "quote": "none"}).load().test.nnz == 3


@pytest.mark.parametrize("strategy", ["random", "time", "leave_last"])
def test_a_folder_of_parquet_files_is_split_as_the_text_of_the_same_rows(tmp_path: Path, strategy: str) -> None:
    path = write_ratings(tmp_path)
    frame = pd.read_csv(path)
    (tmp_path / "parts").mkdir()
    for number, start in enumerate(range(0, len(frame), 20)):
        frame[start : start + 20].to_parquet(tmp_path / "parts" / f"part-{number:05}.parquet")
    of_text, of_folder = (
        hold_out_file(at, {"timestamp": "t1"}, split={"strategy": strategy}) for at in (path, tmp_path / "parts")
    )
    assert (of_folder.train.sha256, of_folder.test.sha256) == (of_text.train.sha256, of_text.test.sha256)
    assert prepare_file(tmp_path / "parts").sha256 == prepare_file(path).sha256
