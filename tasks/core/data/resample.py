"""Interactions that are left out at random, others for each fit: the noise of the data."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.data.interactions import count_occurrences, select
from tasks.core.errors import ConfigError, DataError
from tasks.core.formatting import percent
from tasks.core.types import Counts, Ids, Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from tasks.core.config.experiment import ResampleConfig
    from tasks.core.config.queries import QueriesConfig

ALGORITHM = 1
"""Part of the identity of a resampled fit. To be raised whenever the same settings leave out other interactions."""
_STREAM = zlib.crc32(b"resample")
"""Keeps the numbers that decide what is left out apart from those of the random start, which has the same seed."""


@dataclass(frozen=True, eq=False)
class Lost:
    """Users and items that have no interaction left in one of several fits.

    Attributes
    ----------
    users : (U,) int32
        Position of the first of these fits; -1 for a user who has interactions in all of them.
    items : (I,) int32
        The same for items.
    """

    users: Ids
    items: Ids

    def of(self, side: str) -> Mask:
        """Return which of the `users`, or of the `items`, are lost: (U,) or (I,) bool."""
        fits: Ids = getattr(self, side)
        return fits >= 0

    @property
    def counts(self) -> dict[str, int]:
        """How many `users` and `items` are lost."""
        return {side: int(np.count_nonzero(self.of(side))) for side in ("users", "items")}

    def check(self, queries: "QueriesConfig", resample: "ResampleConfig", labels: Sequence[str]) -> None:
        """Refuse queries for users and items that are lost, and fits that have nothing left to compare.

        Parameters
        ----------
        queries : QueriesConfig
            Queried users and items.
        resample : ResampleConfig
            What the fits leave out.
        labels : sequence of str
            Of the fits, such as `k50 #3`.

        Raises
        ------
        DataError
            Naming each of them, and the first fit without an interaction of it. Or if fewer than two users, or two
            items, have interactions in all fits.
        """
        for kind, fits in (("users", self.users), ("items", self.items)):
            left = int(np.count_nonzero(fits < 0))
            if left < 2:
                raise DataError(
                    f"resample.fraction: found {resample.fraction:g}, with which {left} of {len(fits):,} {kind} have "
                    f"interactions in all {len(labels)} fits; lists need at least 2; lower the fraction"
                )
        sections = {"users": self.users, "items": self.items, "recommend_for": self.users}
        problems = [
            f"queries.{key}: found {index}, which has no interaction in {labels[fits[index]]}: that run is fitted "
            f"without its own random {percent(resample.fraction)} of the interactions; query another one, or lower "
            "resample.fraction"
            for key, fits in sections.items()
            for index in getattr(queries, key)
            if fits[index] >= 0
        ]
        if problems:
            raise DataError("\n".join(problems))


def n_dropped(n_interactions: int, resample: "ResampleConfig | None") -> int:
    """Return how many interactions each fit leaves out: the fraction of them, rounded.

    Parameters
    ----------
    n_interactions : int
        Number of interactions.
    resample : ResampleConfig or None
        What each fit leaves out.

    Returns
    -------
    int
        0 without the setting.
    """
    return 0 if resample is None else round(resample.fraction * n_interactions)


def check_fraction(n_interactions: int, resample: "ResampleConfig | None") -> None:
    """Refuse a fraction that leaves out no interaction, or all of them.

    Parameters
    ----------
    n_interactions : int
        Number of interactions.
    resample : ResampleConfig or None
        What each fit leaves out.

    Raises
    ------
    ConfigError
    """
    dropped = n_dropped(n_interactions, resample)
    if resample is not None and not 0 < dropped < n_interactions:
        raise ConfigError(
            f"resample.fraction: found {resample.fraction:g}, which leaves out {dropped:,} of {n_interactions:,} "
            f"interactions; expected one that leaves out 1 to {n_interactions - 1:,} of them, or set resample: null"
        )


def resampled(matrix: "csr_array", resample: "ResampleConfig | None", *, seed: int) -> "csr_array":
    """Return the matrix without the interactions that one fit leaves out.

    Parameters
    ----------
    matrix : (U, I) CSR float32
        Not changed.
    resample : ResampleConfig or None
        What is left out; None for nothing.
    seed : int
        Of the fit.

    Returns
    -------
    (U, I) CSR float32
        The matrix itself if nothing is left out. Users and items keep their indexes.
    """
    return matrix if resample is None else select(matrix, ~_dropped(matrix.nnz, resample, seed))


def lost(matrix: "csr_array", resample: "ResampleConfig | None", seeds: Sequence[int]) -> Lost:
    """Return which users and items have no interaction left in one of several fits.

    Parameters
    ----------
    matrix : (U, I) CSR
        All interactions.
    resample : ResampleConfig or None
        What each fit leaves out.
    seeds : sequence of int
        Of the fits.

    Returns
    -------
    Lost
    """
    users, items = (np.full(size, -1, dtype=np.int32) for size in matrix.shape)
    all_of_users = np.diff(matrix.indptr)
    all_of_items = count_occurrences(matrix.indices, matrix.shape[1])
    if resample is None:
        return Lost(users, items)
    for position, (of_users, of_items) in enumerate(_dropped_counts(matrix, resample, seeds)):
        users[(users < 0) & (of_users == all_of_users)] = position
        items[(items < 0) & (of_items == all_of_items)] = position
    return Lost(users, items)


def _dropped_counts(
    matrix: "csr_array", resample: "ResampleConfig", seeds: Sequence[int]
) -> Iterator[tuple[Counts, Counts]]:
    """Yield how many interactions of each user and of each item a fit leaves out."""
    for seed in seeds:
        dropped = np.flatnonzero(_dropped(matrix.nnz, resample, seed))
        rows = np.searchsorted(matrix.indptr, dropped, side="right") - 1
        yield count_occurrences(rows, matrix.shape[0]), count_occurrences(matrix.indices[dropped], matrix.shape[1])


def _dropped(n_interactions: int, resample: "ResampleConfig", seed: int) -> Mask:
    """Return which stored values a fit leaves out, (nnz,): those with the lowest of random keys.

    numpy guarantees the integers of a bit generator, on every machine and in every version, but not those that are made
    from them.
    """
    dropped = n_dropped(n_interactions, resample)
    bits = np.random.PCG64(np.random.SeedSequence([seed, _STREAM]))
    keys = bits.random_raw(n_interactions)
    highest = np.partition(keys, dropped - 1)[dropped - 1]
    lowest: Mask = keys < highest
    equal = np.flatnonzero(keys == highest)  # more than one key only by a great coincidence
    lowest[equal[: dropped - np.count_nonzero(lowest)]] = True
    return lowest
