"""A split whose test part is a published file.

Raw ids are compared as text. The ids of a file are integers only if all of them are, so the same id may be an integer
in one of the files and text in the other. Where all ids of a file are numbers, `1.0` meets `1`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.duplicates import resolve_duplicates
from tasks.core.data.filters import FilteredRatings, filter_ratings, refuse_negative
from tasks.core.data.interactions import Interactions
from tasks.core.data.readers.ratings import Ratings
from tasks.core.data.splits.split import Split
from tasks.core.errors import DataError
from tasks.core.formatting import examples, shown
from tasks.core.types import Ids

_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]{0,17}))(?:\.([0-9]+))?")
"""A number whose integer part is written as Python writes integers, as `is_canonical_integer` has it: not `007`."""


@dataclass(frozen=True)
class PublishedSplit(Split):
    """A split whose test part is a published file.

    Attributes
    ----------
    train, test : (U', I') CSR float32
        See `Split`.
    by_numbers : bool
        Whether some ids of the two files are the same numbers in different spellings, such as `1.0` and `1`.
    in_train : int
        Interactions of the test file that were left out, because they are in the train part too.
    """

    by_numbers: bool = False
    in_train: int = 0


@dataclass(frozen=True)
class PublishedRatings(FilteredRatings):
    """Ratings of a test file that count as interactions.

    Attributes
    ----------
    frame, counts
        See `FilteredRatings`.
    repeated : int
        Lines that `overlap: drop` left out, because a later one is of the same user and item. They are in none of the
        counts but that of the ratings read.
    """

    repeated: int = 0


def published_test(ratings: Ratings, config: PreprocessConfig, *, overlap: str = "error") -> PublishedRatings:
    """Apply the rules on single ratings to a published test file.

    The k-core is not applied: it is a rule on the train part.

    Parameters
    ----------
    ratings : Ratings
        Of the test file.
    config : PreprocessConfig
        The rules of the train part.
    overlap : str
        `drop`: where `config.duplicates` is `error`, the last of repeated ratings is kept.

    Returns
    -------
    PublishedRatings
        Empty only if the file has no ratings.

    Raises
    ------
    DataError
        If there are duplicates and both `config.duplicates` and `overlap` are `error`, a rule leaves nothing, or a
        rating of 0 or less would count as liked.
    """
    n_read, repeated = len(ratings.frame), 0
    if overlap == "drop" and config.duplicates == "error":
        frame = resolve_duplicates(ratings.frame, config.model_copy(update={"duplicates": "last"}))
        repeated = n_read - len(frame)
    else:
        frame = resolve_duplicates(ratings.frame, config)
    filtered = filter_ratings(frame, config, read=n_read)
    refuse_negative(filtered.frame, config)
    counts = replace(filtered.counts, duplicates=filtered.counts.duplicates - repeated)
    return PublishedRatings(filtered.frame, counts, repeated)


def split_of_files(interactions: Interactions, test_ratings: FilteredRatings, config: FilesSplit) -> PublishedSplit:
    """Return the split whose train part is all interactions, and whose test part is a published file.

    Parameters
    ----------
    interactions : Interactions
        The train part.
    test_ratings : FilteredRatings
        See `published_test`. Users and items that the interactions do not have get rows and columns after theirs.
    config : FilesSplit
        What to do with interactions of both parts; and the test file's name, for messages.

    Returns
    -------
    PublishedSplit
        The values of the test part are 1.

    Raises
    ------
    DataError
        If the test part is empty, none of its users or none of its items is in the train part, or one of its
        interactions is in the train part too; with `overlap: drop`, if all are.
    """
    from scipy.sparse import csr_array

    frame = test_ratings.frame
    if frame.empty:
        raise DataError(f"evaluation.split.test: {config.test} holds no interaction; expected at least one")
    users = _match("user", interactions.user_ids, frame["user"], config)
    items = _match("item", interactions.item_ids, frame["item"], config)
    matrix, shape = interactions.matrix, (users.number, items.number)
    empty_rows = np.full(users.number - matrix.shape[0], matrix.nnz, dtype=matrix.indptr.dtype)
    train = csr_array((matrix.data, matrix.indices, np.concatenate([matrix.indptr, empty_rows])), shape=shape)
    test = csr_array((np.ones(len(frame), dtype=np.float32), (users.indexes, items.indexes)), shape=shape)
    test.sort_indices()
    in_both = train.multiply(test).tocsr()
    if in_both.nnz and (config.overlap == "error" or in_both.nnz == test.nnz):
        row, column = (indexes[0] for indexes in in_both.tocoo().coords)
        user, item = interactions.user_ids[row], interactions.item_ids[column]
        remedy = "" if config.overlap == "drop" else ", or set evaluation.split.overlap: drop to leave them out"
        raise DataError(
            f"evaluation.split.test: {in_both.nnz} of its {test.nnz} interactions are in the train part too, for "
            f"example user {shown(str(user))} with item {shown(str(item))}; items of the train part are never "
            f"recommended: remove them from one of the files{remedy}"
        )
    if in_both.nnz:
        in_both.data[:] = 1  # as in the test part, so that the difference is 0
        test = test - in_both
        test.eliminate_zeros()
    return PublishedSplit(train, test, by_numbers=users.by_numbers or items.by_numbers, in_train=in_both.nnz)


@dataclass(frozen=True)
class _Matched:
    """The index of each row's id, (n,) int32; the number of all ids; and whether spellings had to be matched."""

    indexes: Ids
    number: int
    by_numbers: bool = False


def _match(kind: str, train_ids: npt.NDArray[Any], column: Any, config: FilesSplit) -> _Matched:
    """Return the indexes of the users or items of a test file. Those that the train part lacks come after its own."""
    column = column.cat.remove_unused_categories()
    train, test = ([str(raw_id) for raw_id in ids.tolist()] for ids in (train_ids, column.cat.categories))
    as_text, by_number = _indexes(train, test), _indexes(_as_numbers(train), _as_numbers(test))
    if min(by_number) >= len(train):
        raise DataError(
            f"evaluation.split.test: {config.test}: none of its {len(test):,} {kind}s is in the train part; they are "
            f"such as {examples(test)}, and those of the train part such as {examples(train)}; write the ids of the "
            "two files alike"
        )
    indexes = np.array(by_number, dtype=np.int32)
    number = max(len(train), int(indexes.max()) + 1)
    return _Matched(indexes[column.cat.codes.to_numpy()], number, by_number != as_text)


def _indexes(train: Sequence[str], test: Sequence[str]) -> list[int]:
    """Return the index of each test id among the train ids; new ids are numbered after these."""
    index_of = {name: index for index, name in enumerate(train)}
    return [index_of.setdefault(name, len(index_of)) for name in test]


def _as_numbers(texts: Sequence[str]) -> Sequence[str]:
    """Return ids so that equal numbers are equal texts: `1.0` and `1` as `1`, `1.50` as `1.5`.

    As they are, if one of them is no number, or two of them are the same number: then spelling tells them apart.
    """
    numbers = []
    for text in texts:
        match = _NUMBER.fullmatch(text)
        if match is None:
            return texts
        fraction = (match[2] or "").rstrip("0")
        numbers.append(f"{match[1]}.{fraction}" if fraction else match[1])
    return numbers if len(set(numbers)) == len(texts) else texts
