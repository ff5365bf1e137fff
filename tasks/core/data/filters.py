"""The rules on single ratings: the minimum rating, ratings of 0 or less; and how many ratings each rule drops."""

from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.data.duplicates import select_rows
from tasks.core.errors import DataError
from tasks.core.formatting import enumerated, setting_text
from tasks.core.types import Counts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RatingCounts:
    """Numbers of ratings; a row of a file without ratings is one, too.

    Attributes
    ----------
    read : int
        Ratings of the file.
    duplicates, min_rating, negative, k_core : int
        How many of them each key of `preprocess` dropped, in this order. Of several ratings that were summed or
        counted, all but one are dropped.
    """

    read: int
    duplicates: int = 0
    min_rating: int = 0
    negative: int = 0
    k_core: int = 0

    @property
    def dropped(self) -> int:
        """Number of ratings that were dropped, by any rule."""
        return self.duplicates + self.min_rating + self.negative + self.k_core

    def array(self) -> Counts:
        """Return the numbers in the order of the fields, (5,) int64."""
        return np.array(astuple(self), dtype=np.int64)

    @classmethod
    def of_array(cls, numbers: npt.NDArray[Any]) -> "RatingCounts":
        """Return the counts that `array` gave."""
        return cls(*map(int, numbers.tolist()))

    def text(self, settings: PreprocessConfig | None = None) -> str:
        """Return the counts in words, such as `4 ratings read; 2 dropped by preprocess.min_rating 4`.

        Parameters
        ----------
        settings : PreprocessConfig, optional
            Where the values of the keys are to be named.

        Returns
        -------
        str
        """
        parts = []
        for rule in (field.name for field in fields(self) if field.name != "read"):
            if number := getattr(self, rule):
                value = f" {setting_text(getattr(settings, rule))}" if settings else ""
                done = "merged" if settings and rule == "duplicates" and settings.duplicates != "last" else "dropped"
                parts.append(f"{number:,} {done} by preprocess.{rule}{value}")
        read = "1 rating read" if self.read == 1 else f"{self.read:,} ratings read"
        return f"{read}; {enumerated(parts) if parts else 'none dropped'}"


@dataclass(frozen=True)
class FilteredRatings:
    """Ratings that count as interactions.

    Attributes
    ----------
    frame : pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`; one row for each pair of user and item.
    counts : RatingCounts
        How many ratings there were, and how many were dropped.
    """

    frame: "pd.DataFrame"
    counts: RatingCounts


def filter_ratings(frame: "pd.DataFrame", config: PreprocessConfig, *, read: int) -> FilteredRatings:
    """Apply the minimum rating, and `negative: drop`.

    Parameters
    ----------
    frame : pd.DataFrame
        What `resolve_duplicates` returns.
    config : PreprocessConfig
        The rules.
    read : int
        Number of ratings before duplicates were resolved.

    Returns
    -------
    FilteredRatings
        Empty only if `frame` is.

    Raises
    ------
    DataError
        If a rule leaves nothing.
    """
    counts = RatingCounts(read, duplicates=read - len(frame))
    if "rating" in frame and config.min_rating is not None and len(frame):
        high_enough = frame["rating"].to_numpy() >= config.min_rating
        if not high_enough.any():
            raise min_rating_error(config.min_rating, float(frame["rating"].min()), float(frame["rating"].max()))
        n_before, frame = len(frame), select_rows(frame, high_enough)
        counts = replace(counts, min_rating=n_before - len(frame))
    if "rating" in frame and config.negative == "drop" and len(frame):
        positive = frame["rating"].to_numpy() > 0
        if not positive.any():
            raise none_positive_error(len(frame))
        n_before, frame = len(frame), select_rows(frame, positive)
        counts = replace(counts, negative=n_before - len(frame))
    return FilteredRatings(frame, counts)


def refuse_negative(frame: "pd.DataFrame", config: PreprocessConfig) -> None:
    """Refuse ratings of 0 or less, which would count as liked or be no confidence.

    ALS for implicit feedback takes every stored interaction for a like, and its confidence for how sure that is (Hu,
    Koren and Volinsky 2008, section 4). It knows no dislikes.

    Parameters
    ----------
    frame : pd.DataFrame
        Filtered ratings.
    config : PreprocessConfig
        How they were filtered.

    Raises
    ------
    DataError
        Naming the first such rating, their number, and the two remedies.
    """
    if "rating" not in frame or (config.min_rating is not None and config.min_rating > 0):
        return
    ratings = frame["rating"].to_numpy()
    too_low = ratings <= 0
    if too_low.any():
        raise negative_error(ratings[np.argmax(too_low)], int(np.count_nonzero(too_low)), len(ratings), config)


def min_rating_error(min_rating: float, low: float, high: float) -> DataError:
    """Return the error for a minimum that no rating reaches.

    Parameters
    ----------
    min_rating : float
        As configured.
    low, high : float
        The smallest and the largest rating.

    Returns
    -------
    DataError
    """
    return DataError(
        f"no rating is at least min_rating {min_rating:g}: ratings go from {low:g} to {high:g}; lower "
        "preprocess.min_rating"
    )


def none_positive_error(count: int) -> DataError:
    """Return the error for `negative: drop` where none of `count` ratings is above 0."""
    return DataError(
        f"preprocess.negative: drop leaves none of {count:,} ratings, because none is above 0; expected a file in "
        "which ratings above 0 are likes"
    )


def negative_error(rating: float, too_low: int, count: int, config: PreprocessConfig) -> DataError:
    """Return the error for ratings of 0 or less.

    Parameters
    ----------
    rating : float
        One of them.
    too_low, count : int
        Their number, and the number of all ratings.
    config : PreprocessConfig
        How the ratings were filtered.

    Returns
    -------
    DataError
    """
    return DataError(
        f"a rating of {rating:g}{of_duplicates(config)}: {too_low:,} of {count:,} ratings are 0 or less, and an "
        "interaction with such a rating would count as liked, because implicit feedback has no dislikes; set "
        "preprocess.min_rating to the smallest rating that is a like, or preprocess.negative: drop to leave out "
        "ratings of 0 or less"
    )


def of_duplicates(config: PreprocessConfig) -> str:
    """Return what a message says of a rating that `duplicates: sum` made; nothing for other ratings."""
    return " (the sum of the duplicates)" if config.duplicates == "sum" else ""
