"""Which reference recommenders are computed, and whether their settings are chosen: what both take, and what there is.

Work is in 10^9 operations of training, see `tasks.core.models.cost.gflop`. The factors below were measured on two cores
that train at 20 such operations per nanosecond; see docs/evaluation.md.
"""

from dataclasses import dataclass

import numpy as np

from tasks.core.config.evaluation import EASE, ITEM_KNN
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.models import cost, ease, item_knn
from tasks.core.models.cost import gflop
from tasks.core.models.reference_recommenders import RECOMMENDERS, n_candidates
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.planning.capacity import free_memory
from tasks.core.planning.runs import planned_runs
from tasks.core.ranking.reference_choice import MOST_USERS

MOST_OF_FITS = 10.0
"""EASE is computed if its work is at most this many times that of all fits."""
LEAST_WORK = 100.0
"""Fits of less work, for each split, count as so much, which takes seconds."""
MOST_OF_MEMORY = 0.75
"""Most of the free memory that EASE may take."""
WORK_OF_THREADS = 500.0
"""Reference recommenders of less work run with one BLAS thread each. Several threads wait for each other, which takes
much longer where something else has the cores too."""
_BYTES_BESIDE_FITS = 256 << 20
"""Most memory of reference recommenders that are computed while models are trained and lists are compared."""
_BYTES_AN_INTERACTION = 48
"""Of the parts of a split, and of the train part split again."""
_FACTORIZED = 0.5
"""For each I³: factorization and inverse of the Gram matrix."""
_WEIGHTED = 4.0
"""For each interaction and item: scores by a dense matrix, as in EASE."""
_RANKED = 60.0
"""For each score: its rank."""
_COMPARED = 400.0
"""For each pair of items: similarity and selection of the nearest."""
_CO_OCCURRING = 500.0
"""For each pair of interactions of one user, as if all users had the same number: products of items."""
_SUMMED = 180.0
"""For each interaction and neighbour: scores by a sparse matrix of similarities."""
_MEASURED_ITEMS = 500
"""Items of the matrix that is factorized to measure the time of such work."""


@dataclass(frozen=True)
class ReferencePlan:
    """How the reference recommenders are computed.

    Attributes
    ----------
    left_out : dict of str to str
        Recommender that is not computed -> reason.
    not_chosen : dict of str to str
        Recommender whose settings are the usual ones, not chosen on the data -> reason.
    ease_bytes : int
        Memory of EASE; 0 if it is left out.
    item_knn_bytes : int
        Memory of choosing the settings of item-kNN; 0 without a choice.
    reference_gflop : float
        Work of choices, and of EASE, on all splits.
    """

    left_out: dict[str, str]
    not_chosen: dict[str, str]
    ease_bytes: int
    item_knn_bytes: int
    reference_gflop: float

    @property
    def n_bytes(self) -> int:
        """Memory of all, some of which run at a time."""
        return self.ease_bytes + self.item_knn_bytes


NO_REFERENCES = ReferencePlan({}, {}, 0, 0, 0.0)
"""The plan of an experiment without evaluation."""


def references_of(config: ExperimentConfig, size: tuple[int, int, int]) -> ReferencePlan:
    """Return how the reference recommenders of an experiment are computed, with the memory that is free now.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment, of whose fits the work is known.
    size : tuple of int
        Number of users, of items and of interactions.

    Returns
    -------
    ReferencePlan
        `NO_REFERENCES` without evaluation.
    """
    if config.evaluation is None:
        return NO_REFERENCES
    runs = planned_runs(config, "")
    work = sum(gflop(size[:2], run.fitted_interactions(size[2]), run.settings) for run in runs)
    return plan_references(size, work, free_memory(), n_splits=config.evaluation.n_splits)


def run_beside_fits(plan: ReferencePlan, n_interactions: int) -> bool:
    """Return whether the reference recommenders are computed beside the fits, and not after the lists are compared.

    Parameters
    ----------
    plan : ReferencePlan
        How they are computed.
    n_interactions : int
        Number of interactions.

    Returns
    -------
    bool
        True if they take so little memory and work that it does not matter.
    """
    n_bytes = plan.n_bytes + _BYTES_AN_INTERACTION * n_interactions
    return n_bytes <= _BYTES_BESIDE_FITS and plan.reference_gflop < WORK_OF_THREADS


