"""The stopping rule `stop: {when: steady}`; the other one is in `tasks.core.training.metric_stop`."""

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
    """What a check of the rule measures.

    Attributes
    ----------
    objective : float
        See `tasks.core.models.als.objective`.
    overlap : float
        Overlap@n with the lists of the previous check: the smaller of users' and items'. Not a number at the first
        check.
    """

    objective: float
    overlap: float


class PreviousLists:
    """The lists of the previous check, which the next check is compared with.

    Parameters
    ----------
    rule : SteadyStop
    users, items : int
        Number of users and of items.
    lists : dict of str to (sample, n) int32, optional
        Lists of the previous check, restored from a checkpoint.
    """

    def __init__(self, rule: SteadyStop, users: int, items: int, lists: dict[str, Ids] | None = None) -> None:
        self.rule = rule
        self._sample = ListStability(users, items, queries=(), n=rule.n)
        self.lists = lists or {}

    def overlap(self, factors: Factors) -> float:
        """Return the overlap@n of the lists of `factors` with the previous ones, and keep the new lists instead."""
        previous, self.lists = self.lists, self._sample.lists_of(factors)
        overlaps = [
            Pair.of(ids, previous[target]).at(self._sample.n).overlap for target, ids in self.lists.items() if previous
        ]
        return min(overlaps, default=float("nan"))


def steady(rule: SteadyStop, checks: Sequence[Check]) -> bool:
    """Return whether each of the last `patience` checks differs from the one before by less than the tolerance.

    Parameters
    ----------
    rule : SteadyStop
        The rule of the model.
    checks : sequence of Check
        All checks so far, in order.

    Returns
    -------
    bool
    """
    recent = checks[-rule.patience - 1 :]
    return len(recent) > rule.patience and all(
        abs(now.objective - before.objective) < rule.tolerance * abs(before.objective)
        and 1 - now.overlap < rule.tolerance
        for before, now in pairwise(recent)
    )


def ends_with_last_step(rule: SteadyStop | None, steps: Sequence[Step]) -> bool:
    """Return whether a fit ends after its last step because its rule calls it steady.

    Parameters
    ----------
    rule : SteadyStop or None
        The rule of the model.
    steps : sequence of Step
        One for each iteration from the first.

    Returns
    -------
    bool
    """
    if rule is None or not steps or len(steps) % rule.every:
        return False
    return steady(rule, [Check(step.objective, step.overlap) for step in steps[rule.every - 1 :: rule.every]])
