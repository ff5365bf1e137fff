"""Synthetic ratings of any size, for measurements of time and memory.

Activity and popularity have long tails; there are no latent preferences. As in `tasks.core.data.synthetic`, only
integer arithmetic is used, so that the bytes are the same on every machine.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tasks.core.data.synthetic import approximately_normal
from tasks.core.types import Counts


def write_large(path: Path, *, users: int, items: int, ratings: int, seed: int = 0, chunk: int = 1 << 20) -> None:
    """Write exactly `ratings` ratings of exactly `users` users and `items` items.

    The file has MovieLens 32M's format: CSV with a header, columns userId, movieId, rating (from 0.5 to 5.0 in steps
    of 0.5) and timestamp; grouped by user, ids from 1, no pair of user and item twice. Memory is proportional to
    users + items + chunk.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    users, items, ratings : int
        Their numbers.
    seed : int
        Decides every byte of the file.
    chunk : int
        Most ratings made at a time, unless one user has more. The bytes do not depend on it.

    Raises
    ------
    ValueError
        If there is no such matrix: below users * ceil(items / users) ratings, or above users * items.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    stars = pa.array([f"{half / 2:.1f}" for half in range(1, 11)])
    with path.open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        for user, item, halves, times in _chunks(users, items, ratings, seed, chunk):
            columns = [pa.array(user), pa.array(item), stars.take(pa.array(halves - 1)), pa.array(times)]
            options = pc.WriteOptions(include_header=False, quoting_style="none")
            pc.write_csv(pa.table(columns, names=list("uirt")), file, options)


def write_large_folder(
    folder: Path, *, users: int, items: int, ratings: int, seed: int = 0, chunk: int = 4 << 20
) -> None:
    """Write the same ratings as a folder of Parquet files, one for each chunk, as Spark writes them.

    Parameters
    ----------
    folder : Path
        Made, if it does not exist.
    users, items, ratings, seed, chunk
        See `write_large`.

    Raises
    ------
    ValueError
        See `write_large`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    for number, (user, item, halves, times) in enumerate(_chunks(users, items, ratings, seed, chunk)):
        columns = [pa.array(user, pa.int32()), pa.array(item, pa.int32()), pa.array(halves / 2, pa.float32()), times]
        names = ["userId", "movieId", "rating", "timestamp"]
        pq.write_table(pa.table(columns, names=names), folder / f"part-{number:05}.snappy.parquet")
    (folder / "_SUCCESS").touch()


def _chunks(
    users: int, items: int, ratings: int, seed: int, chunk: int
) -> Iterator[tuple[Counts, Counts, Counts, Counts]]:
    """Yield chunks of user ids, item ids, ratings in halves, timestamps.

    Items are numbered by rank of popularity. An item's weight falls with the square of its rank, so that about a third
    of the users rate the first. A user's steps along the cumulated weights have random lengths, and each ends on a
    rank; where two steps end on the same rank, the second moves on to the next.

    So that every item has a rating, each item is first assigned to one user, in turn. The user's steps skip these
    ranks, and they are added at the end.
    """
    most_assigned = -(-items // users)  # items to one user
    if not users * most_assigned <= ratings <= users * items:
        raise ValueError(
            f"{ratings} ratings of {users} users and {items} items; expected from "
            f"{users * most_assigned} to {users * items}"
        )
    # two streams: what is drawn once, and what is drawn for each rating, whatever the size of a chunk
    setup, generator = np.random.PCG64([seed, 0]), np.random.PCG64([seed, 1])
    mean = ratings // users
    weights = (1 << 30) // (np.arange(users) + 10 + users // 1000)
    activity = _allocate(ratings, weights, max(most_assigned, min(20, mean // 2)), items)
    activity = activity[np.argsort(setup.random_raw(users), kind="stable")]
    first_times = 789_652_009 + (setup.random_raw(users) % np.uint64(900_000_000)).astype(np.int64)
    ids = 1 + np.argsort(setup.random_raw(items), kind="stable")
    leniency, quality = (approximately_normal(setup.random_raw(size)) for size in (users, items))
    bits, head = 46 - items.bit_length(), 1 + 2 * mean
    cumulated = np.cumsum(1 + (head << bits) // (np.arange(items) + head) ** 2)
    ends = np.cumsum(activity)  # row after each user's last
    first = 0
    while first < users:
        begin = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + chunk, side="right")))
        counts = activity[first:last]
        user = np.repeat(np.arange(first, last), counts)
        start = np.repeat(ends[first:last] - counts - begin, counts)
        position = np.arange(len(user)) - start  # of a rating among its user's
        assigned = (items - 1 - user) // users + 1  # number of items assigned to the user
        drawn = np.repeat(counts, counts) - assigned  # number of the user's other items
        words = generator.random_raw(len(user))
        steps = np.cumsum((words & np.uint64(0xFFFF)).astype(np.int64) + 1)
        steps -= np.concatenate([[0], steps])[start]
        length = steps[np.repeat(ends[first:last] - begin - 1, counts)] + (1 << 15)  # of the user's whole walk
        rank = np.searchsorted(cumulated, steps * int(cumulated[-1]) // length, side="right")
        # Ranks have to rise by 1 a step at least, and to leave room for the steps to come. So rank - position must not
        # fall within a user, and is bounded; an offset for each user makes one cumulative maximum serve all of them.
        rank = np.maximum.accumulate(rank - position + 2 * items * (user - first)) - 2 * items * (user - first)
        rank = np.minimum(rank, items - assigned - drawn) + position
        for nth in range(most_assigned):
            rank += rank >= user + nth * users  # skips the user's assigned items
        rank = np.where(position < drawn, rank, user + (position - drawn) * users)
        noise = approximately_normal(words >> np.uint64(16))
        liking = 750 + (leniency[user] + quality[rank] + noise) * 3 // 5
        yield user + 1, ids[rank], np.clip(liking // 100, 1, 10), first_times[user] + (steps >> 4)
        first = last


def _allocate(total: int, weights: Counts, minimum: int, maximum: int) -> Counts:
    """Return shares that sum to `total`, in proportion to the weights within the minimum and the maximum of a share."""
    shares = np.full(len(weights), minimum)
    while remaining := total - int(shares.sum()):
        open_weights = np.where(shares < maximum, weights, 0)
        additions = np.minimum(maximum - shares, remaining * open_weights // open_weights.sum())
        if not additions.any():  # less is left than rounding down gives away
            additions[np.flatnonzero(open_weights)[:remaining]] = 1
        shares += additions
    return shares
