"""Ranked lists of users or items, as arrays and as frames."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.columns import Columns
from tasks.core.types import Floats, Ids, Mask

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Lists:
    """A ranked list for each of R users or items, best first. Equal scores are in the order of their ids.

    Attributes
    ----------
    ids : (R, n) int32
        Indexes of the listed users or items, then -1 where an entity has fewer than n candidates.
    scores : (R, n) float32
        Descending. Not a number where `ids` is -1.
    """

    ids: Ids
    scores: Floats

    def frame(self, column: str, rows: Ids | None = None) -> "pd.DataFrame":
        """Return the lists as a frame with one row for each listed entry.

        Parameters
        ----------
        column : str
            Name of the column of the listed ids.
        rows : (R,) int32, optional
            The user or item of each list, by default 0 to R - 1.

        Returns
        -------
        DataFrame
            Columns `index` (of the entity), `rank` (from 1), `column`, `score`.
        """
        import pandas as pd

        entity, rank = np.nonzero(self.ids >= 0)
        return pd.DataFrame(
            {
                "index": entity.astype(np.int32) if rows is None else rows[entity],
                "rank": (rank + 1).astype(np.int32),
                column: self.ids[entity, rank],
                "score": self.scores[entity, rank],
            }
        )

    def without(self, unlisted: Mask) -> "Lists":
        """Return the lists without some of their entries. Those that come after them move up.

        Parameters
        ----------
        unlisted : (E,) bool
            Whether each user or item is left out, by index.

        Returns
        -------
        Lists
            Of the same shape. A list that loses entries is shorter.
        """
        gone = (self.ids >= 0) & unlisted[self.ids]
        rows = np.flatnonzero(gone.any(axis=1))
        if not len(rows):
            return self
        ids, scores = self.ids.copy(), self.scores.copy()
        ids[gone], scores[gone] = -1, np.nan
        order = np.argsort(gone[rows], axis=1, kind="stable")  # those that are gone come last
        ids[rows] = np.take_along_axis(ids[rows], order, axis=1)
        scores[rows] = np.take_along_axis(scores[rows], order, axis=1)
        return Lists(ids, scores)

    @classmethod
    def from_frame(cls, frame: "pd.DataFrame | Columns", column: str, rows: Ids) -> "Lists":
        """Return lists from which `frame` made a frame, whose rows may be in any order.

        Parameters
        ----------
        frame : DataFrame, or mapping of str to array
            Columns `index`, `rank`, `column` and `score`.
        column : str
            Name of the column of the listed ids.
        rows : (R,) int32
            Users or items, ascending, whose lists are wanted. Those without an entry have empty lists.

        Returns
        -------
        Lists
        """
        entities, ranks, listed, listed_scores = (
            np.asarray(frame[name]) for name in ("index", "rank", column, "score")
        )
        position_of = np.full(max(int(rows.max(initial=0)), int(entities.max(initial=0))) + 1, -1, dtype=np.int32)
        position_of[rows] = np.arange(len(rows), dtype=np.int32)
        positions = position_of[entities]
        if (positions < 0).any():
            wanted = positions >= 0
            positions, ranks, listed, listed_scores = (of[wanted] for of in (positions, ranks, listed, listed_scores))
        shape = (len(rows), int(ranks.max(initial=1)))
        ids, scores = np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan, dtype=np.float32)
        ids[positions, ranks - 1] = listed
        scores[positions, ranks - 1] = listed_scores
        return cls(ids, scores)
