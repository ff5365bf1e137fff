"""Ranked lists of users or items, as arrays and as frames."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.types import Floats, Ids

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

    def frame(self, column: str) -> "pd.DataFrame":
        """Return the lists as a frame with one row for each listed entry.

        Parameters
        ----------
        column : str
            Name of the column of the listed ids.

        Returns
        -------
        DataFrame
            Columns `index` (of the entity), `rank` (from 1), `column`, `score`.
        """
        import pandas as pd

        entity, rank = np.nonzero(self.ids >= 0)
        return pd.DataFrame(
            {
                "index": entity.astype(np.int32),
                "rank": (rank + 1).astype(np.int32),
                column: self.ids[entity, rank],
                "score": self.scores[entity, rank],
            }
        )

    @classmethod
    def from_frame(cls, frame: "pd.DataFrame", column: str, n_entities: int) -> "Lists":
        """Return the lists from which `frame` made a frame, whose rows may be in any order.

        Parameters
        ----------
        frame : DataFrame
            Columns `index`, `rank`, `column` and `score`.
        column : str
            Name of the column of the listed ids.
        n_entities : int
            R, which includes the entities whose lists are empty.

        Returns
        -------
        Lists
        """
        ranks = frame["rank"].to_numpy() - 1
        shape = (n_entities, int(ranks.max(initial=0)) + 1)
        ids, scores = np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan, dtype=np.float32)
        ids[frame["index"], ranks] = frame[column]
        scores[frame["index"], ranks] = frame["score"]
        return cls(ids, scores)
