"""Ranked lists of users or items."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.types import Floats, Ids

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Lists:
    """A ranked list for each of R entities, best first.

    ids : (R, n) int32; -1 fills up where an entity has fewer than n candidates
    scores : (R, n) float32, descending; not a number where ids is -1

    Equal scores stand in the order of their ids.
    """

    ids: Ids
    scores: Floats

    def frame(self, column: str) -> "pd.DataFrame":
        """`index`, `rank` (from 1), `column`, `score`; a row for each listed entry, none for the filling."""
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
        """The inverse of `frame`, for `n_entities` rows."""
        ranks = frame["rank"].to_numpy() - 1
        shape = (n_entities, int(ranks.max(initial=0)) + 1)
        ids, scores = np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan, dtype=np.float32)
        ids[frame["index"], ranks] = frame[column]
        scores[frame["index"], ranks] = frame["score"]
        return cls(ids, scores)
