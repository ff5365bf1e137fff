"""What a search found."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tasks.core.errors import TrainingError
from tasks.core.formatting import settings_text
from tasks.core.search.plan import ModelSearch
from tasks.core.search.study import Trial


@dataclass(frozen=True)
class Tuning:
    """What the search of one model found.

    Attributes
    ----------
    model : str
    settings : dict of str to Any
        The searched settings of the best trial.
    value : float
        The metric of the best trial, the mean over its seeds.
    of_seeds : tuple of float
        The metric of each of them.
    trial : int
        Number of the best trial, from 0.
    trials, pruned, failed : int
        Numbers of trials: all, those that were ended early, and those of which a fit failed.
    best_after : list of float or None
        The best value after 1, 2, … trials; None before the first that was complete.
    seconds : float
        Of fits and measurements.
    failures : list of str
        Why trials failed, without repeats.
    """

    model: str
    settings: dict[str, Any]
    value: float
    of_seeds: tuple[float, ...]
    trial: int
    trials: int
    pruned: int
    failed: int
    best_after: list[float | None]
    seconds: float
    failures: list[str]


@dataclass(frozen=True)
class SearchResult:
    """What a search found for each model.

    Attributes
    ----------
    experiment : str
    run_id : str
        Of the search in MLflow.
    metric : str
    seeds : int
        Number of fits for each trial.
    tunings : list of Tuning
    trained : int
        Trials of this command; those of earlier ones were found in the store.
    """

    experiment: str
    run_id: str
    metric: str
    seeds: int
    tunings: list[Tuning]
    trained: int

    @property
    def sentence(self) -> str:
        """The best settings of each model, and what they reach, in words."""
        best = [
            f"{tuning.model}: {self.metric} {tuning.value:.4f} with {settings_text(tuning.settings)}"
            for tuning in self.tunings
        ]
        return f"Best on the validation part: {'; '.join(best)}."


def best_after(trials: Sequence[Trial]) -> list[float | None]:
    """Return the best value after each trial; None before the first that was complete."""
    values = [float("-inf") if trial.value is None else trial.value for trial in trials]
    return [None if best == float("-inf") else best for best in accumulate(values, max)]


def tuning(search: ModelSearch, trials: Sequence[Trial]) -> Tuning:
    """Return what the trials of a search found. Of equal values the first counts.

    Parameters
    ----------
    search : ModelSearch
        The search.
    trials : sequence of Trial
        Its trials.

    Returns
    -------
    Tuning

    Raises
    ------
    TrainingError
        If no trial was complete.
    """
    complete = [(trial.value, trial) for trial in trials if trial.value is not None]
    failures = list(dict.fromkeys(trial.reason for trial in trials if trial.state == "failed"))
    if not complete:
        raise TrainingError(
            f"search.models.{search.model}: none of {len(trials)} trials was complete; the last one: {failures[-1]}; "
            "change the ranges"
        )
    value, best = max(complete, key=lambda pair: pair[0])
    return Tuning(
        model=search.model,
        settings=best.settings,
        value=value,
        of_seeds=best.of_seeds,
        trial=best.number,
        trials=len(trials),
        pruned=sum(trial.state == "pruned" for trial in trials),
        failed=sum(trial.state == "failed" for trial in trials),
        best_after=best_after(trials),
        seconds=sum(trial.seconds for trial in trials),
        failures=failures,
    )
