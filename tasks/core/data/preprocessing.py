"""Ratings made into the matrix of interactions.

The steps are, in this order: duplicates, the minimum rating, ratings of 0 or less, the k-core, indexes, confidences.
Duplicates come first, so that a rating that its user lowered later does not count. Indexes are by first appearance
after filtering, as `pandas.factorize` gives them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig, Transform
from tasks.core.data.duplicates import resolve_duplicates, row_numbers, select_rows
from tasks.core.data.filters import filter_ratings, of_duplicates, refuse_negative
from tasks.core.data.interactions import BLOCK_INTERACTIONS, Interactions, count_occurrences, text_array
from tasks.core.data.readers.ratings import Ratings
from tasks.core.errors import DataError
from tasks.core.formatting import examples
from tasks.core.types import Floats, Mask, RawId, Values

if TYPE_CHECKING:
    import pandas as pd

ALGORITHM = 2
"""Part of the key of stored interactions. To be raised whenever the same ratings give another matrix."""


def build(ratings: Ratings, config: PreprocessConfig) -> Interactions:
    """Filter ratings and return their matrix.

    Parameters
    ----------
    ratings : Ratings
        Its frame is freed during filtering if the caller holds no reference to it.
    config : PreprocessConfig
        The filters, and the kind of confidence.

    Returns
    -------
    Interactions
        With the numbers of ratings that were dropped.

    Raises
    ------
    DataError
        If there are duplicates and `config.duplicates` is `error`, a filter leaves nothing, a rating of 0 or less would
        count as liked, a confidence would not be positive and finite, or the titles are those of no item.
    """
    titles, read, frame = ratings.titles, len(ratings.frame), resolve_duplicates(ratings.frame, config)
    del ratings  # the last reference to the unfiltered frame, unless the caller holds one
    filtered = filter_ratings(frame, config, read=read)
    frame, counts = filtered.frame, filtered.counts
    del filtered
    if config.k_core is not None:
        n_before, frame = len(frame), _k_core(frame, config.k_core)
        counts = replace(counts, k_core=n_before - len(frame))
    refuse_negative(frame, config)
    user_codes, item_codes = (_codes_by_appearance(frame[side]) for side in ("user", "item"))
    matrix = row_numbers(frame, user_codes, item_codes)
    numbers = matrix.data
    matrix.data = _confidences(frame, config)[numbers]
    times = frame["timestamp"].to_numpy()[numbers] if "timestamp" in frame else None
    user_ids, item_ids = _raw_ids(frame["user"], user_codes), _raw_ids(frame["item"], item_codes)
    item_titles = _titles(frame["item"], item_ids, titles) if titles else None
    return Interactions(matrix, user_ids, item_ids, item_titles, times, counts)


def _titles(column: "pd.Series[Any]", item_ids: npt.NDArray[Any], titles: Mapping[RawId, str]) -> npt.NDArray[Any]:
    """Return the title of each item, (I,); empty where there is none.

    Parameters
    ----------
    column : pd.Series
        Categorical, whose categories are the ids of all items of the file, those that were dropped included.
    item_ids : (I,) int64 or text
        Of the items that are left.
    titles : mapping of raw id to str
        At least one.

    Returns
    -------
    (I,) text

    Raises
    ------
    DataError
        If the titles are those of no item of the file.
    """
    # ids are integers only if all of a column are, which the file of titles and that of ratings may differ in
    title_of = {str(raw_id): title for raw_id, title in titles.items()}
    all_ids: list[RawId] = column.cat.categories.tolist()
    if not any(str(raw_id) in title_of for raw_id in all_ids):
        raise DataError(
            f"the titles are those of no item: item ids are such as {examples(all_ids)}, and the file of titles has "
            f"ids such as {examples(titles)}; write them alike, or remove titles from the data set's catalogue entry"
        )
    return text_array(title_of.get(str(raw_id), "") for raw_id in item_ids)


def _k_core(frame: "pd.DataFrame", k: int) -> "pd.DataFrame":
    """Return the k-core: users and items with fewer than k interactions are dropped until none is left."""
    sides = [frame[side].cat.codes.to_numpy() for side in ("user", "item")]
    in_core = _in_k_core(sides, k)
    if not in_core.any():
        raise k_core_error(k, len(frame), lambda smaller: bool(_in_k_core(sides, smaller).any()))
    return select_rows(frame, in_core)


def k_core_error(k: int, interactions: int, has_core: Callable[[int], bool]) -> DataError:
    """Return the error for a k-core that is empty.

    Parameters
    ----------
    k : int
        As configured.
    interactions : int
        Their number.
    has_core : callable
        Returns whether the core of a smaller k is not empty.

    Returns
    -------
    DataError
        Naming the largest k that leaves any.
    """
    low, high = 0, k  # bisection
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if has_core(middle) else (low, middle)
    return DataError(
        f"preprocess.k_core {k} leaves nothing of {interactions:,} interactions; the largest value that leaves any is "
        f"{low}"
    )


def _in_k_core(sides: list[npt.NDArray[Any]], k: int) -> Mask:
    """Mark the interactions in the k-core, given the codes of their users and of their items."""
    kept = np.ones(len(sides[0]), dtype=bool)
    while True:
        enough = kept.copy()
        for codes in sides:
            enough &= (count_occurrences(codes[kept], int(codes.max(initial=0)) + 1) >= k)[codes]
        if enough.sum() == kept.sum():
            return kept
        kept = enough


def _confidences(frame: "pd.DataFrame", config: PreprocessConfig) -> Floats:
    """Return the confidence of each row, (n,)."""
    confidences = np.ones(len(frame), dtype=np.float32)
    all_ratings = frame["rating"].to_numpy() if "rating" in frame else None
    for start in range(0, len(frame), BLOCK_INTERACTIONS):
        block = slice(start, start + BLOCK_INTERACTIONS)
        ratings = np.ones(len(confidences[block])) if all_ratings is None else all_ratings[block]
        confidences[block] = confidences_of(ratings, config)
    return confidences


def confidences_of(ratings: Values, config: PreprocessConfig) -> Floats:
    """Return the confidence of each rating.

    Parameters
    ----------
    ratings : (n,) float64
        1 where there are none.
    config : PreprocessConfig
        The kind of confidence.

    Returns
    -------
    (n,) float32

    Raises
    ------
    DataError
        If a confidence would not be positive and finite.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        confidences = _transform(ratings, config).astype(np.float32)
    invalid = ~(np.isfinite(confidences) & (confidences > 0))
    if invalid.any():
        result = "" if config.confidence == "rating" else f" (made into {confidences[invalid][0]:g})"
        raise DataError(
            f"a rating of {ratings[invalid][0]:g}{of_duplicates(config)}{result} cannot be a confidence, which is "
            "above 0 and below 3e38; use confidence: binary, which counts every rating as 1"
        )
    return confidences


def _transform(ratings: Values, config: PreprocessConfig) -> Values:
    """Return the confidence of each rating r: r itself, 1, 1 + alpha·r, or 1 + alpha·log(1 + r/epsilon).

    The last two are from Hu, Koren and Volinsky (2008), sections 4 and 6.
    """
    confidence = config.confidence
    if isinstance(confidence, Transform):
        if confidence.transform == "log":
            ratings = np.log1p(ratings / (confidence.epsilon or 1.0))
        return np.asarray(1 + confidence.alpha * ratings)
    return ratings if confidence == "rating" else np.ones_like(ratings)


def _codes_by_appearance(column: "pd.Series[Any]") -> npt.NDArray[Any]:
    """Return the different codes of a categorical column, in the order of their first appearance."""
    import pandas as pd

    return np.asarray(pd.unique(column.cat.codes.to_numpy()))


def _raw_ids(column: "pd.Series[Any]", codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the raw ids of the codes, as integers if all of them are integers, else as text."""
    ids: list[RawId] = column.cat.categories[codes].tolist()
    if all(isinstance(raw_id, int) for raw_id in ids):
        return np.array(ids, dtype=np.int64)
    return text_array(map(str, ids))
