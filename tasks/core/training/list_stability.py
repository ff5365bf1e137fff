"""List stability during training."""

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.core.comparison.overlap import Pair
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import evenly_spread, nearest
from tasks.core.types import Ids

SAMPLE = 100
"""Users and items whose lists are followed, spread evenly over all; the query users besides."""


class ListStability:
    """Lists of some users and items at the snapshots of a fit."""

    def __init__(self, users: int, items: int, *, queries: Sequence[int], n: int) -> None:
        self.n, self.queries = n, tuple(queries)
        self.rows = {"users": evenly_spread(users, SAMPLE), "items": evenly_spread(items, SAMPLE)}
        self.what = f"{n} nearest of a sample and of users {self.queries}"
        self.lists: dict[int, dict[str, Ids]] = {}

    def at(self, factors: Factors) -> dict[str, Ids]:
        """The lists that factors give: target -> (sample, n) ids."""
        found = {
            "users": nearest(factors.users, n=self.n, rows=self.rows["users"]).ids,
            "items": nearest(factors.items, n=self.n, rows=self.rows["items"]).ids,
        }
        for user in self.queries:
            found[f"user_{user}"] = nearest(factors.users, n=self.n, rows=np.array([user], dtype=np.int32)).ids
        return found

    def add(self, iteration: int, factors: Factors) -> None:
        """Note the lists after an iteration."""
        self.lists[iteration] = self.at(factors)

    def metrics(self) -> Iterator[tuple[int, dict[str, float]]]:
        """(iteration, values): `overlap_final.TARGET_at_N`, and from the second on `overlap_previous.TARGET_at_N`."""
        steps = sorted(self.lists)
        for place, step in enumerate(steps):
            values = {}
            for target, ids in self.lists[step].items():
                against = {"final": self.lists[steps[-1]], "previous": self.lists[steps[place - 1]] if place else {}}
                for name, others in against.items():
                    if target in others:
                        overlap = Pair.of(ids, others[target]).at(self.n).overlap
                        values[f"overlap_{name}.{target}_at_{self.n}"] = overlap
            yield step, values