def plan_references(
    size: tuple[int, int, int], fits_gflop: float, free_bytes: int, *, n_splits: int = 1
) -> ReferencePlan:
    """Decide by work and memory which reference recommenders are computed, and for which of them settings are chosen.

    Settings are chosen if that takes no more work than all fits. EASE is computed if it takes at most `MOST_OF_FITS`
    times that work and `MOST_OF_MEMORY` of the free memory.

    Parameters
    ----------
    size : tuple of int
        Number of users, of items and of interactions.
    fits_gflop : float
        Work of all fits.
    free_bytes : int
        Free memory.
    n_splits : int
        Number of splits. The work of the reference recommenders is that on all of them, one after the other.

    Returns
    -------
    ReferencePlan
    """
    items = size[1]
    memory = MOST_OF_MEMORY * free_bytes
    least = n_splits * LEAST_WORK
    left_out, not_chosen = {}, {}
    work, of_ease = n_splits * ease_gflop(size), ease.BYTES_PER_CELL * items**2
    if of_ease > memory:
        left_out[EASE] = f"{items:,} items need {_mib(of_ease)} of memory, and {_mib(memory)} can be used"
    elif reason := _too_much(work, fits_gflop, least, MOST_OF_FITS):
        left_out[EASE] = f"its work with {items:,} items is {reason}"
    if EASE in left_out:
        work = of_ease = 0
    else:
        choice, of_choice = n_splits * ease_choice_gflop(size), ease.BYTES_PER_CELL_OF_A_CHOICE * items**2
        if reason := _no_choice(choice, fits_gflop, least, of_choice, memory):
            not_chosen[EASE] = reason
        else:
            work, of_ease = work + choice, of_choice
    choice, of_choice = n_splits * item_knn_choice_gflop(size), item_knn.bytes_of_choice(items)
    if reason := _no_choice(choice, fits_gflop, least, of_choice, memory - of_ease):  # both may run at a time
        not_chosen[ITEM_KNN], choice, of_choice = reason, 0.0, 0
    return ReferencePlan(left_out, not_chosen, of_ease, of_choice, work + choice)


def _no_choice(work: float, fits_gflop: float, least: float, n_bytes: int, memory: float) -> str:
    """Return why settings are not chosen; empty if they are."""
    if reason := _too_much(work, fits_gflop, least, 1.0):
        return f"the work of a choice is {reason}"
    if n_bytes > memory:
        return f"a choice needs {_mib(n_bytes)} of memory, and {_mib(memory)} can be used"
    return ""


def _too_much(work: float, fits_gflop: float, least: float, times: float) -> str:
    """Return a work that is more than so many times that of all fits, with its limit; empty if it is not."""
    if work <= times * max(fits_gflop, least):
        return ""
    if fits_gflop < least:
        return f"estimated at {work:,.0f} GFLOP, more than {times * least:,.0f} where all fits take so little"
    many = "" if times == 1 else f"{times:g} times "
    return f"estimated at {work:,.0f} GFLOP, more than {many}that of all fits ({fits_gflop:,.0f})"


def references_seconds(plan: ReferencePlan, lists_seconds: float) -> float:
    """Return the time of choosing settings and of evaluating the reference recommenders, one on each core.

    Parameters
    ----------
    plan : ReferencePlan
        Which of them are computed.
    lists_seconds : float
        Time of one model's lists.

    Returns
    -------
    float
    """
    n_references = len(RECOMMENDERS) - len(plan.left_out)
    with one_blas_thread():
        factorization = cost.seconds(ease.weights, np.zeros((_MEASURED_ITEMS, _MEASURED_ITEMS)), 1.0)
    work = plan.reference_gflop * factorization / (_FACTORIZED * _MEASURED_ITEMS**3 / 1e9)
    return (n_references * lists_seconds + work) / min(cores(), n_references)


def ease_gflop(size: tuple[int, int, int], *, of_choice: bool = False) -> float:
    """Return the work of fitting EASE once and making all lists, or those that a choice makes for one penalty.

    Parameters
    ----------
    size : tuple of int
        Number of users, of items and of interactions.
    of_choice : bool
        Whether lists are made for the users of a choice only.

    Returns
    -------
    float
    """
    users, items, interactions = size
    share = min(MOST_USERS / users, 1.0) if of_choice else 1.0
    scored = _WEIGHTED * interactions * items + _RANKED * users * items
    return (_FACTORIZED * items**3 + share * scored) / 1e9


def ease_choice_gflop(size: tuple[int, int, int]) -> float:
    """Return the work of choosing the penalty of EASE; see `ease_gflop`."""
    return n_candidates(EASE, size[1]) * ease_gflop(size, of_choice=True)


def item_knn_choice_gflop(size: tuple[int, int, int]) -> float:
    """Return the work of choosing the settings of item-kNN.

    Parameters
    ----------
    size : tuple of int
        Number of users, of items and of interactions.

    Returns
    -------
    float
    """
    users, items, interactions = size
    numbers = item_knn.numbers_of_neighbours(items)
    share = min(MOST_USERS / users, 1.0)
    similarities = _COMPARED * items**2 + _CO_OCCURRING * interactions**2 / users
    summed = sum(_WEIGHTED * items if item_knn.is_dense(n, items) else _SUMMED * n for n in numbers)
    lists = interactions * summed + _RANKED * users * items * len(numbers)
    return len(item_knn.SHRINKAGES) * (similarities + share * lists) / 1e9


def _mib(n_bytes: float) -> str:
    return f"{n_bytes / 2**20:,.0f} MiB"
