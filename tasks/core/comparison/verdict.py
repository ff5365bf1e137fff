"""Verdict on an endpoint: whether two models differ beyond seed variance, and by how much.

A *run* is one fit of a model with a seed of its own; a model has several. On each endpoint the overlap of every two
runs is computed. The overlap *within* a model shows what the seed alone changes, the overlap *between* two models what
seed and model change together. Their difference is the excess disagreement Δ (see `inference.effect`).

Three claims are tested: that Δ is not 0, by permutation of the run labels (`inference.permutation`), and that it is
above or below the margin, with the standard error of Δ (`inference.jackknife`). `RULE`, which was fixed in advance,
turns their adjusted p into a verdict.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from math import sqrt

from tasks.core.comparison.endpoints import Endpoint
from tasks.core.formatting import beyond_noise, interval, level_text, noise_source, number_word, p_value
from tasks.core.inference.effect import SEED_DECIDES, Effect, effect
from tasks.core.inference.jackknife import Uncertainty, jackknife
from tasks.core.inference.multiplicity import Levels, holm
from tasks.core.inference.overlap_counts import Overlaps
from tasks.core.inference.permutation import PermutationTest, permutation_test
from tasks.core.inference.sampling import PairErrors
from tasks.core.types import Mask


class Verdict(StrEnum):
    """The verdict on an endpoint; the value is its slug."""

    MEANINGFUL = "different-meaningfully"
    SMALL = "different-small"
    UNCERTAIN = "different-size-uncertain"
    SAME = "practically-same"
    UNSTABLE = "unstable"
    TOO_FEW = "too-few-seeds"
    INCONCLUSIVE = "inconclusive"


RULE = {
    Verdict.MEANINGFUL: "Δ is not 0 (p ≤ 0.05), and it is above the margin (p ≤ 0.025)",
    Verdict.SMALL: "Δ is not 0 (p ≤ 0.05), and it is below the margin (p ≤ 0.05)",
    Verdict.UNCERTAIN: "Δ is not 0 (p ≤ 0.05), in all other cases",
    Verdict.SAME: "no difference was detected (p > 0.05), and Δ is below the margin (p ≤ 0.05)",
    Verdict.UNSTABLE: "in place of different-small and practically-same where √(O_AA·O_BB) is below twice the margin",
    Verdict.TOO_FEW: "in place of inconclusive where so many seeds cannot reach p ≤ 0.05",
    Verdict.INCONCLUSIVE: "no difference was detected (p > 0.05), in all other cases",
}
"""When each verdict is given; `judge` applies it. Each p is after Holm's adjustment over the family."""


@dataclass(frozen=True)
class Finding:
    """Effect, uncertainty and permutation test for two models on one endpoint, before p is adjusted."""

    effect: Effect
    uncertainty: Uncertainty
    test: PermutationTest


@dataclass(frozen=True)
class Claims:
    """p of each claim about Δ on one endpoint.

    Attributes
    ----------
    difference : float
        Of Δ = 0: small if the models differ.
    above : float
        Of Δ ≤ margin, one-sided: small if Δ is above the margin.
    below : float
        Of Δ ≥ margin, one-sided: small if Δ is below the margin.
    smallest : float
        The smallest value of `difference` that so many runs can reach.
    """

    difference: float
    above: float
    below: float
    smallest: float


def adjusted(family: Sequence[Claims]) -> list[Claims]:
    """Adjust the p of each claim over a family (Holm).

    Parameters
    ----------
    family : sequence of Claims
        Unadjusted p of each endpoint. May be empty.

    Returns
    -------
    list of Claims
        In the same order. `smallest` is adjusted too: pairs with more runs can reach smaller p, and Holm's method then
        adjusts the others less.
    """
    columns = [holm(p).tolist() for p in zip(*map(astuple, family), strict=True)]
    return [Claims(*p) for p in zip(*columns, strict=True)]


def analyse(overlaps: Overlaps, labels: Mask, *, seed: int, sampling: PairErrors | None = None) -> Finding:
    """Estimate the effect and its uncertainty, and test it.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (R, R) of the runs of two models.
    labels : (R,) bool
        True for runs of B.
    seed : int
        Of the permutations, if they are sampled.
    sampling : PairErrors, optional
        Sampling errors, if the overlaps are of drawn entities. The permutation test is of these entities: none has a
        negative Δ, so a difference among them is one among all.

    Returns
    -------
    Finding

    Raises
    ------
    ValueError
        If a model has fewer than two runs, or the number of labels is not R.
    """
    test = permutation_test(overlaps, labels, seed=seed)
    return Finding(effect(overlaps, labels), replace(jackknife(overlaps, labels), sampling=sampling), test)


