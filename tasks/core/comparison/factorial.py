"""Two crossed settings: simple effects and interactions.

Four models that combine two values of one setting with two values of another form a 2 x 2 design. It separates what
each setting does: the effect of one setting is tested at each value of the other, with the same permutation test as any
two models, and p is adjusted over all of these tests (Holm). The interaction says by how much the effect of one setting
depends on the other. It is a squared distance like Δ, with an approximate interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.comparison.answers import Answer
from tasks.core.comparison.run_matrix import RunMatrix
from tasks.core.comparison.sweep import varying
from tasks.core.formatting import number_word, p_statement, p_value, setting_text
from tasks.core.inference.multiplicity import LEVEL, holm
from tasks.core.inference.permutation import replicates_needed
from tasks.core.inference.sampling import SampledEstimate
from tasks.core.inference.student import Estimate
from tasks.core.types import Values


@dataclass(frozen=True)
class SimpleEffect:
    """The effect of one setting at one value of the other, on one endpoint.

    Attributes
    ----------
    target : str
    n : int
        Length of the lists.
    setting, held : str
        The setting that changes and the one that does not, such as `factors 50→500` and `iterations 15`.
    a, b : str
        The two models that differ by this.
    delta : float
        Excess disagreement Δ.
    low_95, high_95 : float or None
        Its limits, as in `Answer`.
    p, p_holm : float
        p-value before and after the adjustment over all simple effects.
    """

    target: str
    n: int
    setting: str
    held: str
    a: str
    b: str
    delta: float
    low_95: float | None
    high_95: float | None
    p: float
    p_holm: float


@dataclass(frozen=True)
class Interaction:
    """By how much the effect of one setting depends on the other, on the scale of Δ; 0 if it does not.

    Attributes
    ----------
    target : str
    n : int
        Length of the lists.
    size : float
    low_95, high_95 : float or None
        Approximate limits, from a jackknife over the runs of all four models and, if entities were drawn, from their
        sampling error; None if a model has fewer than 3 runs.
    """

    target: str
    n: int
    size: float
    low_95: float | None
    high_95: float | None


@dataclass(frozen=True)
class Factorial:
    """Simple effects and interactions of two crossed settings.

    Attributes
    ----------
    settings : tuple of str
        Names of the two settings.
    effects : list of SimpleEffect
        Four for each endpoint of the family.
    interactions : list of Interaction
        One for each endpoint of the family.
    smallest_p : float
        The smallest p after Holm's adjustment that so many runs can reach; 0 in results of earlier versions.
    """

    settings: tuple[str, str]
    effects: list[SimpleEffect]
    interactions: list[Interaction]
    smallest_p: float = 0.0

    @property
    def sentence(self) -> str:
        """The simple effects on the primary endpoint in words."""
        target = self.effects[0].target
        of_target = [effect for effect in self.effects if effect.target == target]
        lists = f"the lists of {target.replace('_', ' ')}"
        if self.smallest_p > LEVEL:
            needed = number_word(replicates_needed(len(self.effects)))
            estimates = "; ".join(f"{effect.setting} at {effect.held}, {_replaced(effect)}" for effect in of_target)
            return (
                f"Effect of each setting on {lists}, on this data set, as estimated: {estimates}. With so few seeds no "
                "effect of a setting can be significant: the smallest p that they can reach after Holm's adjustment "
                f"over {len(self.effects)} tests is {p_value(self.smallest_p)} (level {LEVEL:g}); {needed} seeds per "
                "model can reach the level."
            )
        effects = "; ".join(_effect_text(effect) for effect in of_target)
        return f"Effect of each setting on {lists}, on this data set (Holm-adjusted p, level {LEVEL:g}): {effects}."


def _replaced(effect: SimpleEffect) -> str:
    return f"{max(effect.n * effect.delta, 0):.1f} of {effect.n} neighbours"


def _effect_text(effect: SimpleEffect) -> str:
    if effect.p_holm > LEVEL:
        return f"of {effect.setting} at {effect.held}, none is detected ({p_statement(effect.p_holm)})"
    return f"{effect.setting} at {effect.held} replaces {_replaced(effect)} ({p_statement(effect.p_holm)})"


def grid(models: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], dict[tuple[Any, Any], str]] | None:
    """Recognize a 2 x 2 design.

    Parameters
    ----------
    models : mapping of model to dict
        The settings of each model.

    Returns
    -------
    tuple or None
        Names of the two settings, and the model at each pair of their values, both in ascending order. None if the
        models are no such design.
    """
    if len(models) != 4:
        return None
    differing = varying(models)
    if len(differing) != 2:
        return None
    first, second = differing
    cells = {(_sortable(values[first]), _sortable(values[second])): model for model, values in models.items()}
    levels = [sorted({cell[side] for cell in cells}) for side in (0, 1)]
    if len(cells) != 4 or any(len(values) != 2 for values in levels):
        return None
    return (first, second), {(row, column): cells[row, column] for row in levels[0] for column in levels[1]}


def factorial(
    models: Mapping[str, Mapping[str, Any]], answers: Sequence[Answer], matrices: Sequence[RunMatrix]
) -> Factorial | None:
    """Estimate simple effects and interactions on the endpoints of the family.

    Parameters
    ----------
    models : mapping of model to dict
        The settings of each model.
    answers, matrices
        As `verdict.answer` returns them for these models.

    Returns
    -------
    Factorial or None
        None if the models are no 2 x 2 design, or if one of them has a single run.
    """
    design = grid(models)
    if design is None or {model for answer in answers for model in (answer.a, answer.b)} != set(models):
        return None
    (first, second), cells = design
    (low_1, low_2), *_, (high_1, high_2) = cells
    # Of each comparison: the setting that changes, the one that is held, and the two models.
    comparisons = [
        *(
            (f"{first} {low_1}→{high_1}", f"{second} {at}", cells[low_1, at], cells[high_1, at])
            for at in (low_2, high_2)
        ),
        *(
            (f"{second} {low_2}→{high_2}", f"{first} {at}", cells[at, low_2], cells[at, high_2])
            for at in (low_1, high_1)
        ),
    ]
    family = {answer.target for answer in answers if answer.p_holm is not None}
    family_matrices = [matrix for matrix in matrices if matrix.target in family]
    answer_of = {(answer.target, frozenset((answer.a, answer.b))): answer for answer in answers}
    rows = [
        (comparison, answer_of[matrix.target, frozenset(comparison[2:])])
        for matrix in family_matrices
        for comparison in comparisons
    ]
    adjusted = holm([answer.p for _, answer in rows]).tolist()
    effects = [
        SimpleEffect(
            answer.target, answer.n, *comparison, answer.delta, answer.low_95, answer.high_95, answer.p, p_holm
        )
        for (comparison, answer), p_holm in zip(rows, adjusted, strict=True)
    ]
    signs = {
        cells[low_1, low_2]: 1,
        cells[high_1, high_2]: 1,
        cells[low_1, high_2]: -1,
        cells[high_1, low_2]: -1,
    }
    # Holm multiplies the smallest p by the number of tests
    smallest_p = min(1.0, len(rows) * min(1 / answer.splits for _, answer in rows))
    interactions = [_interaction(matrix, signs) for matrix in family_matrices]
    return Factorial((first, second), effects, interactions, smallest_p)


def _sortable(value: Any) -> Any:
    """Return a setting's value in a form that can be sorted and hashed: a rule, or its absence, as text."""
    return setting_text(value) if value is None or isinstance(value, dict) else value


