"""Verdict on each endpoint: whether two models differ beyond seed variance, and by how much.

A *run* is one fit of a model with a seed of its own; a model has several. An *endpoint* is a set of lists at one length
that is judged as one, such as the 5 users nearest to user 10. On each endpoint the overlap of every two runs is
computed. The overlap *within* a model shows what the seed alone changes, the overlap *between* two models what seed and
model change together. Their difference is the excess disagreement Δ (see `inference.effect`). It comes with a
confidence interval (`inference.jackknife`) and a permutation p-value (`inference.permutation`).

The *family* of endpoints, with the baseline against each other model, gets a verdict: p is adjusted over the family
(Holm), and `RULE`, which was fixed in advance, compares it with the level and the interval with the margin. Other
endpoints and other pairs of models are described: they have a raw p and no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from math import sqrt

import numpy as np

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.endpoints import Endpoint
from tasks.core.comparison.run_matrix import RunMatrix
from tasks.core.formatting import interval, p_statement
from tasks.core.inference.effect import Effect, effect
from tasks.core.inference.jackknife import Uncertainty, jackknife
from tasks.core.inference.multiplicity import LEVEL, holm
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts
from tasks.core.inference.permutation import PermutationTest, permutation_test
from tasks.core.types import Mask


class Verdict(StrEnum):
    """The verdict on an endpoint; the value is its slug."""

    MEANINGFUL = "different-meaningfully"
    SMALL = "different-small"
    UNCERTAIN = "different-size-uncertain"
    SAME = "practically-same"
    INCONCLUSIVE = "inconclusive"


RULE = {
    Verdict.MEANINGFUL: "p ≤ 0.05 after Holm's adjustment, and the 95% interval of Δ is above the margin",
    Verdict.SMALL: "p ≤ 0.05 after Holm's adjustment, and the 90% interval of Δ is below the margin",
    Verdict.UNCERTAIN: "p ≤ 0.05 after Holm's adjustment, in all other cases",
    Verdict.SAME: "p > 0.05 after Holm's adjustment, and the 90% interval of Δ is below the margin",
    Verdict.INCONCLUSIVE: "p > 0.05 after Holm's adjustment, in all other cases",
}
"""When each verdict is given; `judge` applies it."""


@dataclass(frozen=True)
class Finding:
    """Effect, uncertainty and test for two models on one endpoint, before p is adjusted."""

    effect: Effect
    uncertainty: Uncertainty
    test: PermutationTest


@dataclass(frozen=True)
class Answer:
    """The result for two models on one endpoint. Overlaps, Δ and its limits are in units of overlap.

    Attributes
    ----------
    target, n
        The endpoint and the length of its lists.
    a, b : str
        Names of the models.
    runs_a, runs_b : int
        Runs of each model.
    within_a, within_b, between, delta, n_delta, rho, steadier, others, decided_by_seed
        See `inference.effect.Effect`.
    standard_error : float or None
        From the jackknife; None if `note` says why there is none.
    low_95, high_95, low_90, high_90 : float or None
        Intervals of Δ, or bounds if no seed variation was seen.
    note : str or None
        See `inference.jackknife.Uncertainty`.
    p, splits, exact
        See `inference.permutation.PermutationTest`.
    margin : float
        The smallest Δ that matters.
    p_holm, verdict : float, str; or None
        None outside the family.
    sentence : str
        The verdict, or the description, in words.
    """

    target: str
    n: int
    a: str
    b: str
    runs_a: int
    runs_b: int
    within_a: float
    within_b: float
    between: float
    delta: float
    n_delta: float
    rho: float | None
    steadier: float
    others: float
    standard_error: float | None
    low_95: float | None
    high_95: float | None
    low_90: float | None
    high_90: float | None
    note: str | None
    p: float
    splits: int
    exact: bool
    margin: float
    p_holm: float | None
    verdict: str | None
    decided_by_seed: bool
    sentence: str

    @property
    def metric(self) -> str:
        """Name among the parent run's metrics, after `delta/`, `p/` and `p_holm/`: such as `users_at_5.k50_vs_k500`."""
        return f"{self.target}_at_{self.n}.{self.a}_vs_{self.b}"