def judge(claims: Claims, *, ceiling: float, margin: float, levels: Levels = Levels()) -> Verdict:
    """Apply `RULE`.

    Δ cannot exceed the mean overlap within the models. Where their geometric mean is below twice the margin, even
    models without a common entry would hardly be above the margin, and a small Δ says little about the models. Lists
    that agree by `SEED_DECIDES` or more are not called unstable, however large the margin is.

    Parameters
    ----------
    claims : Claims
        Adjusted p of each claim.
    ceiling : float
        √(O_AA·O_BB), see `Effect.ceiling`.
    margin : float
        The smallest Δ that matters, in units of overlap.
    levels : Levels
        What each p is compared with.

    Returns
    -------
    Verdict
    """
    differs, below = claims.difference <= levels.difference, claims.below <= levels.below
    if differs and claims.above <= levels.meaningful:
        return Verdict.MEANINGFUL
    if below:
        if ceiling < min(2 * margin, SEED_DECIDES):
            return Verdict.UNSTABLE
        return Verdict.SMALL if differs else Verdict.SAME
    if differs:
        return Verdict.UNCERTAIN
    return Verdict.TOO_FEW if claims.smallest > levels.difference else Verdict.INCONCLUSIVE


def tipping_point(finding: Finding, verdict: Verdict, *, margin: float) -> float | None:
    """Return the probability of another list from which on a verdict about a steady model would not hold.

    If hardly any run of one model deviates from its usual list, the runs do not show how often it gives another one.
    Deviating with probability ε moves √Δ by at most ε, as in `inference.steady`. A claim about the margin therefore
    holds for all ε below the distance of the limit of its interval from the margin, on the scale of √Δ.

    Parameters
    ----------
    finding : Finding
        Effect and uncertainty of the difference.
    verdict : Verdict
        The verdict on it.
    margin : float
        The smallest Δ that matters, in units of overlap.

    Returns
    -------
    float or None
        None if both models vary, if both are steady (the interval then has bounds for this), or if the verdict makes no
        claim about the margin.
    """
    uncertainty = finding.uncertainty
    if sum(model.steady for model in uncertainty.usual) != 1:
        return None
    limits = uncertainty.limits(0.95 if verdict is Verdict.MEANINGFUL else 0.90)
    if limits is None:
        return None
    if verdict is Verdict.MEANINGFUL:
        return max(sqrt(max(limits.low, 0.0)) - sqrt(margin), 0.0)
    if verdict in (Verdict.SMALL, Verdict.SAME):
        return max(sqrt(margin) - sqrt(max(limits.high, 0.0)), 0.0)
    return None