def _interaction(matrix: RunMatrix, signs: Mapping[str, int]) -> Interaction:
    """Estimate ‖p11 - p12 - p21 + p22‖² / 2n of the inclusion probabilities p of the four models.

    It is unbiased, because only overlaps of distinct runs enter.
    """
    models = np.array(matrix.models)
    size = _contrast(matrix.overlap, models, signs)
    runs_of = {model: np.flatnonzero(models == model) for model in signs}
    if min(map(len, runs_of.values())) < 3:
        return Interaction(matrix.target, matrix.n, size, None, None)
    variance = 0.0
    for runs in runs_of.values():
        left_out = []
        for run in runs:
            remaining = np.delete(np.arange(len(models)), run)
            left_out.append(_contrast(matrix.overlap[np.ix_(remaining, remaining)], models[remaining], signs))
        variance += (len(runs) - 1) * float(np.var(left_out))
    estimate = Estimate(size, sqrt(variance), sum(map(len, runs_of.values())) - 4)
    limits = estimate.interval()
    if matrix.sampling:
        sign = np.array([signs[model] for model in dict.fromkeys(matrix.models)], dtype=np.float64)
        # the contrast has each pair of models twice, and half of all
        weights = np.outer(sign, sign) - np.diag(sign**2) / 2
        limits = SampledEstimate(estimate, matrix.sampling.error(weights)).interval()
    return Interaction(matrix.target, matrix.n, size, limits.low, limits.high)


def _contrast(overlap: Values, models: npt.NDArray[np.str_], signs: Mapping[str, int]) -> float:
    total = 0.0
    for a, sign_a in signs.items():
        for b, sign_b in signs.items():
            block = overlap[np.ix_(models == a, models == b)]
            runs = len(block)
            # Within a model the diagonal, which compares a run with itself, does not count.
            mean = (block.sum() - np.trace(block)) / (runs * (runs - 1)) if a == b else block.mean()
            total += sign_a * sign_b * float(mean)
    return total / 2
