"""The embedded data set: ratings of MovieLens 100K's shape, made from a seed."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.core.types import Counts

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


def make_ratings(seed: int) -> Counts:
    """The ratings, shape (about 100,000, 4) int64: user id, item id, rating, timestamp.

    Which items a user rates is a draw without replacement, by the Gumbel-top-k trick, with log-weights
    popularity + taste. How they are rated is taste + quality + noise, cut at fixed shares.
    """
    stream = np.random.PCG64(seed)

    def raw(*shape: int) -> npt.NDArray[np.uint64]:
        return stream.random_raw(shape)

    def draw_bell(*shape: int) -> Counts:
        return bell(raw(*shape))

    affinity = draw_bell(N_USERS, RANK) @ draw_bell(N_ITEMS, RANK).T  # (U, I), standard deviation about 62,000
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
    liking = affinity[users, items] + 200 * (
        draw_bell(N_ITEMS)[items] + draw_bell(N_USERS)[users] + draw_bell(len(users))
    )
    cuts = np.sort(liking)[np.cumsum(SHARES)[:-1] * len(liking) // 100]
    ratings = 1 + np.searchsorted(cuts, liking, side="right")
    shuffled = np.argsort(raw(len(users)), kind="stable")
    times = 874_724_710 + np.cumsum((raw(len(users)) % np.uint64(370)).astype(np.int64))
    return np.column_stack([users + 1, items + 1, ratings, times[np.argsort(shuffled, kind="stable")]])[shuffled]


def _activity() -> Counts:
    """Ratings a user, most active first: at least 20, half below 60, a tail to over 600."""
    rest = range(N_USERS, 0, -1)
    return np.array([20 + 150 * r**2 // N_USERS**2 + 520 * r**12 // N_USERS**12 for r in rest], dtype=np.int64)


def _log2(x: npt.NDArray[np.uint64]) -> Counts:
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


def bell(words: npt.NDArray[np.uint64]) -> Counts:
    """The sum of a word's last four bytes: mean 0, standard deviation 148."""
    total = np.zeros(words.shape, dtype=np.int64)
    for byte in range(4):
        total += ((words >> np.uint64(8 * byte)) & np.uint64(255)).astype(np.int64)
    return total - 510