def answer(
    lists: Mapping[str, Sequence[RunLists]], endpoints: Sequence[Endpoint], *, baseline: str, seed: int
) -> tuple[list[Answer], list[RunMatrix]]:
    """Compare every two models on every endpoint.

    Parameters
    ----------
    lists : mapping of model to sequence of RunLists
        One element for each replicate.
    endpoints : sequence of Endpoint
        The primary endpoint first.
    baseline : str
        The model whose pairs with the others get verdicts.
    seed : int
        Of the permutations that are sampled.

    Returns
    -------
    answers : list of Answer
        For every two models with two runs or more. The pairs of the baseline come first, each with its endpoints in
        order, so the first answer is the primary endpoint's.
    matrices : list of RunMatrix
        One for each endpoint, over the runs of all models, the baseline's first.
    """
    models = [baseline, *(model for model in lists if model != baseline)]
    runs = [(model, replicate) for model in models for replicate in range(len(lists[model]))]
    findings: list[tuple[Endpoint, str, str, Finding]] = []
    matrices = []
    for endpoint in endpoints:
        rows = slice(None) if endpoint.entity is None else slice(endpoint.entity, endpoint.entity + 1)
        ids = [getattr(lists[model][replicate], endpoint.of).ids[rows] for model, replicate in runs]
        overlaps = overlap_counts(ids, endpoint.n)
        matrices.append(RunMatrix(endpoint.target, endpoint.n, runs, overlaps.counts / overlaps.denominator))
        for a, b in combinations(models, 2):
            members = [position for position, (model, _) in enumerate(runs) if model in (a, b)]
            labels = np.array([runs[position][0] == b for position in members])
            if min(labels.sum(), (~labels).sum()) >= 2:
                findings.append((endpoint, a, b, analyse(overlaps.of_runs(members), labels, seed=seed)))
    # Pair by pair, those of the baseline first. The sort is stable: each pair keeps the order of the endpoints.
    findings.sort(key=lambda entry: (entry[1] != baseline, models.index(entry[1]), models.index(entry[2])))
    family = [position for position, (endpoint, a, _, _) in enumerate(findings) if endpoint.family and a == baseline]
    adjusted = holm([findings[position][3].test.p for position in family]).tolist()
    p_holm = dict(zip(family, adjusted, strict=True))
    answers = [
        _answer(endpoint, a, b, len(lists[a]), len(lists[b]), finding, p_holm.get(position))
        for position, (endpoint, a, b, finding) in enumerate(findings)
    ]
    return answers, matrices


def analyse(overlaps: Overlaps, labels: Mask, *, seed: int) -> Finding:
    """Estimate the effect and its uncertainty, and test it.

    Parameters
    ----------
    overlaps : Overlaps
        Counts (R, R) of the runs of two models.
    labels : (R,) bool
        True for runs of B.
    seed : int
        Of the permutations, if they are sampled.

    Returns
    -------
    Finding

    Raises
    ------
    ValueError
        If a model has fewer than two runs, or the number of labels is not R.
    """
    test = permutation_test(overlaps, labels, seed=seed)
    return Finding(effect(overlaps, labels), jackknife(overlaps, labels), test)


def judge(uncertainty: Uncertainty, p_holm: float, *, margin: float) -> Verdict:
    """Apply `RULE`.

    Without seed variation the bounds replace the interval, because Δ itself describes only the runs that were made.
    Without either, the size of the difference is unknown: the verdict is `UNCERTAIN` or `INCONCLUSIVE`.

    Parameters
    ----------
    uncertainty : Uncertainty
        Intervals or bounds of Δ.
    p_holm : float
        Adjusted p.
    margin : float
        The smallest Δ that matters, in units of overlap.

    Returns
    -------
    Verdict
    """
    limits_95, limits_90 = uncertainty.limits_95, uncertainty.limits_90
    below = limits_90 is not None and limits_90.high < margin
    if p_holm > LEVEL:
        return Verdict.SAME if below else Verdict.INCONCLUSIVE
    if limits_95 is not None and limits_95.low > margin:
        return Verdict.MEANINGFUL
    return Verdict.SMALL if below else Verdict.UNCERTAIN


