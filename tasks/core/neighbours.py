"""Lists: nearest neighbours in factor space, and recommendations.

Computed from the arrays in blocks of rows, so that memory does not grow with the square of the users.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.core.als import Factors, Floats

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

Ids = npt.NDArray[np.int32]
Scores = Callable[[int, int], Floats]
"""(start, stop) -> (stop - start, C) scores of those rows, the higher the better; -inf for what is no candidate."""

Told = Callable[[int, int], None]
"""(done, total): called whenever so many rows of all have their lists; what it raises ends the work."""

BLOCK_BYTES = 64 << 20
"""Scores held at once."""
_GROUP = 64
"""Columns of which only the best score is looked at, to find what the n best must reach."""


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


def similar(factors: Floats, *, n: int, rows: Ids | None = None, told: Told | None = None) -> Lists:
    """The n nearest rows of each row by cosine, itself left out.

    A row of norm zero has no direction: its list is empty, and it is on no other's.

    Parameters
    ----------
    factors : (R, k) float32
    rows : those whose lists are wanted, in the order wanted; all by default
    """
    asked = np.arange(len(factors), dtype=np.int32) if rows is None else rows
    norms = np.linalg.norm(factors, axis=1)
    directed = norms > 0
    unit: Floats = np.zeros_like(factors)
    np.divide(factors, norms[:, None], out=unit, where=directed[:, None])

    def scores(start: int, stop: int) -> Floats:
        chosen = asked[start:stop]
        block = (unit[start:stop] if rows is None else unit[chosen]) @ unit.T  # (B, R)
        block[:, ~directed] = -np.inf
        block[~directed[chosen]] = -np.inf
        block[np.arange(stop - start), chosen] = -np.inf
        return block

    return best(scores, len(asked), len(unit), n, told)


def similar_raw(matrix: "csr_array", *, n: int, rows: Ids | None = None) -> Lists:
    """The n nearest rows of each row by the cosine of their interactions; only rows that share a column count.

    What a model that had memorised the interactions would list.

    Parameters
    ----------
    matrix : (R, C) CSR float32
    rows : those whose lists are wanted; all by default
    """
    from scipy.sparse import diags_array

    asked = np.arange(matrix.shape[0], dtype=np.int32) if rows is None else rows
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    unit = (diags_array(1 / np.where(norms > 0, norms, 1)) @ matrix).tocsr()
    turned = unit.T.tocsr()

    def scores(start: int, stop: int) -> Floats:
        chosen = asked[start:stop]
        block: Floats = (unit[chosen] @ turned).toarray().astype(np.float32)
        block[block <= 0] = -np.inf
        block[np.arange(stop - start), chosen] = -np.inf
        return block

    return best(scores, len(asked), unit.shape[0], n)


def spread(entities: int, most: int) -> Ids:
    """Indexes of at most so many entities, spread evenly over all."""
    return np.unique(np.linspace(0, entities - 1, min(most, entities)).astype(np.int32))


def recommend(factors: Factors, liked: "csr_array", *, n: int, told: Told | None = None) -> Lists:
    """The n items of the highest score x.y for each user, those it has liked left out.

    A user or item of norm zero was not trained: such a user's list is empty, such an item is on none.

    Parameters
    ----------
    liked : (U, I) CSR
    """
    return best(without(preferences(factors), liked), len(factors.users), len(factors.items), n, told)


def preferences(factors: Factors) -> Scores:
    """Every user's preference for every item; -inf for users and items that were not trained."""
    unknown_items = ~np.any(factors.items, axis=1)
    unknown_users = np.asarray(~np.any(factors.users, axis=1))

    def scores(start: int, stop: int) -> Floats:
        block = score(factors.users[start:stop], factors.items)  # (B, I)
        block[:, unknown_items] = -np.inf
        block[unknown_users[start:stop]] = -np.inf
        return block

    return scores


def without(scores: Scores, liked: "csr_array") -> Scores:
    """The same scores, which may be overwritten, with -inf for what a user has liked; `liked` is (U, I) CSR."""

    def masked(start: int, stop: int) -> Floats:
        block = scores(start, stop)
        rows = np.repeat(np.arange(stop - start), np.diff(liked.indptr[start : stop + 1]))
        block[rows, liked.indices[liked.indptr[start] : liked.indptr[stop]]] = -np.inf
        return block

    return masked


def score(users: Floats, items: Floats) -> Floats:
    """Preference of each user for each item, the dot product of their factors: (B, k), (I, k) -> (B, I)."""
    return users @ items.T


def best(scores: Scores, n_rows: int, n_columns: int, n: int, told: Told | None = None) -> Lists:
    """The n best columns of each row. `scores` is called once for each block of rows, in their order."""
    n = min(n, n_columns)
    ids = np.full((n_rows, n), -1, dtype=np.int32)
    highest = np.full((n_rows, n), np.nan, dtype=np.float32)
    step = max(1, BLOCK_BYTES // (4 * max(n_columns, 1)))
    for start in range(0, n_rows if n else 0, step):
        block = scores(start, min(start + step, n_rows))
        rows, columns = _candidates(block, n)
        values = block[rows, columns]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        ends = np.cumsum(np.bincount(rows, minlength=len(block)))
        ranks = np.arange(len(rows)) - np.concatenate(([0], ends[:-1]))[rows]
        listed = ranks < n
        places = start + rows[listed], ranks[listed]
        ids[places], highest[places] = columns[listed], values[listed]
        if told:
            told(start + len(block), n_rows)
    longest = max(int((ids >= 0).sum(axis=1).max(initial=0)), 1) if n else 0
    return Lists(ids[:, :longest], highest[:, :longest])


def _candidates(block: Floats, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of a block's cells among which are the n best of each row; none of them is -inf.

    What is at least as good as a row's n-th best is little more than n cells. With many columns its n-th best is not
    sought: they are put into groups, and the n-th largest of the groups' maxima is no more than it. That reads a block
    twice, where a partition moves it about.
    """
    n_rows, n_columns = block.shape
    size = min(_GROUP, n_columns // (4 * n))
    floor = block
    if size > 1:
        groups = n_columns // size
        floor = block[:, : groups * size].reshape(n_rows, size, groups).max(axis=1)
    place = floor.shape[1] - n
    chosen = block >= np.maximum(np.partition(floor, place, axis=1)[:, place], np.finfo(np.float32).min)[:, None]
    for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) > 4 * n):  # many equal scores
        chosen[row] = False
        chosen[row, np.argsort(-block[row], kind="stable")[:n]] = True
    return np.divmod(np.flatnonzero(chosen), n_columns)
