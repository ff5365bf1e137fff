"""Two settings crossed: simple effects and interactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from tasks.core.comparison.verdict import Answer, Matrix
from tasks.core.formatting import setting_text
from tasks.core.inference.multiplicity import holm
from tasks.core.types import Values


@dataclass(frozen=True)
class SimpleEffect:
    """One setting changed, the other held: Δ between two of the four models on one endpoint.

    setting, held : "factors 50→500", "iterations 15"
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
    """By how much the effect of one setting depends on the other, on the scale of Δ; 0 where it does not.

    low_95, high_95 : jackknife over the runs of all four models, approximate; None with fewer than 3 runs of one
    """

    target: str
    n: int
    size: float
    low_95: float | None
    high_95: float | None


@dataclass(frozen=True)
class Factorial:
    """Two settings crossed: their names, the simple effects and the interactions of every endpoint."""

    settings: tuple[str, str]
    effects: list[SimpleEffect]
    interactions: list[Interaction]

    @property
    def sentence(self) -> str:
        """The primary endpoint's simple effects in words."""
        primary = [each for each in self.effects if each.target == self.effects[0].target]
        told = "; ".join(
            f"{each.setting} at {each.held}: {max(each.n * each.delta, 0):.1f} of {each.n} replaced"
            f" ({'p < 0.001' if each.p_holm < 0.001 else f'p = {each.p_holm:.3f}'})"
            for each in primary
        )
        return f"Which setting does it, in {self.effects[0].target}? {told}."


def grid(models: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], dict[tuple[Any, Any], str]] | None:
    """The two settings that four models cross and the model at each pair of values; None for any other design."""
    if len(models) != 4:
        return None
    keys = next(iter(models.values())).keys()
    differing = [key for key in keys if len({str(settings[key]) for settings in models.values()}) > 1]
    if len(differing) != 2:
        return None
    first, second = differing
    found = {(_cell(settings[first]), _cell(settings[second])): name for name, settings in models.items()}
    values = [sorted({place[side] for place in found}) for side in (0, 1)]
    if len(found) != 4 or [len(each) for each in values] != [2, 2]:
        return None
    return (first, second), {(one, other): found[one, other] for one in values[0] for other in values[1]}


def _cell(value: Any) -> Any:
    """A setting's value that can be sorted and looked up: of a rule, or its absence, in words."""
    return setting_text(value) if value is None or isinstance(value, dict) else value


def factorial(
    models: Mapping[str, Mapping[str, Any]], answers: Sequence[Answer], matrices: Sequence[Matrix]
) -> Factorial | None:
    """Simple effects and interactions of the deciding endpoints; None for models that are no such design.

    Parameters
    ----------
    models : name -> settings
    answers, matrices : as `verdict.answer` gives them for these models
    """
    design = grid(models)
    if design is None or not answers:
        return None
    (first, second), places = design
    lows, highs = next(iter(places)), list(places)[-1]
    family = {each.target for each in answers if each.p_holm is not None}
    of = {(each.target, frozenset((each.a, each.b))): each for each in answers}
    chosen = []
    for matrix in matrices:
        if matrix.target in family:
            for value in (lows[1], highs[1]):
                models_here = places[lows[0], value], places[highs[0], value]
                chosen.append((matrix, f"{first} {lows[0]}→{highs[0]}", f"{second} {value}", *models_here))
            for value in (lows[0], highs[0]):
                models_here = places[value, lows[1]], places[value, highs[1]]
                chosen.append((matrix, f"{second} {lows[1]}→{highs[1]}", f"{first} {value}", *models_here))
    found = [of[matrix.target, frozenset((a, b))] for matrix, _, _, a, b in chosen]
    adjusted = holm([each.p for each in found]).tolist()
    effects = [
        SimpleEffect(m.target, m.n, setting, held, a, b, each.delta, each.low_95, each.high_95, each.p, p_holm)
        for (m, setting, held, a, b), each, p_holm in zip(chosen, found, adjusted, strict=True)
    ]
    signs = {places[lows]: 1, places[highs]: 1} | {
        places[lows[0], highs[1]]: -1,
        places[highs[0], lows[1]]: -1,
    }
    interactions = [_interaction(matrix, signs) for matrix in matrices if matrix.target in family]
    return Factorial((first, second), effects, interactions)


def _interaction(matrix: Matrix, signs: Mapping[str, int]) -> Interaction:
    """‖p11 - p12 - p21 + p22‖² / 2n, p the inclusion probabilities, from overlaps of distinct runs (unbiased)."""
    overlap = np.array(matrix.overlap)
    owners = np.array([name.rpartition(" #")[0] for name in matrix.runs])
    size = _contrast(overlap, owners, signs)
    sizes = {model: int((owners == model).sum()) for model in signs}
    if min(sizes.values()) < 3:
        return Interaction(matrix.target, matrix.n, size, None, None)
    from scipy.stats import t

    variance = 0.0
    for model, runs in sizes.items():
        kept = [np.delete(np.arange(len(owners)), run) for run in np.flatnonzero(owners == model)]
        left_out = [_contrast(overlap[np.ix_(some, some)], owners[some], signs) for some in kept]
        variance += (runs - 1) * float(np.var(left_out))
    reach = float(t.ppf(0.975, sum(sizes.values()) - 4)) * sqrt(variance)
    return Interaction(matrix.target, matrix.n, size, size - reach, size + reach)


def _contrast(overlap: Values, owners: Any, signs: Mapping[str, int]) -> float:
    total = 0.0
    for a, sign_a in signs.items():
        for b, sign_b in signs.items():
            block = overlap[np.ix_(owners == a, owners == b)]
            runs = len(block)
            mean = (block.sum() - np.trace(block)) / (runs * (runs - 1)) if a == b else block.mean()
            total += sign_a * sign_b * float(mean)
    return total / 2
