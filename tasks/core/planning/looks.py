"""Planned looks of an experiment: which are taken, with which fits, and when the answer is decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.comparison.answers import Answer
from tasks.core.comparison.endpoints import family_size
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.sequential import Look, plan_looks
from tasks.core.planning.runs import PlannedRun

UNDECIDED = ("inconclusive", "too-few-seeds", "different-size-uncertain")
"""Verdicts after which more seeds are trained. Slugs, because stored answers hold these."""


@dataclass(frozen=True)
class Stage:
    """The fits up to a look that is taken; those of the whole experiment if the number of replicates is fixed.

    Attributes
    ----------
    look : Look or None
        None for a fixed number of replicates.
    runs : list of PlannedRun
        All fits that are compared, those of earlier stages included.
    added : list of PlannedRun
        Those that no earlier stage has.
    """

    look: Look | None
    runs: list[PlannedRun]
    added: list[PlannedRun]


def planned_looks(config: ExperimentConfig) -> list[Look]:
    """Return every look that a config plans.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.

    Returns
    -------
    list of Look
        Skipped ones included. Empty for a fixed number of replicates.
    """
    if isinstance(config.replicates, int):
        return []
    return plan_looks(config.replicates.looks, tests=family_size(config))


def stages(config: ExperimentConfig, runs: list[PlannedRun]) -> list[Stage]:
    """Divide an experiment into stages, one for each look that is taken.

    All models grow together. The replicates of the evaluation are fixed, and belong to the first stage.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    runs : list of PlannedRun
        All of its fits.

    Returns
    -------
    list of Stage
        In the order in which they are trained; at least one.
    """
    found: list[Stage] = []
    for look in planned_looks(config):
        if not look.skipped:
            wanted = [run for run in runs if run.is_evaluation or run.replicate < look.replicates]
            earlier = found[-1].runs if found else []
            found.append(Stage(look, wanted, [run for run in wanted if run not in earlier]))
    return found or [Stage(None, runs, runs)]


def fits_until(look: Look, config: ExperimentConfig) -> int:
    """Return how many fits an experiment has if its training stops at a look.

    Parameters
    ----------
    look : Look
        The look.
    config : ExperimentConfig
        The experiment.

    Returns
    -------
    int
        Those for the evaluation included.
    """
    evaluations = config.evaluation.replicates * config.evaluation.n_splits if config.evaluation else 0
    return len(config.models) * (look.replicates + evaluations)


def is_decided(answers: Sequence[Answer], config: ExperimentConfig) -> bool:
    """Return whether no more seeds are needed.

    Parameters
    ----------
    answers : sequence of Answer
        At one look, the primary endpoint's first.
    config : ExperimentConfig
        With planned looks. `until: primary` asks for a verdict on the primary endpoint, for the baseline and the first
        other model; `until: all` for one on every endpoint of the family, for the baseline and every other model.

    Returns
    -------
    bool
        False if one of these verdicts is in `UNDECIDED`.
    """
    verdicts = [answer.verdict for answer in answers if answer.verdict is not None]
    if not isinstance(config.replicates, int) and config.replicates.until == "primary":
        verdicts = verdicts[:1]
    return not any(verdict in UNDECIDED for verdict in verdicts)
