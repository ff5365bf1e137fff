"""The held-out splits of a config, made or found again in the store under the digest of what they are made from."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig, reading_settings
from tasks.core.config.evaluation import (
    EvaluationConfig,
    FilesSplit,
    FoldsSplit,
    LeaveLastSplit,
    StrongSplit,
    TimeSplit,
)
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import Summary, save_matrix
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.splits.draw import draw_split
from tasks.core.data.splits.held_out import SPLITS, HeldOut, PublishedTest
from tasks.core.data.splits.order import check_order
from tasks.core.data.splits.published import published_test, split_of_files
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import ALGORITHM
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, combined_sha256, put, recall, remember

T = TypeVar("T")


def with_splits(
    data: PreparedData,
    evaluation: EvaluationConfig,
    *,
    dataset: DatasetConfig,
    settings: PreprocessConfig,
    ratings: StoredFile,
    seeds: Sequence[int],
) -> PreparedData:
    """Return the data with their held-out splits, made now or by an earlier run from the same bytes.

    Parameters
    ----------
    data : PreparedData
        Interactions.
    evaluation : EvaluationConfig
        Split and part.
    dataset, settings, ratings
        As for `prepare`: the ratings hold the timestamps, and the rules on ratings apply to a published test file too.
    seeds : sequence of int
        Of each split; folds have one in common.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `tasks.core.data.splits.draw.draw_split` and `tasks.core.data.splits.published.split_of_files`.
    """
    splits = tuple(
        _held_out(data, evaluation, dataset=dataset, settings=settings, ratings=ratings, seed=seed, number=number)
        for number, seed in enumerate(seeds)
    )
    return replace(data, splits=splits)


def _held_out(
    data: PreparedData,
    evaluation: EvaluationConfig,
    *,
    dataset: DatasetConfig,
    settings: PreprocessConfig,
    ratings: StoredFile,
    seed: int,
    number: int,
) -> HeldOut:
    """Return the split of a number, which only the key of a fold depends on: other splits differ by their seeds."""
    config = evaluation.split
    published = test_file = None
    if isinstance(config, FilesSplit):
        reading = config.model_dump(exclude={"strategy", "test", "overlap"})
        published = DatasetConfig(name="file", path=config.test, **reading)
        test_file = _naming_the_test_file(partial(locate, published))
    key = combined_sha256(
        *(data.sha256, ratings.sha256, reading_settings(dataset), settings.identity(), test_file and test_file.sha256),
        *(reading_settings(config), evaluation.part, seed, ALGORITHM),
        *([number] if isinstance(config, FoldsSplit) else []),
    )
    train, test, visible = (recall(SPLITS, f"{key}-{part}") for part in ("train", "test", "visible"))
    known = _load_published(test, data.summary) if test else None
    by_users = isinstance(config, StrongSplit) or (isinstance(config, FoldsSplit) and config.by == "users")
    lacks_visible = by_users and visible is None
    # as for interactions, an earlier version stored no counts
    if train is None or test is None or lacks_visible or (published and known is None):
        arrays: dict[str, Any] = {}
        validation = evaluation.part == "validation"
        split: Split
        if isinstance(config, FilesSplit) and published and test_file:
            located = test_file
            overlap = config.overlap
            filtered = _naming_the_test_file(
                lambda: published_test(read_ratings(published, located), settings, overlap=overlap)
            )
            split = split_of_files(data.load(times=True), filtered, config)
            arrays = {"counts": filtered.counts.array(), "by_numbers": np.array(split.by_numbers)}
            if overlap == "drop":
                arrays["left_out"] = np.array([split.in_train, filtered.repeated])
        else:
            assert not isinstance(config, FilesSplit)
            interactions = data.load(times=isinstance(config, LeaveLastSplit | TimeSplit))
            if dataset.order:
                check_order(interactions, config)
            split = draw_split(interactions, config, seed=seed, number=number, validation=validation)
        train = put(SPLITS, ".npz", partial(save_matrix, split.train))
        test = put(SPLITS, ".npz", partial(save_matrix, split.test, **arrays))
        remember(SPLITS, f"{key}-train", train)
        remember(SPLITS, f"{key}-test", test)
        if split.visible is not None:
            visible = put(SPLITS, ".npz", partial(save_matrix, split.visible))
            remember(SPLITS, f"{key}-visible", visible)
        known = _load_published(test, data.summary)
    # earlier versions matched ids as text only: what they evaluated under `key` is another split
    sha256 = combined_sha256(key, "ids matched as numbers") if known and known.by_numbers else key
    return HeldOut(train, test, sha256, known, visible)


def _load_published(test: StoredFile, train: Summary) -> PublishedTest | None:
    """Return what is stored with a published test part; None if there is nothing."""
    with np.load(Path(test.path), allow_pickle=False) as arrays:
        if "counts" not in arrays:
            return None
        users, items = arrays["shape"].tolist()
        ratings = RatingCounts.of_array(arrays["counts"])
        left_out = arrays["left_out"].tolist() if "left_out" in arrays else (0, 0)
        return PublishedTest(ratings, users - train.users, items - train.items, bool(arrays["by_numbers"]), *left_out)


def _naming_the_test_file(step: Callable[[], T]) -> T:
    """Run a step on a published test file. Its errors name the keys of `evaluation.split`, not those of `dataset`."""
    try:
        return step()
    except DataError as error:
        message = str(error).removeprefix("dataset.path: ")
        message = re.sub(r"\bdataset\.(columns|header|quote|separator)\b", r"evaluation.split.\1", message)
        once = "evaluation.split.overlap: drop counts repeated lines of a test file once; "
        message = message.replace("preprocess.duplicates: last", f"{once}preprocess.duplicates: last")
        raise DataError(f"evaluation.split.test: {message}") from error
