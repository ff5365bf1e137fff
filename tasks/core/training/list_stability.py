"""List stability during training: lists at the snapshots, compared with the final ones and with the previous ones."""

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.core.comparison.overlap import Pair
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import evenly_spread, nearest
from tasks.core.types import Ids

SAMPLE = 100
"""Number of users and of items in the sample, spread evenly over all. The query users are added to it."""


class ListStability:
    """Lists of a sample of users and items, and of the query users, at the snapshots of a fit.

    Parameters
    ----------
    users, items : int
        Number of users and of items.
    queries : sequence of int
        Users whose lists are also followed.
    n : int
        Length of the lists.

    Attributes
    ----------
    lists : dict of int to dict of str to (entities, n) int32
        Iteration -> target -> ids of its lists.
    description : str
        Which lists are followed. A checkpoint with another description holds lists that cannot be used.
    """

    def __init__(self, users: int, items: int, *, queries: Sequence[int], n: int) -> None:
        self.n, self.queries = n, tuple(queries)
        self.rows = {"users": evenly_spread(users, SAMPLE), "items": evenly_spread(items, SAMPLE)}
        self.description = f"{n} nearest of a sample and of users {self.queries}"
        self.lists: dict[int, dict[str, Ids]] = {}

    def lists_of(self, factors: Factors) -> dict[str, Ids]:
        """Return the lists that `factors` give, by target: `users`, `items` and `user_U` for each query user."""
        lists = {
            "users": nearest(factors.users, n=self.n, rows=self.rows["users"]).ids,
            "items": nearest(factors.items, n=self.n, rows=self.rows["items"]).ids,
        }
        for user in self.queries:
            lists[f"user_{user}"] = nearest(factors.users, n=self.n, rows=np.array([user], dtype=np.int32)).ids
        return lists

    def add(self, iteration: int, factors: Factors) -> None:
        """Keep the lists after an iteration.

        Parameters
        ----------
        iteration : int
            The iteration.
        factors : Factors
            Factors after it.
        """
        self.lists[iteration] = self.lists_of(factors)

    def metrics(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield (iteration, metrics) for each snapshot.

        The metrics are `overlap_final.TARGET_at_N` and, from the second snapshot on, `overlap_previous.TARGET_at_N`.
        """
        iterations = sorted(self.lists)
        for position, iteration in enumerate(iterations):
            references = {"final": self.lists[iterations[-1]]}
            if position:
                references["previous"] = self.lists[iterations[position - 1]]
            yield (
                iteration,
                {
                    f"overlap_{name}.{target}_at_{self.n}": Pair.of(ids, lists[target]).at(self.n).overlap
                    for target, ids in self.lists[iteration].items()
                    for name, lists in references.items()
                    if target in lists
                },
            )
