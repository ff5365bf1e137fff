"""The rules of `preprocess` on ratings by user, block by block: which ratings are kept.

The same as `tasks.core.data.preprocessing` does with a frame, in the same order.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.data.duplicates import duplicates_error, resolve_repeats
from tasks.core.data.filters import RatingCounts, min_rating_error, negative_error, none_positive_error
from tasks.core.data.preprocessing import k_core_error
from tasks.core.data.readers.parquet.table import ParquetRatings
from tasks.core.data.streaming.by_user import Block, RatingsByUser, placed
from tasks.core.errors import DataError
from tasks.core.types import Mask, Values


def apply_rules(by_user: RatingsByUser, table: ParquetRatings, config: PreprocessConfig) -> tuple[Mask, RatingCounts]:
    """Return which ratings are interactions.

    Parameters
    ----------
    by_user : RatingsByUser
        Changed: of several ratings of a pair, the one that is kept gets the sum, the largest or the number.
    table : ParquetRatings
        Where they are from. Read again only to name the rows of an error.
    config : PreprocessConfig
        The rules.

    Returns
    -------
    kept : (n,) bool
        At least one is True.
    counts : RatingCounts
        How many ratings each rule dropped.

    Raises
    ------
    DataError
        See `tasks.core.data.preprocessing.build`.
    """
    n = len(by_user.items)
    kept = np.ones(n, dtype=bool)
    left = [n]

    def count() -> int:
        """Return how many ratings were dropped since the last call."""
        left.append(int(np.count_nonzero(kept)))
        return left[-2] - left[-1]

    _resolve_duplicates(by_user, kept, table, config)
    duplicates, min_rating, negative, k_core = count(), 0, 0, 0
    if by_user.ratings is not None:
        if config.min_rating is not None:
            low, high = _range(by_user, kept)
            if high < config.min_rating:
                raise min_rating_error(config.min_rating, low, high)
            for block, ratings in _ratings(by_user):
                kept[block.rows] &= ratings >= config.min_rating
            min_rating = count()
        if config.negative == "drop":
            if _range(by_user, kept)[1] <= 0:
                raise none_positive_error(left[-1])
            for block, ratings in _ratings(by_user):
                kept[block.rows] &= ratings > 0
            negative = count()
    if config.k_core is not None:
        before = kept.copy()
        _drop_outside_core(by_user, kept, config.k_core)
        if not kept.any():
            raise k_core_error(config.k_core, left[-1], lambda k: _has_core(by_user, before.copy(), k))
        k_core = count()
    _refuse_negative(by_user, kept, config, left[-1])
    return kept, RatingCounts(n, duplicates, min_rating, negative, k_core)


def _ratings(by_user: RatingsByUser) -> Iterator[tuple[Block, Values]]:
    """Yield the blocks with their ratings, (n,) float64, of ratings that have some."""
    assert by_user.ratings is not None
    for block in by_user.blocks():
        yield block, by_user.ratings[block.rows].astype(np.float64)


def _range(by_user: RatingsByUser, kept: Mask) -> tuple[float, float]:
    """Return the smallest and the largest of the ratings that are kept."""
    low, high = np.inf, -np.inf
    for block, ratings in _ratings(by_user):
        ratings = ratings[kept[block.rows]]
        low, high = min(low, ratings.min(initial=np.inf)), max(high, ratings.max(initial=-np.inf))
    return float(low), float(high)


def _resolve_duplicates(by_user: RatingsByUser, kept: Mask, table: ParquetRatings, config: PreprocessConfig) -> None:
    """Keep one rating of each pair of user and item."""
    repeats = 0
    for block in by_user.blocks():
        pairs = block.pairs(by_user.items, by_user.n_items)
        order = np.argsort(pairs, kind="stable")
        same = pairs[order][1:] == pairs[order][:-1]
        if not same.any():
            continue
        if config.duplicates == "error":
            repeats += int(same.sum())
            kept[block.rows.start + order[1:][same]] = False  # to find them in the table
            continue
        several = np.zeros(len(pairs), dtype=bool)
        several[order[1:][same]] = several[order[:-1][same]] = True
        rows = np.flatnonzero(several)
        at = block.rows.start + rows
        ratings = None if by_user.ratings is None else by_user.ratings[at].astype(np.float64)
        times = None if by_user.times is None else by_user.times[at]
        resolved = resolve_repeats(pairs[rows], ratings, times, config.duplicates)
        kept[at] = resolved.keep
        if by_user.ratings is not None:
            by_user.ratings[at] = resolved.ratings
        if by_user.times is not None:
            by_user.times[at] = resolved.times
    if repeats:
        raise _duplicates_error(by_user, kept, table, repeats)


def _duplicates_error(by_user: RatingsByUser, kept: Mask, table: ParquetRatings, repeats: int) -> DataError:
    """Return the error that names the first rating of the table that repeats an earlier one.

    Parameters
    ----------
    by_user : RatingsByUser
        With duplicates.
    kept : (n,) bool
        False for the ratings that repeat an earlier one.
    table : ParquetRatings
        Read until the first of these, and again until the rating that it repeats.
    repeats : int
        Number of these ratings.

    Returns
    -------
    DataError
    """
    row, user, item = 0, -1, -1
    for batch, positions in placed(table, by_user.starts, ids_only=True):
        repeated = np.flatnonzero(~kept[positions])
        if len(repeated):
            at = int(repeated[0])
            user, item = int(batch.users[at]), int(batch.items[at])
            row += at
            break
        row += len(positions)
    earlier = 0
    for batch in table.batches(ids_only=True):
        found = np.flatnonzero((batch.users == user) & (batch.items == item))
        if len(found):
            earlier += int(found[0])
            break
        earlier += len(batch.users)
    return duplicates_error(table.ids["user"].texts[user], table.ids["item"].texts[item], (earlier, row), repeats)


def _drop_outside_core(by_user: RatingsByUser, kept: Mask, k: int) -> None:
    """Drop users and items that have fewer than k ratings until none is left."""
    before = -1
    while before != (before := int(np.count_nonzero(kept))):
        of_items = np.zeros(by_user.n_items, dtype=np.int64)
        for block in by_user.blocks():
            of_items += np.bincount(by_user.items[block.rows][kept[block.rows]], minlength=by_user.n_items)
        for block in by_user.blocks():
            rows = kept[block.rows]
            enough = ratings_of_users(block, rows) >= k
            kept[block.rows] = rows & np.repeat(enough, block.counts) & (of_items[by_user.items[block.rows]] >= k)


def ratings_of_users(block: Block, kept: Mask) -> Any:
    """Return how many ratings each user of a block keeps.

    Parameters
    ----------
    block : Block
        Users of whom each has ratings.
    kept : (n,) bool
        Of the ratings of the block.

    Returns
    -------
    (users,) int64
    """
    firsts = np.cumsum(block.counts) - block.counts
    return np.add.reduceat(kept, firsts, dtype=np.int64)


def _has_core(by_user: RatingsByUser, kept: Mask, k: int) -> bool:
    _drop_outside_core(by_user, kept, k)
    return bool(kept.any())


def _refuse_negative(by_user: RatingsByUser, kept: Mask, config: PreprocessConfig, count: int) -> None:
    """Refuse ratings of 0 or less, see `tasks.core.data.filters.refuse_negative`."""
    if by_user.ratings is None or (config.min_rating is not None and config.min_rating > 0):
        return
    first, too_low = 0.0, 0
    for block, ratings in _ratings(by_user):
        found = ratings[kept[block.rows] & (ratings <= 0)]
        if len(found):
            first = first if too_low else float(found[0])
            too_low += len(found)
    if too_low:
        raise negative_error(first, too_low, count, config)
