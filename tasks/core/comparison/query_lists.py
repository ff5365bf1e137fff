"""The lists of single users and items, by model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.ranking.lists import Lists


@dataclass(frozen=True)
class Names:
    """What rows and columns are called: raw ids (U,), (I,), and titles (I,) where the data set has them."""

    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    item_titles: npt.NDArray[np.str_] | None

    def of(self, index: int, *, item: bool) -> tuple[int | str, str]:
        """Raw id and title (empty for users, and where there is none)."""
        raw: int | str = (self.item_ids if item else self.user_ids)[index].item()
        return raw, str(self.item_titles[index]) if item and self.item_titles is not None else ""


@dataclass(frozen=True)
class Entry:
    """An entry of a query's list: who it is, the share of the model's seeds that list it, mean rank and score there."""

    index: int
    raw_id: int | str
    title: str
    share: float
    rank: float
    score: float


@dataclass(frozen=True)
class QueryLists:
    """One query's lists, by model: what its seeds list, most often listed first."""

    name: str
    target: str
    index: int
    raw_id: int | str
    title: str
    n: int
    models: dict[str, list[Entry]]


def queries(users: Sequence[int], items: Sequence[int], recommend_for: Sequence[int]) -> Iterator[tuple[str, str, int]]:
    """(name, target, entity) of each query: `("user_10", "users", 10)`."""
    kinds = (("user", "users", users), ("item", "items", items), ("recommend_for", "recommendations", recommend_for))
    for prefix, target, indexes in kinds:
        for index in indexes:
            yield f"{prefix}_{index}", target, index


def query_lists(
    name: str, target: str, index: int, *, n: int, names: Names, lists: Mapping[str, Sequence[Lists]]
) -> QueryLists:
    """What each model's replicates list for one entity in their first n: most often listed first, then best ranked."""
    raw, title = names.of(index, item=target == "items")
    models = {model: _consensus(found, index, n, names, item=target != "users") for model, found in lists.items()}
    return QueryLists(name, target, index, raw, title, n, models)


def _consensus(lists: Sequence[Lists], entity: int, n: int, names: Names, *, item: bool) -> list[Entry]:
    ranks: dict[int, list[int]] = {}
    scores: dict[int, list[float]] = {}
    for run in lists:
        listed = zip(run.ids[entity, :n].tolist(), run.scores[entity, :n].tolist(), strict=True)
        for rank, (index, score) in enumerate(listed, start=1):
            if index >= 0:
                ranks.setdefault(index, []).append(rank)
                scores.setdefault(index, []).append(score)
    found = [
        Entry(index, *names.of(index, item=item), len(at) / len(lists), sum(at) / len(at), sum(scores[index]) / len(at))
        for index, at in ranks.items()
    ]
    return sorted(found, key=lambda entry: (-entry.share, entry.rank, entry.index))