def verdict_sentence(
    finding: Finding,
    claims: Claims,
    verdict: Verdict,
    *,
    endpoint: Endpoint,
    a: str,
    b: str,
    replicates_needed: int,
    levels: Levels = Levels(),
) -> str:
    """Put the verdict on an endpoint into words.

    Parameters
    ----------
    finding : Finding
        Effect and uncertainty of the difference.
    claims : Claims
        Adjusted p of each claim.
    verdict : Verdict
        What `judge` makes of them.
    endpoint : Endpoint
        The lists, and the margin of the rule.
    a, b : str
        Names of the models.
    replicates_needed : int
        How many runs of each model can reach p ≤ .05.
    levels : Levels
        As in `judge`.

    Returns
    -------
    str
        One to three sentences: the models, the lists, the size of the difference with its interval, and the p and the
        level of each claim.
    """
    estimate, uncertainty = finding.effect, finding.uncertainty
    subject, n, entries = f"in {endpoint.subject} on this data set", endpoint.n, endpoint.entries
    margin = f"{n * endpoint.margin:g} of {n} {entries}, the margin"
    limits = uncertainty.limits(0.95)
    extent = f"no interval: {uncertainty.note}"
    if limits:
        extent = f"95% interval {interval(n * limits.low, n * limits.high, digits=1)}"
        extent += f"; {uncertainty.note}" if uncertainty.note else ""
    replaced = f"{replaced_text(estimate, endpoint)} ({extent})"
    estimated = f"the estimate is {replaced_text(estimate, endpoint, verb='replaced')} ({extent})"
    difference = f"{p_value(claims.difference)} for a difference (level {level_text(levels.difference)})"
    above = f"{p_value(claims.above)} for more than {margin} (level {level_text(levels.meaningful)})"
    below = f"{p_value(claims.below)} for less than {margin} (level {level_text(levels.below)})"
    match verdict:
        case Verdict.MEANINGFUL:
            text = f"{a} and {b} differ significantly and meaningfully {subject}: {replaced}. "
            text += f"Holm-adjusted p: {difference}, {above}."
        case Verdict.SMALL:
            text = f"{a} and {b} differ significantly, but by less than the margin, {subject}: {replaced}. "
            text += f"Holm-adjusted p: {difference}, {below}."
        case Verdict.UNCERTAIN:
            text = f"{a} and {b} differ significantly {subject}, but these runs leave open by how much: {estimated}. "
            text += f"Holm-adjusted p: {difference}, {above}, {below}."
        case Verdict.SAME:
            text = f"{a} and {b} are practically the same {subject}: {replaced}. "
            text += f"Holm-adjusted p: {below}; {difference}, so none was detected."
        case Verdict.UNSTABLE:
            own_a, own_b = (f"{n * overlap:.1f}" for overlap in (estimate.within_a, estimate.within_b))
            most = f"{n * (estimate.within_a + estimate.within_b) / 2:.1f} of {n}"  # of Δ, if the models share nothing
            decides = "decide" if endpoint.dropped_fraction else "decides"
            text = f"{noise_source(endpoint.dropped_fraction).capitalize()} {decides} {endpoint.subject} on this data "
            text += f"set: two seeds of {a} share {own_a} of {n} "
            text += f"{entries}, two of {b} {own_b}. Beyond that, the models can differ by at most {most}. "
            text += f"Holm-adjusted p: {difference}, {below}. "
            text += f"{endpoint.steadier_lists} make lists steadier."
        case Verdict.TOO_FEW:
            text = f"{_seeds_text(uncertainty, a, b)} cannot settle whether {a} and {b} differ {subject}: {estimated}; "
            # not a promise: so many seeds can reach the level, and need not
            text += f"{number_word(replicates_needed)} per model can. With so few seeds no difference can be "
            text += "significant, however large: the smallest Holm-adjusted p that they can reach is "
            text += f"{p_value(claims.smallest)} (level {level_text(levels.difference)})."
        case Verdict.INCONCLUSIVE:
            text = f"These runs do not show whether {a} and {b} differ {subject}: {estimated}. "
            text += f"Holm-adjusted p: {difference}, {below}."
    return text + _qualifications(finding, verdict, endpoint=endpoint, a=a, b=b)


def _seeds_text(uncertainty: Uncertainty, a: str, b: str) -> str:
    """Return how many seeds two models have, as the beginning of a sentence."""
    runs_a, runs_b = (model.runs for model in uncertainty.usual)
    if runs_a == runs_b:
        return f"{number_word(runs_a).capitalize()} seeds per model"
    return f"{number_word(runs_a).capitalize()} seeds of {a} and {number_word(runs_b)} of {b}"


def replaced_text(estimate: Effect, endpoint: Endpoint, *, verb: str = "are replaced") -> str:
    """Return how many entries are replaced beyond what the runs of one model differ by, in words.

    Parameters
    ----------
    estimate : Effect
        Excess disagreement of two models.
    endpoint : Endpoint
        The lists.
    verb : str
        What becomes of the entries: `are replaced`, or `replaced` in a sentence with a verb of its own.

    Returns
    -------
    str
        Such as `2.5 of 5 neighbours are replaced beyond seed variance`.
    """
    beyond = beyond_noise(endpoint.dropped_fraction)
    return f"{max(estimate.n_delta, 0.0):.1f} of {endpoint.n} {endpoint.entries} {verb} {beyond}"


def _qualifications(finding: Finding, verdict: Verdict, *, endpoint: Endpoint, a: str, b: str) -> str:
    """Return the sentences that limit a verdict: a rare list, a difference in steadiness alone, noisy lists."""
    text, estimate = "", finding.effect
    tipping = tipping_point(finding, verdict, margin=endpoint.margin)
    if tipping is not None:
        model, usual = next(pair for pair in zip((a, b), finding.uncertainty.usual, strict=True) if pair[1].steady)
        equal = usual.runs - len(usual.deviating)
        seeds = f"{equal} of its {usual.runs} seeds" if usual.deviating else f"all of its {usual.runs} seeds"
        text += f" This holds unless {model} gives another list than {seeds} gave with probability above {tipping:.2f}."
    if verdict in (Verdict.MEANINGFUL, Verdict.SMALL, Verdict.UNCERTAIN) and estimate.steadier > estimate.others:
        steadier, other = (a, b) if estimate.within_a > estimate.within_b else (b, a)
        text += f" Most of the difference is that {steadier} varies less between seeds than {other}."
    if verdict is not Verdict.UNSTABLE and estimate.decided_by_seed:
        text += f" These lists depend largely on {noise_source(endpoint.dropped_fraction)}."
    return text
