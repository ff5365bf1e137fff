"""Ratings made from a seed: the embedded data set, and ratings of any size.

The embedded data set has MovieLens 100K's shape: 943 users, 1,682 items, about 100,000 ratings of 1 to 5,
long-tailed activity and popularity, and tastes of low rank. Those of any size have the tails alone.

Only integer arithmetic on the raw stream of PCG64 is used: float streams, BLAS and libm differ between
machines, and the bytes made here must not (the catalogue pins their digest).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

N_USERS = 943
N_ITEMS = 1682
RANK = 8
SHARES = (6, 11, 27, 34, 22)
"""Percent of ratings that are 1, 2, 3, 4, 5."""
_ONE = 1 << 16  # fixed-point 1.0

_ADJECTIVES = (
    "Amber Bitter Blind Borrowed Broken Burning Careless Crooked Crystal Distant Electric Endless Fading "
    "Foreign Forgotten Frozen Gentle Golden Hidden Hollow Idle Invisible Last Lonely Lucky Midnight Narrow "
    "Northern Paper Patient Quiet Restless Scarlet Second Silent Silver Sleeping Stolen Summer Tender "
    "Velvet Winter"
)
_NOUNS = (
    "Alibi Avenue Bridge Carnival Castle Charade City Compass Confession Detective Dream Empire Engine Farewell "
    "Garden Harbor Heist Horizon Hotel Island Journey Lantern Letter Lighthouse Machine Mirror Museum Orchard "
    "Parade Promise River Road Season Secret Shadow Station Storm Stranger Summit Theater Train"
)


def write_ratings(path: Path, seed: int) -> None:
    """Write the ratings: tab-separated user, item, rating, timestamp; ids from 1, no header."""
    rows = make_ratings(seed)
    path.write_bytes(b"".join(b"%d\t%d\t%d\t%d\n" % tuple(row) for row in rows.tolist()))


def titles() -> list[str]:
    """A title for each item, in the order of its id."""
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    return [
        f"The {adjectives[i % len(adjectives)]} {nouns[i // len(adjectives)]} ({1930 + i * 37 % 69})"
        for i in range(N_ITEMS)
    ]


def make_ratings(seed: int) -> Ints:
    """The ratings, shape (about 100,000, 4) int64: user id, item id, rating, timestamp.

    Which items a user rates is a draw without replacement, by the Gumbel-top-k trick, with log-weights
    popularity + taste. How they are rated is taste + quality + noise, cut at fixed shares.
    """
    stream = np.random.PCG64(seed)

    def raw(*shape: int) -> npt.NDArray[np.uint64]:
        return stream.random_raw(shape)

    def bell(*shape: int) -> Ints:
        return _bell(raw(*shape))

    affinity = bell(N_USERS, RANK) @ bell(N_ITEMS, RANK).T  # (U, I), standard deviation about 62,000
    rank = np.argsort(raw(N_ITEMS), kind="stable")
    popularity = -_log2((np.argsort(rank, kind="stable") + 40).astype(np.uint64) << np.uint64(20)) * 5 // 2
    # -log2(-log2 u): a Gumbel variable in units of log2
    exponential = 32 * _ONE - _log2((raw(N_USERS, N_ITEMS) >> np.uint64(32)) + np.uint64(1)) + 1
    gumbel = -_log2(exponential.astype(np.uint64))
    order = np.argsort(-(popularity + affinity + gumbel), axis=1, kind="stable")

    activity = _activity()[np.argsort(raw(N_USERS), kind="stable")]
    chosen = np.zeros((N_USERS, N_ITEMS), dtype=bool)
    np.put_along_axis(chosen, order, np.arange(N_ITEMS) < activity[:, None], axis=1)
    unrated = np.flatnonzero(~chosen.any(axis=0))
    chosen[(raw(len(unrated)) % np.uint64(N_USERS)).astype(np.int64), unrated] = True

    users, items = np.nonzero(chosen)
    liking = affinity[users, items] + 200 * (bell(N_ITEMS)[items] + bell(N_USERS)[users] + bell(len(users)))
    cuts = np.sort(liking)[np.cumsum(SHARES)[:-1] * len(liking) // 100]
    ratings = 1 + np.searchsorted(cuts, liking, side="right")
    shuffled = np.argsort(raw(len(users)), kind="stable")
    times = 874_724_710 + np.cumsum((raw(len(users)) % np.uint64(370)).astype(np.int64))
    return np.column_stack([users + 1, items + 1, ratings, times[np.argsort(shuffled, kind="stable")]])[shuffled]


def _activity() -> Ints:
    """Ratings a user, most active first: at least 20, half below 60, a tail to over 600."""
    rest = range(N_USERS, 0, -1)
    return np.array([20 + 150 * r**2 // N_USERS**2 + 520 * r**12 // N_USERS**12 for r in rest], dtype=np.int64)


def _log2(x: npt.NDArray[np.uint64]) -> Ints:
    """log2 of positive integers below 2^63 as 16.16 fixed point, to within its last bit, by repeated squaring."""
    exponent = np.zeros(x.shape, dtype=np.int64)
    rest = x.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        large = rest >= (np.uint64(1) << np.uint64(shift))
        rest = np.where(large, rest >> np.uint64(shift), rest)
        exponent += np.where(large, shift, 0)
    # the mantissa as a 1.31 fixed-point number in [1, 2)
    wide = exponent > 31
    mantissa = np.where(
        wide,
        x >> np.where(wide, exponent - 31, 0).astype(np.uint64),
        x << np.where(wide, 0, 31 - exponent).astype(np.uint64),
    )
    result = exponent
    for _ in range(16):
        mantissa = (mantissa * mantissa) >> np.uint64(31)
        carry = mantissa >> np.uint64(32)
        mantissa >>= carry
        result = (result << 1) | carry.astype(np.int64)
    return result


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


def _large(users: int, items: int, ratings: int, seed: int, chunk: int) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
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
    liked_user, liked_item = (_bell(setup.random_raw(size)) for size in (users, items))
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
        noise = _bell(words >> np.uint64(16))
        liking = 750 + (liked_user[user] + liked_item[rank] + noise) * 3 // 5
        yield user + 1, ids[rank], np.clip(liking // 100, 1, 10), began[user] + (steps >> 4)
        first = last


def _shared_out(total: int, weights: Ints, least: int, most: int) -> Ints:
    """Shares that add up to `total`, as the weights are, none below `least` or above `most`."""
    shares = np.full(len(weights), least)
    while left := total - int(shares.sum()):
        open_to = np.where(shares < most, weights, 0)
        more = np.minimum(most - shares, left * open_to // open_to.sum())
        if not more.any():
            more[np.flatnonzero(open_to)[:left]] = 1
        shares += more
    return shares


def _bell(words: npt.NDArray[np.uint64]) -> Ints:
    """The sum of a word's last four bytes: mean 0, standard deviation 148."""
    total = np.zeros(words.shape, dtype=np.int64)
    for byte in range(4):
        total += ((words >> np.uint64(8 * byte)) & np.uint64(255)).astype(np.int64)
    return total - 510
