"""Synthetic ratings of MovieLens 100K's shape: the data set that needs no download.

943 users, 1,682 items and about 100,000 ratings from 1 to 5, with long-tailed activity and popularity, and
preferences of low rank.

Only integer arithmetic on PCG64's raw output is used. Streams of floats, BLAS and libm differ between machines, but
the bytes made here must not: the catalogue pins their digest.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.core.types import Counts

N_USERS = 943
N_ITEMS = 1682
RANK = 8
"""Number of latent preferences."""
_PERCENTAGES = (6, 11, 27, 34, 22)  # of the ratings 1, 2, 3, 4, 5
_ONE = 1 << 16  # 1.0 as 16.16 fixed point
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
    """Write tab-separated user, item, rating and timestamp; ids count from 1, and there is no header.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    seed : int
        Decides every byte of the file.
    """
    rows = _ratings(seed)
    path.write_bytes(b"".join(b"%d\t%d\t%d\t%d\n" % tuple(row) for row in rows.tolist()))


def item_titles() -> list[str]:
    """Return a title for each item, in the order of their ids."""
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    return [
        f"The {adjectives[i % len(adjectives)]} {nouns[i // len(adjectives)]} ({1930 + i * 37 % 69})"
        for i in range(N_ITEMS)
    ]


def _ratings(seed: int) -> Counts:
    """Return about 100,000 rows (user id, item id, rating, timestamp).

    The items that a user rates are drawn without replacement by the Gumbel-top-k trick (Kool, van Hoof and Welling
    2019), with log-weights popularity + affinity. The rating is affinity + quality of the item + leniency of the user
    + noise, cut at fixed percentages.
    """
    generator = np.random.PCG64(seed)

    def draw_words(*shape: int) -> npt.NDArray[np.uint64]:
        return generator.random_raw(shape)

    def draw_normal(*shape: int) -> Counts:
        return approximately_normal(draw_words(*shape))

    # from here on the order of the draws decides the bytes
    affinity = draw_normal(N_USERS, RANK) @ draw_normal(N_ITEMS, RANK).T  # (U, I), standard deviation about 62,000
    rank = np.argsort(draw_words(N_ITEMS), kind="stable")
    popularity = -_log2((np.argsort(rank, kind="stable") + 40).astype(np.uint64) << np.uint64(20)) * 5 // 2
    # a Gumbel variable in units of log2: -log2(-log2(u)) with u uniform in (0, 1]
    exponential = 32 * _ONE - _log2((draw_words(N_USERS, N_ITEMS) >> np.uint64(32)) + np.uint64(1)) + 1
    gumbel = -_log2(exponential.astype(np.uint64))
    order = np.argsort(-(popularity + affinity + gumbel), axis=1, kind="stable")  # (U, I) item indexes

    activity = _activity()[np.argsort(draw_words(N_USERS), kind="stable")]
    rated = np.zeros((N_USERS, N_ITEMS), dtype=bool)
    np.put_along_axis(rated, order, np.arange(N_ITEMS) < activity[:, None], axis=1)
    unrated = np.flatnonzero(~rated.any(axis=0))  # each of these items gets one user
    rated[(draw_words(len(unrated)) % np.uint64(N_USERS)).astype(np.int64), unrated] = True

    users, items = np.nonzero(rated)
    liking = affinity[users, items] + 200 * (
        draw_normal(N_ITEMS)[items] + draw_normal(N_USERS)[users] + draw_normal(len(users))
    )
    cuts = np.sort(liking)[np.cumsum(_PERCENTAGES)[:-1] * len(liking) // 100]
    ratings = 1 + np.searchsorted(cuts, liking, side="right")
    shuffled = np.argsort(draw_words(len(users)), kind="stable")
    times = 874_724_710 + np.cumsum((draw_words(len(users)) % np.uint64(370)).astype(np.int64))
    return np.column_stack([users + 1, items + 1, ratings, times[np.argsort(shuffled, kind="stable")]])[shuffled]


def _activity() -> Counts:
    """Return the users' numbers of ratings, descending: at least 20, half of them below 60, the highest above 600."""
    ranks = range(N_USERS, 0, -1)
    return np.array([20 + 150 * r**2 // N_USERS**2 + 520 * r**12 // N_USERS**12 for r in ranks], dtype=np.int64)


def _log2(x: npt.NDArray[np.uint64]) -> Counts:
    """Return log2 of positive integers below 2^63 as 16.16 fixed point, at most one unit of the last place too low.

    The integer part is the position of the highest bit. Each squaring of the mantissa gives one bit of the fraction.
    """
    exponent = np.zeros(x.shape, dtype=np.int64)
    remaining = x.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        large = remaining >= (np.uint64(1) << np.uint64(shift))
        remaining = np.where(large, remaining >> np.uint64(shift), remaining)
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


def approximately_normal(words: npt.NDArray[np.uint64]) -> Counts:
    """Return the centred sum of each word's last four bytes: mean 0, standard deviation 148."""
    total = np.zeros(words.shape, dtype=np.int64)
    for byte in range(4):
        total += ((words >> np.uint64(8 * byte)) & np.uint64(255)).astype(np.int64)
    return total - 510
