"""Splits that are drawn from the interactions, by any strategy."""

from tasks.core.config.evaluation import FoldsSplit, LeaveLastSplit, SplitConfig, StrongSplit, TimeSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.folds import hold_out_fold
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import Strategy, hold_out
from tasks.core.data.splits.strong import hold_out_strongly

Drawn = Strategy | StrongSplit | FoldsSplit
"""Strategies other than a published test file."""


def needs_times(config: SplitConfig) -> bool:
    """Return whether a strategy holds out by time."""
    return isinstance(config, LeaveLastSplit | TimeSplit)


def draw_split(
    interactions: Interactions, config: Drawn, *, seed: int, number: int = 0, validation: bool = False
) -> Split:
    """Split interactions by the strategy of a config.

    Parameters
    ----------
    interactions : Interactions
        With timestamps, if the strategy needs them.
    config : Drawn
        The strategy and its settings.
    seed : int
        Of the random draws; folds have one in common.
    number : int
        Of the fold, from 0. Other strategies do not use it.
    validation : bool
        Whether to leave the test part out and split the train part once more, with `seed` + 1. The validation part then
        stands in place of the test part.

    Returns
    -------
    Split

    Raises
    ------
    DataError
        See `tasks.core.data.splits.strategies.hold_out`, `tasks.core.data.splits.strong.hold_out_strongly` and
        `tasks.core.data.splits.folds.hold_out_fold`.
    """
    if isinstance(config, StrongSplit):
        return hold_out_strongly(interactions.matrix, config, seed=seed, validation=validation)
    if isinstance(config, FoldsSplit):
        return hold_out_fold(interactions.matrix, config, number, seed=seed, validation=validation)
    return hold_out(interactions, config, seed=seed, validation=validation)
