"""The stopping rule `stop: {when: steady}`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import SteadyStop
from tasks.core.models.factors import Factors
from tasks.core.training.list_stability import ListStability
from tasks.core.training.step import Step
from tasks.core.types import Ids


class Check(NamedTuple):
    """What a check showed.

    objective : see `tasks.core.models.als.objective`
    overlap : overlap@n with the lists of the check before, of the users' or of the items', whichever is the less; not
        a number at the first check
    """

    objective: float
    overlap: float


class LastLists:
    """The lists of the last check, and how far the next ones overlap with them."""

    def __init__(self, rule: SteadyStop, users: int, items: int, last: dict[str, Ids] | None = None) -> None:
        self._of = ListStability(users, items, queries=(), n=rule.n)
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


def is_steady(rule: SteadyStop | None, steps: Sequence[Step]) -> bool:
    """Whether the fit ends with the last step because it is steady by its rule."""
    if rule is None or not steps or len(steps) % rule.every:
        return False
    return steady(rule, [Check(step.objective, step.overlap) for step in steps[rule.every - 1 :: rule.every]])
