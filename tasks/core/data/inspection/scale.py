"""The scale of ratings: stars, ten points, counts, and what of it is not positive."""

from dataclasses import dataclass

import numpy as np

from tasks.core.types import Values

STARS, TEN_POINTS, COUNTS, CONSTANT, OTHER = "stars", "ten-points", "counts", "constant", "other"
_LISTED = 21
"""Number of different values up to which each of them is counted."""


@dataclass(frozen=True)
class Scale:
    """Ratings of a file.

    Attributes
    ----------
    kind : str
        `stars` (up to 5, in halves), `ten-points` (up to 10, in halves), `counts` (whole numbers with a long tail, or
        of a column whose name says so), `constant` (a single value) or `other`.
    different : int
        Number of different values.
    low, median, high : float
    least_positive : float or None
        Smallest value above 0; None if there is none.
    zeros, negatives : int
        Numbers of ratings that are 0, and below 0.
    counts : dict of str to int
        Value -> number of ratings, in ascending order; empty if there are more than 21 different values.
    """

    kind: str
    different: int
    low: float
    median: float
    high: float
    least_positive: float | None
    zeros: int
    negatives: int
    counts: dict[str, int]

    def share_from(self, threshold: float) -> float:
        """Return the fraction of all ratings that are at least the threshold; for scales whose values are listed."""
        total = sum(self.counts.values())
        return sum(count for value, count in self.counts.items() if float(value) >= threshold) / total


def scale_of(ratings: Values, *, named_as_counts: bool) -> Scale:
    """Return the scale of ratings.

    Parameters
    ----------
    ratings : (n,) float64
        At least one; all finite.
    named_as_counts : bool
        Whether the name of their column says that they are counts.

    Returns
    -------
    Scale
    """
    values, counts = np.unique(ratings, return_counts=True)
    positive = values[values > 0]
    return Scale(
        kind=_kind(values, ratings, named_as_counts=named_as_counts),
        different=len(values),
        low=float(values[0]),
        median=float(np.median(ratings)),
        high=float(values[-1]),
        least_positive=float(positive[0]) if len(positive) else None,
        zeros=int(counts[values == 0].sum()),
        negatives=int(counts[values < 0].sum()),
        counts={number(value): int(count) for value, count in zip(values, counts, strict=True)}
        if len(values) <= _LISTED
        else {},
    )


def number(value: float) -> str:
    """Return a number as a config writes it: exactly, and 4 for 4.0."""
    return repr(float(value)).removesuffix(".0")


def _kind(values: Values, ratings: Values, *, named_as_counts: bool) -> str:
    if len(values) == 1:
        return CONSTANT
    whole, low, high = bool((values % 1 == 0).all()), values[0], values[-1]
    if whole and low >= 0 and named_as_counts:
        return COUNTS
    if bool((values * 2 % 1 == 0).all()) and low >= 0 and 3 < high <= 10 and len(values) <= _LISTED:
        return STARS if high <= 5 else TEN_POINTS
    # a long tail: few values are far above the usual ones
    return COUNTS if whole and low >= 0 and high > 10 and high >= 5 * np.median(ratings) else OTHER
