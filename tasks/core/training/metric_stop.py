"""The stopping rule `stop: {when: metric}`: accuracy on a part that the fit holds out."""

from collections.abc import Sequence

import numpy as np

from tasks.core.config.als import AlsConfig, MetricStop
from tasks.core.data.splits.split import Split
from tasks.core.models.factors import Factors
from tasks.core.ranking.accuracy import accuracy_of_factors
from tasks.core.training.step import Step


class BestCheck:
    """The factors at the check with the highest accuracy so far.

    Parameters
    ----------
    rule : MetricStop
    settings : AlsConfig
        Of the fit.
    split : Split
        What the fit is trained on, and the part that accuracy is measured on.
    factors : Factors, optional
        Factors at the best check, restored from a checkpoint.

    Attributes
    ----------
    factors : Factors or None
        None before the first check.
    """

    def __init__(self, rule: MetricStop, settings: AlsConfig, split: Split, factors: Factors | None = None) -> None:
        self.rule, self.settings, self.split, self.factors = rule, settings, split, factors

    def is_check(self, iteration: int) -> bool:
        """Return whether accuracy is measured after an iteration."""
        return iteration % self.rule.every == 0 or iteration == self.settings.iterations

    def measure(self, factors: Factors, steps: Sequence[Step]) -> float:
        """Return the accuracy of factors, and keep a copy if it is higher than at all checks before.

        Parameters
        ----------
        factors : Factors
            After the present iteration.
        steps : sequence of Step
            Of the iterations before.

        Returns
        -------
        float
        """
        accuracy = accuracy_of_factors(factors, self.split, self.settings, self.rule.metric)
        if not any(step.accuracy >= accuracy for step in steps):
            self.factors = Factors(factors.users.copy(), factors.items.copy())
        return accuracy


def best_iteration(steps: Sequence[Step]) -> int | None:
    """Return the iteration of the check with the highest accuracy, the first of equals; None before the first check."""
    checks = [step for step in steps if not np.isnan(step.accuracy)]
    return max(checks, key=lambda step: step.accuracy).iteration if checks else None


def no_longer_rises(rule: MetricStop, steps: Sequence[Step]) -> bool:
    """Return whether a fit ends after its last step: its last `patience` checks had no new highest accuracy.

    Parameters
    ----------
    rule : MetricStop
        The rule of the model.
    steps : sequence of Step
        One for each iteration from the first.

    Returns
    -------
    bool
    """
    accuracies = [step.accuracy for step in steps if not np.isnan(step.accuracy)]
    if not accuracies or np.isnan(steps[-1].accuracy):
        return False
    return len(accuracies) - 1 - int(np.argmax(accuracies)) >= rule.patience
