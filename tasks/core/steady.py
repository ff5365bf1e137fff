"""The stopping rule `stop: {when: steady}`: what a check measures, and when a fit is steady."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tasks.core.als import Factors
from tasks.core.config import SteadyStop
from tasks.core.neighbours import Ids
from tasks.core.overlap import Pair
from tasks.core.trajectory import Trajectory


class Check(NamedTuple):
    """What a check showed.

    objective : see `tasks.core.als.objective`
    overlap : overlap@n with the lists of the check before, of the users' or of the items', whichever is the less; not
        a number at the first check
    """

    objective: float
    overlap: float


class LastLists:
    """The lists of the last check, and how far the next ones overlap with them."""

    def __init__(self, rule: SteadyStop, users: int, items: int, last: dict[str, Ids] | None = None) -> None:
        self._of = Trajectory(users, items, queries=(), n=rule.n)
        self.last = last or {}

    def overlap(self, factors: Factors) -> float:
        """overlap@n with the lists at the call before, which the present ones take the place of."""
        found, before = self._of.at(factors), self.last
        self.last = found
        overlaps = [Pair.of(ids, before[target]).at(self._of.n).overlap for target, ids in found.items() if before]
        return min(overlaps, default=float("nan"))


def steady(rule: SteadyStop, checks: Sequence[Check]) -> bool:
    """Whether the last `patience` checks all differ from those before them by less than the tolerance."""
    recent = checks[-rule.patience - 1 :]
    return len(recent) > rule.patience and all(
        abs(now.objective - before.objective) < rule.tolerance * abs(before.objective)
        and 1 - now.overlap < rule.tolerance
        for before, now in pairwise(recent)
    )
