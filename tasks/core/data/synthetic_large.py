"""Ratings of any size, made from a seed, to measure time and memory with."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tasks.core.data.synthetic import bell
from tasks.core.types import Counts


def write_large(path: Path, *, users: int, items: int, ratings: int, seed: int = 0, chunk: int = 1 << 20) -> None:
    """Write exactly so many ratings of exactly so many users and items, to measure time and memory with.

    The file has the form of MovieLens 32M's: CSV with a header, userId, movieId, rating from 0.5 to 5.0 by halves,
    timestamp; grouped by user, ids from 1, no pair twice. Memory is that of the users, the items and one chunk.

    Parameters
    ----------
    chunk : ratings made at a time, a user's always together; the bytes do not depend on it

    Raises
    ------
    ValueError
        So many ratings cannot be shared out: below users * ceil(items / users), or above users * items.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    stars = pa.array([f"{half / 2:.1f}" for half in range(1, 11)])
    with path.open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        for user, item, halves, times in _large(users, items, ratings, seed, chunk):
            columns = [pa.array(user), pa.array(item), stars.take(pa.array(halves - 1)), pa.array(times)]
            options = pc.WriteOptions(include_header=False, quoting_style="none")
            pc.write_csv(pa.table(columns, names=list("uirt")), file, options)


def _large(
    users: int, items: int, ratings: int, seed: int, chunk: int
) -> Iterator[tuple[Counts, Counts, Counts, Counts]]:
    """Chunks of user, item, rating in halves, timestamp.

    An item's weight falls with the square of its rank, so that the first is rated by a third of the users or so. A
    user's ranks are those at random steps along the summed weights, moved on to the next rank where two steps end on
    one. So that no item is left out, each is dealt to a user beforehand, whose steps pass over it.
    """
    dealt_most = -(-items // users)
    if not users * dealt_most <= ratings <= users * items:
        raise ValueError(
            f"{ratings} ratings of {users} users and {items} items; expected from "
            f"{users * dealt_most} to {users * items}"
        )
    setup, stream = np.random.PCG64([seed, 0]), np.random.PCG64([seed, 1])
    mean = ratings // users
    weights = (1 << 30) // (np.arange(users) + 10 + users // 1000)
    activity = _shared_out(ratings, weights, max(dealt_most, min(20, mean // 2)), items)
    activity = activity[np.argsort(setup.random_raw(users), kind="stable")]
    began = 789_652_009 + (setup.random_raw(users) % np.uint64(900_000_000)).astype(np.int64)
    ids = 1 + np.argsort(setup.random_raw(items), kind="stable")
    liked_user, liked_item = (bell(setup.random_raw(size)) for size in (users, items))
    bits, head = 46 - items.bit_length(), 1 + 2 * mean
    summed = np.cumsum(1 + (head << bits) // (np.arange(items) + head) ** 2)
    ends = np.cumsum(activity)
    first = 0
    while first < users:
        begin = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + chunk, side="right")))
        counts = activity[first:last]
        user = np.repeat(np.arange(first, last), counts)
        start = np.repeat(ends[first:last] - counts - begin, counts)
        at = np.arange(len(user)) - start
        dealt = (items - 1 - user) // users + 1  # how many of the items are dealt to the user
        drawn = np.repeat(counts, counts) - dealt  # and how many are not
        words = stream.random_raw(len(user))
        steps = np.cumsum((words & np.uint64(0xFFFF)).astype(np.int64) + 1)
        steps -= np.concatenate([[0], steps])[start]
        whole = steps[np.repeat(ends[first:last] - begin - 1, counts)] + (1 << 15)
        rank = np.searchsorted(summed, steps * int(summed[-1]) // whole, side="right")
        # what is added to ranks that rise by one a step: never falls within a user, and leaves room for those to come
        rank = np.maximum.accumulate(rank - at + 2 * items * (user - first)) - 2 * items * (user - first)
        rank = np.minimum(rank, items - dealt - drawn) + at
        for nth in range(dealt_most):
            rank += rank >= user + nth * users
        rank = np.where(at < drawn, rank, user + (at - drawn) * users)
        noise = bell(words >> np.uint64(16))
        liking = 750 + (liked_user[user] + liked_item[rank] + noise) * 3 // 5
        yield user + 1, ids[rank], np.clip(liking // 100, 1, 10), began[user] + (steps >> 4)
        first = last


def _shared_out(total: int, weights: Counts, least: int, most: int) -> Counts:
    """Shares that add up to `total`, as the weights are, none below `least` or above `most`."""
    shares = np.full(len(weights), least)
    while left := total - int(shares.sum()):
        open_to = np.where(shares < most, weights, 0)
        more = np.minimum(most - shares, left * open_to // open_to.sum())
        if not more.any():
            more[np.flatnonzero(open_to)[:left]] = 1
        shares += more
    return shares
