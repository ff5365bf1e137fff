"""Interactions, kept in the store under the digest of everything they are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig, reading_settings
from tasks.core.data import preprocessing
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import Interactions, Summary, summarize
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.formats import is_parquet
from tasks.core.data.readers.ratings import parquet_ratings, read_ratings
from tasks.core.data.splits.held_out import HeldOut
from tasks.core.data.streaming.build import build_streamed
from tasks.core.files import StoredFile, combined_sha256, put, recall, remember
from tasks.core.types import Ids

INTERACTIONS = "interactions"
"""Folder of the store."""


@dataclass(frozen=True)
class PreparedData:
    """Interactions in the store.

    Attributes
    ----------
    file : StoredFile
        See `tasks.core.data.interactions.Interactions`.
    sha256 : str
        Digest of the interactions themselves, the same on every machine.
    summary : Summary
    splits : tuple of HeldOut
        The held-out splits: one for each repeat of the evaluation, none without evaluation.
    listed : StoredFile or None
        Users or items that have lists in all runs, where models are read from files and some users or items have none.
    ratings : RatingCounts or None
        Ratings that were read, and dropped; None if that is not known.
    """

    file: StoredFile
    sha256: str
    summary: Summary
    splits: tuple[HeldOut, ...] = ()
    listed: StoredFile | None = None
    ratings: RatingCounts | None = None

    def load(self, *, times: bool = False) -> Interactions:
        """Return the interactions.

        Parameters
        ----------
        times : bool
            Whether with the timestamps, which only splits use.

        Returns
        -------
        Interactions

        Raises
        ------
        DataError
            If the file is missing or differs from its digest.
        """
        return Interactions.load(self.file.check(), times=times)

    def listed_rows(self) -> dict[str, Ids]:
        """Return `users` or `items` -> the indexes of those that have lists, where some have none."""
        if self.listed is None:
            return {}
        with np.load(self.listed.check(), allow_pickle=False) as arrays:
            return dict(arrays)


def store_interactions(interactions: Interactions, listed: Mapping[str, Ids]) -> PreparedData:
    """Put interactions into the store that are made from files of lists or factors.

    Parameters
    ----------
    interactions : Interactions
        The users and items that are compared.
    listed : mapping of str to (E,) int32
        See `PreparedData.listed_rows`.

    Returns
    -------
    PreparedData
    """
    file = put(INTERACTIONS, ".npz", interactions.save)
    rows = put(INTERACTIONS, ".npz", partial(_save_rows, dict(listed))) if listed else None
    return PreparedData(file, interactions.digest(), summarize(interactions.matrix), listed=rows)


def _save_rows(rows: dict[str, Ids], path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **rows)


def prepare(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> PreparedData:
    """Return the interactions of a data set, made now or by an earlier run from the same bytes.

    Parameters
    ----------
    dataset : DatasetConfig
        The data set.
    settings : PreprocessConfig
        Rules on ratings.
    ratings : StoredFile
        The located data set, see `tasks.core.data.locate.locate`.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `read_ratings` and `build`.
    """
    known = prepared_before(dataset, settings, ratings.sha256)
    if known is not None:
        return known
    file = put(INTERACTIONS, ".npz", interactions_of(dataset, settings, ratings).save)
    remember(INTERACTIONS, _key(dataset, settings, ratings.sha256), file)
    return _prepared(file, Interactions.load(file.check()))


def interactions_of(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> Interactions:
    """Return the interactions of a located data set: Parquet is streamed, other formats are read into a frame.

    Parameters
    ----------
    dataset, settings, ratings
        As for `prepare`.

    Returns
    -------
    Interactions

    Raises
    ------
    DataError
        See `read_ratings` and `build`.
    """
    if dataset.name == "file" and is_parquet(Path(ratings.path)):
        return build_streamed(parquet_ratings(dataset, ratings), settings, order=dataset.order is not None)
    return build(read_ratings(dataset, ratings), settings)


def prepared_before(dataset: DatasetConfig, settings: PreprocessConfig, ratings_sha256: str) -> PreparedData | None:
    """Return the interactions of a data set that an earlier command made, without reading its ratings.

    Parameters
    ----------
    dataset, settings
        As for `prepare`.
    ratings_sha256 : str
        Digest of the ratings.

    Returns
    -------
    PreparedData or None
        None if the store does not have them, or an earlier version made them: it stored no counts, and did not refuse
        all that is refused now.
    """
    file = recall(INTERACTIONS, _key(dataset, settings, ratings_sha256))
    interactions = Interactions.load(file.check()) if file else None
    if file is None or interactions is None or interactions.counts is None:
        return None
    return _prepared(file, interactions)


def _prepared(file: StoredFile, interactions: Interactions) -> PreparedData:
    return PreparedData(file, interactions.digest(), summarize(interactions.matrix), ratings=interactions.counts)


def _key(dataset: DatasetConfig, settings: PreprocessConfig, ratings_sha256: str) -> str:
    """Return the digest of everything that interactions are made from."""
    return combined_sha256(ratings_sha256, reading_settings(dataset), settings.identity(), preprocessing.ALGORITHM)
