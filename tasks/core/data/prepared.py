"""Interactions and their held-out split, kept in the store under the digest of everything they are made from."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tasks.core.config.base import Section
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig, without_later_settings
from tasks.core.config.evaluation import EvaluationConfig, FilesSplit
from tasks.core.data import preprocessing, splits
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import Interactions, Summary, load_matrix, save_matrix, summarize
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.published_split import published_test, split_of_files
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.splits import Split, hold_out
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, combined_sha256, put, recall, remember
from tasks.core.formatting import counted
from tasks.core.types import Ids

INTERACTIONS, SPLITS = "interactions", "splits"
"""Folders of the store."""
T = TypeVar("T")


@dataclass(frozen=True)
class PublishedTest:
    """What is known of a published test file.

    Attributes
    ----------
    ratings : RatingCounts
        Its ratings, and those of them that were dropped.
    users, items : int
        How many of its users and items are not in the train part.
    by_numbers : bool
        See `tasks.core.data.published_split.PublishedSplit`.
    """

    ratings: RatingCounts
    users: int
    items: int
    by_numbers: bool

    def text(self, settings: PreprocessConfig) -> str:
        """Return the counts in words, with the values of the keys of `preprocess`."""
        users, items = counted(self.users, "user"), counted(self.items, "item")
        return f"{self.ratings.text(settings)}; {users} and {items} of it are not in the train part"


@dataclass(frozen=True)
class HeldOut:
    """A split in the store.

    Attributes
    ----------
    train, test : StoredFile
        Matrices, see `tasks.core.data.splits.Split`.
    sha256 : str
        Digest of everything that decides the split.
    published : PublishedTest or None
        Only where the test part is a published file.
    """

    train: StoredFile
    test: StoredFile
    sha256: str
    published: PublishedTest | None = None

    def load(self) -> Split:
        """Return the split.

        Raises
        ------
        DataError
            If a file is missing or differs from its digest.
        """
        return Split(load_matrix(self.train.check()), load_matrix(self.test.check()))


@dataclass(frozen=True)
class PreparedData:
    """Interactions in the store.

    Attributes
    ----------
    file : StoredFile
        See `tasks.core.data.interactions.Interactions`.
    sha256 : str
        Digest of the interactions themselves, the same on every machine.
    summary : Summary
    held_out : HeldOut or None
        The split, in experiments with evaluation.
    listed : StoredFile or None
        Users or items that have lists in all runs, where models are read from files and some users or items have none.
    ratings : RatingCounts or None
        Ratings that were read, and dropped; None if that is not known.
    """

    file: StoredFile
    sha256: str
    summary: Summary
    held_out: HeldOut | None = None
    listed: StoredFile | None = None
    ratings: RatingCounts | None = None

    def load(self, *, times: bool = False) -> Interactions:
        """Return the interactions.

        Parameters
        ----------
        times : bool
            Whether with the timestamps, which only splits use.

        Returns
        -------
        Interactions

        Raises
        ------
        DataError
            If the file is missing or differs from its digest.
        """
        return Interactions.load(self.file.check(), times=times)

    def listed_rows(self) -> dict[str, Ids]:
        """Return `users` or `items` -> the indexes of those that have lists, where some have none."""
        if self.listed is None:
            return {}
        with np.load(self.listed.check(), allow_pickle=False) as arrays:
            return dict(arrays)


def store_interactions(interactions: Interactions, listed: Mapping[str, Ids]) -> PreparedData:
    """Put interactions into the store that are made from files of lists or factors.

    Parameters
    ----------
    interactions : Interactions
        The users and items that are compared.
    listed : mapping of str to (E,) int32
        See `PreparedData.listed_rows`.

    Returns
    -------
    PreparedData
    """
    file = put(INTERACTIONS, ".npz", interactions.save)
    rows = put(INTERACTIONS, ".npz", partial(_save_rows, dict(listed))) if listed else None
    return PreparedData(file, interactions.digest(), summarize(interactions.matrix), listed=rows)


def _save_rows(rows: dict[str, Ids], path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **rows)


def prepare(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> PreparedData:
    """Return the interactions of a data set, made now or by an earlier run from the same bytes.

    Parameters
    ----------
    dataset : DatasetConfig
        The data set.
    settings : PreprocessConfig
        Rules on ratings.
    ratings : StoredFile
        The located data set, see `tasks.core.data.locate.locate`.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `read_ratings` and `build`.
    """
    key = combined_sha256(ratings.sha256, _reading(dataset), settings.identity(), preprocessing.ALGORITHM)
    file = recall(INTERACTIONS, key)
    interactions = Interactions.load(file.check()) if file else None
    # an earlier version stored no counts, and did not refuse all that is refused now
    if file is None or interactions is None or interactions.counts is None:
        del interactions  # before others are made
        file = put(INTERACTIONS, ".npz", build(read_ratings(dataset, ratings), settings).save)
        remember(INTERACTIONS, key, file)
        interactions = Interactions.load(file.check())
    return PreparedData(file, interactions.digest(), summarize(interactions.matrix), ratings=interactions.counts)


def with_split(
    data: PreparedData,
    evaluation: EvaluationConfig,
    *,
    dataset: DatasetConfig,
    settings: PreprocessConfig,
    ratings: StoredFile,
    seed: int,
) -> PreparedData:
    """Return the data with their held-out split, made now or by an earlier run from the same bytes.

    Parameters
    ----------
    data : PreparedData
        Interactions, and their split.
    evaluation : EvaluationConfig
        Split and part.
    dataset, settings, ratings
        As for `prepare`: the ratings hold the timestamps, and the rules on ratings apply to a published test file too.
    seed : int
        Of the split.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `tasks.core.data.splits.hold_out` and `tasks.core.data.published_split.split_of_files`.
    """
    config = evaluation.split
    published = test_file = None
    if isinstance(config, FilesSplit):
        published = DatasetConfig(name="file", path=config.test, **config.model_dump(exclude={"strategy", "test"}))
        test_file = _naming_the_test_file(partial(locate, published))
    key = combined_sha256(
        *(data.sha256, ratings.sha256, _reading(dataset), settings.identity(), test_file and test_file.sha256),
        *(_reading(config), evaluation.part, seed, splits.ALGORITHM),
    )
    train, test = (recall(SPLITS, f"{key}-{part}") for part in ("train", "test"))
    known = _load_published(test, data.summary) if test else None
    # as for interactions, an earlier version stored no counts
    if train is None or test is None or (published and known is None):
        arrays: dict[str, Any] = {}
        split: Split
        if isinstance(config, FilesSplit) and published and test_file:
            located = test_file
            filtered = _naming_the_test_file(lambda: published_test(read_ratings(published, located), settings))
            split = split_of_files(data.load(times=True), filtered, config)
            arrays = {"counts": filtered.counts.array(), "by_numbers": np.array(split.by_numbers)}
        else:
            assert not isinstance(config, FilesSplit)
            split = hold_out(data.load(times=True), config, seed=seed, validation=evaluation.part == "validation")
        train = put(SPLITS, ".npz", partial(save_matrix, split.train))
        test = put(SPLITS, ".npz", partial(save_matrix, split.test, **arrays))
        remember(SPLITS, f"{key}-train", train)
        remember(SPLITS, f"{key}-test", test)
        known = _load_published(test, data.summary)
    # earlier versions matched ids as text only: what they evaluated under `key` is another split
    sha256 = combined_sha256(key, "ids matched as numbers") if known and known.by_numbers else key
    return replace(data, held_out=HeldOut(train, test, sha256, known))


def _load_published(test: StoredFile, train: Summary) -> PublishedTest | None:
    """Return what is stored with a published test part; None if there is nothing."""
    with np.load(Path(test.path), allow_pickle=False) as arrays:
        if "counts" not in arrays:
            return None
        users, items = arrays["shape"].tolist()
        ratings = RatingCounts.of_array(arrays["counts"])
        return PublishedTest(ratings, users - train.users, items - train.items, bool(arrays["by_numbers"]))


def _reading(section: Section) -> dict[str, object]:
    """Return the settings of a data set or of a split that decide how its file is read, wherever it is."""
    return without_later_settings(section.model_dump(exclude={"path", "url", "sha256", "test"}))


def _naming_the_test_file(step: Callable[[], T]) -> T:
    """Run a step on a published test file. Its errors name the keys of `evaluation.split`, not those of `dataset`."""
    try:
        return step()
    except DataError as error:
        message = str(error).removeprefix("dataset.path: ")
        message = re.sub(r"\bdataset\.(columns|header|quote|separator)\b", r"evaluation.split.\1", message)
        raise DataError(f"evaluation.split.test: {message}") from error
