"""The users and the items whose lists are made: all of them, or a random sample and the queries."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tasks.core.models.seeds import run_seed
from tasks.core.types import Ids, Mask

Element = TypeVar("Element", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Entities:
    """The users, or the items, whose lists every run makes. Means are over those that were drawn.

    Attributes
    ----------
    rows : (E,) int32
        Their indexes, ascending.
    drawn : (E,) bool
        Whether the sample includes them. False for queries that were added to it.
    population : int
        N, the number of users or items that the sample was drawn from.
    candidates : int or None
        Number of users or items that can be listed; None if it is the population.
    """

    rows: Ids
    drawn: Mask
    population: int
    candidates: int | None = None

    @classmethod
    def all(cls, number: int) -> "Entities":
        """Return all users or items."""
        return cls(np.arange(number, dtype=np.int32), np.ones(number, dtype=bool), number)

    @classmethod
    def only(cls, rows: Ids, number: int) -> "Entities":
        """Return those users or items of a number of them that have lists. They are not a sample of the others.

        Parameters
        ----------
        rows : (E,) int32
            Their indexes, ascending.
        number : int
            Of all users or items, which can be listed.

        Returns
        -------
        Entities
        """
        return cls(rows, np.ones(len(rows), dtype=bool), len(rows), number)

    @classmethod
    def draw(cls, number: int, size: int | None, *, queries: Collection[int], seed: int, side: str) -> "Entities":
        """Draw a sample without replacement, and add the queries.

        Parameters
        ----------
        number : int
            Number of users or items.
        size : int or None
            Size of the sample. All are taken if it is None, or at least `number`.
        queries : collection of int
            Added to the sample if it does not include them.
        seed : int
            Root seed of the experiment.
        side : str
            `users` or `items`: the samples of both are independent.

        Returns
        -------
        Entities
        """
        if size is None or size >= number:
            return cls.all(number)
        generator = np.random.default_rng(run_seed(seed, "", 0, f"sample of {side}"))
        sample = generator.choice(number, size, replace=False).astype(np.int32)
        rows = np.union1d(sample, np.array(list(queries), dtype=np.int32))
        return cls(rows, np.isin(rows, sample), number)

    def without(self, left_out: Mask) -> "Entities":
        """Return those of the users or items that are not left out. The sample is then of those, too.

        Parameters
        ----------
        left_out : (N,) bool
            Of all users or items, by index.

        Returns
        -------
        Entities
        """
        kept = ~left_out[self.rows]
        return Entities(self.rows[kept], self.drawn[kept], self.population - int(np.count_nonzero(left_out)))

    @property
    def n_drawn(self) -> int:
        """Number of users or items that means are over."""
        return int(np.count_nonzero(self.drawn))

    @property
    def are_all(self) -> bool:
        """Whether these are all users or items, and none was added."""
        return self.n_drawn == len(self.rows) == self.population and self.candidates in (None, self.population)

    def of_sample(self, values: "npt.NDArray[Element]") -> "npt.NDArray[Element]":
        """Return the values (E, ...) of those that were drawn; without a copy if all were."""
        return values if self.n_drawn == len(self.rows) else values[self.drawn]

    def position(self, index: int) -> int:
        """Return the position in `rows` of a user or item that is among them."""
        return int(np.searchsorted(self.rows, index))
