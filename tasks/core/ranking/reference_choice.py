"""Settings of the reference recommenders, chosen by accuracy on a validation part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.core.config.evaluation import FilesSplit, RandomUserSplit, SplitConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.draw import draw_split
from tasks.core.data.splits.split import Split
from tasks.core.errors import DataError
from tasks.core.formatting import enumerated
from tasks.core.models.reference_recommenders import CANDIDATES, USUAL, n_candidates
from tasks.core.ranking.accuracy import accuracy_of_lists, cutoff_of
from tasks.core.ranking.recommendations import exclude
from tasks.core.ranking.top_n import top_n
from tasks.core.types import OnProgress

MOST_USERS = 2_000
"""Most users of the validation part whose lists are made for each setting."""
_NOT_SPLIT = "the train part is too small to be split again"
"""Why settings were not chosen, where there is no validation part."""


@dataclass(frozen=True)
class ReferenceSettings:
    """The settings of a reference recommender.

    Attributes
    ----------
    reference : str
        Its name.
    settings : dict of str to float
        `penalty`, or `neighbours` and `shrinkage`.
    metric : str or None
        What they were chosen by on a validation part; None if they were not chosen.
    note : str
        Why they were not chosen, or which of them are at an end of what was tried, in words. May be empty.
    splits : tuple of int
        The splits on which these settings were used, from 0, where others were used on other splits; empty if they were
        used on all.
    """

    reference: str
    settings: dict[str, float]
    metric: str | None
    note: str
    splits: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The settings in words, and how they were chosen."""
        values = ", ".join(
            f"{value:g} {name}" if name == "neighbours" else f"{name} {value:g}"
            for name, value in self.settings.items()
        )
        name = self.reference
        if self.splits:
            name += f" on split{'s' * (len(self.splits) > 1)} {enumerated(self.splits)}"
        if self.metric is None:
            return f"{name} ({values}; not chosen on these data: {self.note})"
        note = f"; {self.note}" if self.note else ""
        return f"{name} ({values}; chosen by {self.metric} on a validation part{note})"


def usual(name: str, reason: str) -> ReferenceSettings:
    """Return the settings of a reference recommender that are used without a choice.

    Parameters
    ----------
    name : str
        One of `USUAL`.
    reason : str
        Why they were not chosen.

    Returns
    -------
    ReferenceSettings
    """
    return ReferenceSettings(name, dict(USUAL[name]), None, reason)


def choose(
    name: str, validation: Split | None, metric: str, on_progress: OnProgress | None = None
) -> ReferenceSettings:
    """Return the settings of a reference recommender that are the most accurate on a validation part.

    Parameters
    ----------
    name : str
        One of `CANDIDATES`.
    validation : Split or None
        See `validation_part`. None leaves no choice.
    metric : str
        Such as `ndcg_at_10`.
    on_progress : callable, optional
        Called after each setting with the settings tried and their number.

    Returns
    -------
    ReferenceSettings
        Of equally accurate settings the usual ones, else the first.
    """
    if validation is None:
        return usual(name, _NOT_SPLIT)
    users = np.flatnonzero(np.diff(validation.test.indptr))
    if len(users) > MOST_USERS:
        users = users[np.linspace(0, len(users) - 1, MOST_USERS).astype(np.int64)]
    known, test = validation.known[users], validation.test[users]
    tried: list[dict[str, float]] = []
    accuracy: list[float] = []
    for settings, scores in CANDIDATES[name](validation.train, known):
        lists = top_n(exclude(scores, known), *test.shape, cutoff_of(metric)).ids
        tried.append(settings)
        accuracy.append(accuracy_of_lists(lists, test, metric))
        if on_progress:
            on_progress(len(tried), n_candidates(name, test.shape[1]))
    best = [settings for settings, value in zip(tried, accuracy, strict=True) if value == max(accuracy)]
    chosen = USUAL[name] if USUAL[name] in best else best[0]
    return ReferenceSettings(name, dict(chosen), metric, _ends(chosen, tried, test.shape[1]))


def settings_of_splits(choices: Sequence[Sequence[ReferenceSettings]]) -> list[ReferenceSettings]:
    """Return the different settings of the reference recommenders, each with the splits on which they were used.

    Parameters
    ----------
    choices : sequence of sequence of ReferenceSettings
        For each split, those of each recommender.

    Returns
    -------
    list of ReferenceSettings
        Those of the first split come first.
    """
    different: list[ReferenceSettings] = []
    for of_split in choices:
        different += [settings for settings in of_split if settings not in different]
    used = [tuple(number for number, of_split in enumerate(choices) if each in of_split) for each in different]
    return [
        replace(settings, splits=() if len(splits) == len(choices) else splits)
        for settings, splits in zip(different, used, strict=True)
    ]


def _ends(chosen: Mapping[str, float], tried: Sequence[Mapping[str, float]], items: int) -> str:
    """Return which settings are the smallest or the largest that were tried, where others are possible beyond."""
    notes = []
    for setting, value in chosen.items():
        values = [settings[setting] for settings in tried]
        least, most = {"neighbours": (1, items - 1), "shrinkage": (0, np.inf), "penalty": (0, np.inf)}[setting]
        label = "number of neighbours" if setting == "neighbours" else setting
        if value == max(values) < most:
            notes.append(f"the largest {label} that was tried")
        elif value == min(values) > least:
            notes.append(f"the smallest {label} that was tried")
    return ", ".join(notes)


def validation_part(interactions: Interactions, config: SplitConfig, seed: int, number: int = 0) -> Split | None:
    """Split the train part of a split again, in the same way.

    Parameters
    ----------
    interactions : Interactions
        The train part, with timestamps if the strategy needs them.
    config : SplitConfig
        How the train part was split off. A published test file cannot be split off again: a fifth of each user's
        interactions, at random, takes its place.
    seed : int
        Of the random draws.
    number : int
        Of the fold that was held out, where the data are divided into folds.

    Returns
    -------
    Split or None
        None if one of the parts would be empty.
    """
    strategy = RandomUserSplit(strategy="random_user") if isinstance(config, FilesSplit) else config
    try:
        return draw_split(interactions, strategy, seed=seed, number=number)
    except DataError:
        return None
