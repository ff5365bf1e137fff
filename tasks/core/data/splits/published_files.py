"""The files of a published split: located, read by the rules of the train part, and what is known of them."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import Summary
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.splits.held_out import PublishedTest
from tasks.core.data.splits.published import PublishedSplit, published_test, split_of_files
from tasks.core.errors import DataError
from tasks.core.files import StoredFile

T = TypeVar("T")
Files = dict[str, tuple[DatasetConfig, StoredFile]]
"""`test`, and `visible` if there is one -> how the file is read, and where it is."""


def locate_files(config: FilesSplit) -> Files:
    """Return the files of a published split.

    Parameters
    ----------
    config : FilesSplit
        Names them, and says how they are read.

    Returns
    -------
    dict of str to (DatasetConfig, StoredFile)

    Raises
    ------
    DataError
        If a file does not exist or cannot be read.
    """
    reading = config.model_dump(exclude={"strategy", "test", "visible", "overlap"})
    paths = {"test": config.test, "visible": config.visible}
    files = {key: DatasetConfig(name="file", path=path, **reading) for key, path in paths.items() if path is not None}
    return {key: (file, _naming(key, partial(locate, file))) for key, file in files.items()}


def read_split(
    files: Files, config: FilesSplit, data: PreparedData, settings: PreprocessConfig
) -> tuple[PublishedSplit, dict[str, Any]]:
    """Return a published split, and what is stored with its test part.

    Parameters
    ----------
    files : dict
        See `locate_files`.
    config : FilesSplit
        The split.
    data : PreparedData
        The train part.
    settings : PreprocessConfig
        Rules on ratings. The k-core is a rule on the train part only.

    Returns
    -------
    split : PublishedSplit
    arrays : dict of str to array
        See `load_published`.

    Raises
    ------
    DataError
        See `published_test`, `build` and `split_of_files`.
    """
    test_ratings = _naming(
        "test", lambda: published_test(read_ratings(*files["test"]), settings, overlap=config.overlap)
    )
    visible = None
    if "visible" in files:
        rules = settings.model_copy(update={"k_core": None})
        visible = _naming("visible", lambda: build(read_ratings(*files["visible"]), rules))
    split = split_of_files(data.load(times=True), test_ratings, config, visible)
    arrays: dict[str, Any] = {"counts": test_ratings.counts.array(), "by_numbers": np.array(split.by_numbers)}
    if config.overlap == "drop":
        arrays["left_out"] = np.array([split.in_train, test_ratings.repeated])
    if visible is not None and visible.counts is not None and split.visible is not None:
        arrays["visible_counts"] = visible.counts.array()
        new_items = np.setdiff1d(split.visible.indices, np.arange(data.summary.items))
        arrays["visible_new"] = np.array([visible.matrix.shape[0], len(new_items)])  # users, items
    return split, arrays


def load_published(test: StoredFile, train: Summary) -> PublishedTest | None:
    """Return what is stored with a published test part.

    Parameters
    ----------
    test : StoredFile
        The test part.
    train : Summary
        Of the train part.

    Returns
    -------
    PublishedTest or None
        None if nothing is stored: an earlier version stored no counts.
    """
    with np.load(Path(test.path), allow_pickle=False) as arrays:
        if "counts" not in arrays:
            return None
        users, items = arrays["shape"].tolist()
        visible_users, visible_items = arrays["visible_new"].tolist() if "visible_new" in arrays else (0, 0)
        in_train, repeated = arrays["left_out"].tolist() if "left_out" in arrays else (0, 0)
        return PublishedTest(
            RatingCounts.of_array(arrays["counts"]),
            users - train.users - visible_users,
            items - train.items - visible_items,
            bool(arrays["by_numbers"]),
            in_train,
            repeated,
            RatingCounts.of_array(arrays["visible_counts"]) if "visible_counts" in arrays else None,
        )


def _naming(part: str, step: Callable[[], T]) -> T:
    """Run a step on a published file. Its errors name the keys of `evaluation.split`, not those of `dataset`."""
    try:
        return step()
    except DataError as error:
        message = str(error).removeprefix("dataset.path: ")
        message = re.sub(r"\bdataset\.(columns|header|quote|separator)\b", r"evaluation.split.\1", message)
        if part == "test":
            once = "evaluation.split.overlap: drop counts repeated lines of a test file once; "
            message = message.replace("preprocess.duplicates: last", f"{once}preprocess.duplicates: last")
        raise DataError(f"evaluation.split.{part}: {message}") from error