def verdict_sentence(finding: Finding, p_holm: float, *, endpoint: Endpoint, a: str, b: str) -> str:
    """Put the verdict on an endpoint into one sentence.

    Parameters
    ----------
    finding : Finding
        Effect and uncertainty of the difference.
    p_holm : float
        Adjusted p.
    endpoint : Endpoint
        The lists, and the margin of the rule.
    a, b : str
        Names of the models.

    Returns
    -------
    str
        Names the models, the lists, the size of the difference with its interval, and p.
    """
    uncertainty, n, subject, entries = finding.uncertainty, endpoint.n, endpoint.subject, endpoint.entries
    p, interval_95, limits_90 = p_statement(p_holm), uncertainty.interval_95, uncertainty.limits_90
    extent = uncertainty.note
    if interval_95:
        extent = f"95% interval {interval(n * interval_95.low, n * interval_95.high, digits=1)}"
    replaced = f"{_replaced(finding.effect, endpoint)} are replaced beyond seed variance ({extent}; {p})"
    no_difference = "no significant difference beyond seed variance "
    no_difference += f"({p}; {uncertainty.note})" if uncertainty.note else f"({p})"
    match judge(uncertainty, p_holm, margin=endpoint.margin):
        case Verdict.MEANINGFUL:
            text = f"{a} and {b} differ significantly and meaningfully in {subject}: {replaced}"
        case Verdict.SMALL:
            text = f"{a} and {b} differ significantly, but only slightly, in {subject}: {replaced}"
        case Verdict.UNCERTAIN:
            text = f"{a} and {b} differ significantly in {subject}, but by an uncertain amount: {replaced}"
        case Verdict.SAME:
            assert limits_90 is not None, "this verdict needs an interval below the margin"
            most = f"{n * max(limits_90.high, 0.0):.2f} of {n} {entries}"
            text = (
                f"{a} and {b} are practically the same in {subject}: {no_difference}, and at most {most} are replaced"
            )
        case Verdict.INCONCLUSIVE:
            margin = f"{n * endpoint.margin:g} of {n} {entries}"
            text = (
                f"These runs do not show whether {a} and {b} differ in {subject}: {no_difference}, but a difference of "
                f"{margin} cannot be ruled out"
            )
    return text + ("; these lists depend largely on the seed." if finding.effect.decided_by_seed else ".")


def noise_ceiling(answer: Answer) -> float:
    """Return √(O_AA·O_BB), the overlap between two models that differ by their seeds only."""
    return sqrt(answer.within_a * answer.within_b)


def _replaced(effect: Effect, endpoint: Endpoint) -> str:
    return f"{max(effect.n_delta, 0.0):.1f} of {endpoint.n} {endpoint.entries}"


def _answer(
    endpoint: Endpoint, a: str, b: str, runs_a: int, runs_b: int, finding: Finding, p_holm: float | None
) -> Answer:
    effect, uncertainty, test = finding.effect, finding.uncertainty, finding.test
    limits_95, limits_90 = uncertainty.limits_95, uncertainty.limits_90
    if p_holm is None:
        verdict = None
        replaced = f"{_replaced(effect, endpoint)} are replaced beyond seed variance"
        sentence = f"{a} and {b} in {endpoint.subject}: {replaced} (described, not tested)."
    else:
        verdict = judge(uncertainty, p_holm, margin=endpoint.margin).value
        sentence = verdict_sentence(finding, p_holm, endpoint=endpoint, a=a, b=b)
    return Answer(
        target=endpoint.target,
        n=endpoint.n,
        a=a,
        b=b,
        runs_a=runs_a,
        runs_b=runs_b,
        within_a=effect.within_a,
        within_b=effect.within_b,
        between=effect.between,
        delta=effect.delta,
        n_delta=effect.n_delta,
        rho=effect.rho,
        steadier=effect.steadier,
        others=effect.others,
        standard_error=uncertainty.standard_error,
        low_95=limits_95.low if limits_95 else None,
        high_95=limits_95.high if limits_95 else None,
        low_90=limits_90.low if limits_90 else None,
        high_90=limits_90.high if limits_90 else None,
        note=uncertainty.note,
        p=test.p,
        splits=test.splits,
        exact=test.exact,
        margin=endpoint.margin,
        p_holm=p_holm,
        verdict=verdict,
        decided_by_seed=effect.decided_by_seed,
        sentence=sentence,
    )
