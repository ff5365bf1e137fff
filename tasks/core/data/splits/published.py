"""A split whose test part is a published file."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.duplicates import resolve_duplicates
from tasks.core.data.filters import FilteredRatings, filter_ratings, refuse_negative
from tasks.core.data.interactions import Interactions
from tasks.core.data.readers.ratings import Ratings
from tasks.core.data.splits.matching import Matched, match_ids
from tasks.core.data.splits.split import Split
from tasks.core.errors import DataError
from tasks.core.formatting import examples, shown
from tasks.core.types import Ids

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class PublishedSplit(Split):
    """A split whose test part is a published file.

    Attributes
    ----------
    train, test, visible
        See `Split`.
    by_numbers : bool
        Whether some ids of the two files are the same numbers in different spellings, such as `1.0` and `1`.
    in_train : int
        Interactions of the test file that were left out, because they are in the train or the visible part too.
    """

    by_numbers: bool = False
    in_train: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts of a split. Which users could have been held out is not known of a published one."""
        return {name: count for name, count in super().counts().items() if name != "users_too_small"}


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


def split_of_files(
    interactions: Interactions,
    test_ratings: FilteredRatings,
    config: FilesSplit,
    visible: Interactions | None = None,
) -> PublishedSplit:
    """Return the split whose train part is all interactions, and whose other parts are published files.

    Parameters
    ----------
    interactions : Interactions
        The train part.
    test_ratings : FilteredRatings
        See `published_test`. Users and items that the other parts do not have get rows and columns after theirs.
    config : FilesSplit
        What to do with test interactions that are in another part; and the files' names, for messages.
    visible : Interactions, optional
        What is known of users who are held out as a whole.

    Returns
    -------
    PublishedSplit
        The values of the test part are 1.

    Raises
    ------
    DataError
        If the test part is empty, none of its users or none of its items is in another part, or one of its
        interactions is; with `overlap: drop`, if all are. Or if a user of the visible part is in the train part too, or
        none of its items is.
    """
    from scipy.sparse import csr_array

    frame = test_ratings.frame
    if frame.empty:
        raise DataError(f"evaluation.split.test: {config.test} holds no interaction; expected at least one")
    users = _match("user", interactions.user_ids, visible and visible.user_ids, frame["user"], config)
    items = _match("item", interactions.item_ids, visible and visible.item_ids, frame["item"], config)
    matrix, shape = interactions.matrix, (len(users.ids), len(items.ids))
    empty_rows = np.full(shape[0] - matrix.shape[0], matrix.nnz, dtype=matrix.indptr.dtype)
    train = csr_array((matrix.data, matrix.indices, np.concatenate([matrix.indptr, empty_rows])), shape=shape)
    test = csr_array((np.ones(len(frame), dtype=np.float32), (users.test, items.test)), shape=shape)
    test.sort_indices()
    by_numbers = users.by_numbers or items.by_numbers
    if visible is None:
        test, in_train = _without_overlap(test, train, (users.ids, items.ids), config)
        return PublishedSplit(train, test, by_numbers=by_numbers, in_train=in_train)
    rows, columns = visible.matrix.tocoo().coords
    seen = csr_array((visible.matrix.data, (users.visible[rows], items.visible[columns])), shape=shape)
    seen.sort_indices()
    test, in_train = _without_overlap(test, train + seen, (users.ids, items.ids), config)
    return PublishedSplit(train, test, seen, by_numbers=by_numbers, in_train=in_train)


@dataclass(frozen=True)
class _Side:
    """The users or the items of all files.

    Attributes
    ----------
    visible : (V,) int32
        The index of each user or item of the visible part; empty without one.
    test : (n,) int32
        The index of that of each row of the test file.
    ids : list of str
        All ids: those of the train part, then new ones of the visible part, then new ones of the test file.
    by_numbers : bool
        See `Matched`.
    """

    visible: Ids
    test: Ids
    ids: list[str]
    by_numbers: bool


def _match(kind: str, train_ids: Any, visible_ids: Any, column: Any, config: FilesSplit) -> _Side:
    """Return the indexes of the users or items of all files."""
    train = _texts(train_ids)
    seen = match_ids(train, [] if visible_ids is None else _texts(visible_ids))
    if visible_ids is not None and kind == "user":
        _check_held_out(seen, len(train), config)
    elif visible_ids is not None:
        _check_shared(kind, seen, len(train), f"visible: {config.visible}", "the train part")
    column = column.cat.remove_unused_categories()
    tested = match_ids(seen.ids, _texts(column.cat.categories))
    _check_shared(kind, tested, len(seen.ids), f"test: {config.test}", _others(config))
    by_numbers = seen.by_numbers or tested.by_numbers
    return _Side(seen.indexes, tested.indexes[column.cat.codes.to_numpy()], tested.ids, by_numbers)


def _others(config: FilesSplit) -> str:
    """Return the parts that a test file is compared with, in words."""
    return "the train part" if config.visible is None else "the train or the visible part"


def _without_overlap(
    test: "csr_array", known: "csr_array", ids: tuple[list[str], list[str]], config: FilesSplit
) -> tuple["csr_array", int]:
    """Return the test part without interactions that are known, and their number; or refuse them."""
    where = _others(config)
    in_both = known.multiply(test).tocsr()
    if in_both.nnz and (config.overlap == "error" or in_both.nnz == test.nnz):
        user, item = (texts[at[0]] for texts, at in zip(ids, in_both.tocoo().coords, strict=True))
        remedy = "" if config.overlap == "drop" else ", or set evaluation.split.overlap: drop to leave them out"
        raise DataError(
            f"evaluation.split.test: {in_both.nnz} of its {test.nnz} interactions are in {where} too, for example user "
            f"{shown(user)} with item {shown(item)}; items of {where} are never recommended: remove them from one of "
            f"the files{remedy}"
        )
    if in_both.nnz:
        in_both.data[:] = 1  # as in the test part, so that the difference is 0
        test = test - in_both
        test.eliminate_zeros()
    return test, in_both.nnz


def _check_shared(kind: str, matched: Matched, n_known: int, file: str, where: str) -> None:
    """Refuse a file none of whose users or items is known."""
    if matched.indexes.min() >= n_known:
        known, new = matched.ids[:n_known], matched.ids[n_known:]
        raise DataError(
            f"evaluation.split.{file}: none of its {len(new):,} {kind}s is in {where}; they are such as "
            f"{examples(new)}, and those of {where} such as {examples(known)}; write the ids of the two files alike"
        )


def _check_held_out(users: Matched, n_train: int, config: FilesSplit) -> None:
    """Refuse visible interactions of users of the train part."""
    trained = users.indexes[users.indexes < n_train]
    if len(trained):
        raise DataError(
            f"evaluation.split.visible: {config.visible}: {len(trained):,} of its {len(users.indexes):,} users are in "
            f"the train part too, such as {examples([users.ids[trained[0]]])}; expected users who are held out as a "
            "whole: remove them from one of the files"
        )


def _texts(ids: Iterable[Any]) -> list[str]:
    return [str(raw_id) for raw_id in np.asarray(ids).tolist()]
