"""The verdict on each endpoint: its rule, its sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.endpoints import Endpoint, endpoints
from tasks.core.inference.effect import Effect, effect
from tasks.core.inference.jackknife import Precision, precision
from tasks.core.inference.multiplicity import LEVEL, holm
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts
from tasks.core.inference.permutation import Permutation, permutation_test
from tasks.core.types import Mask

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig


class Verdict(StrEnum):
    """The answer for one endpoint; the value is its slug."""

    MEANINGFUL = "different-meaningfully"
    SMALL = "different-small"
    UNCERTAIN = "different-size-uncertain"
    SAME = "practically-same"
    INCONCLUSIVE = "inconclusive"


RULE = {
    Verdict.MEANINGFUL: "p ≤ .05 after Holm and the 95% interval of Δ above the margin",
    Verdict.SMALL: "p ≤ .05 after Holm and the 90% interval of Δ below the margin",
    Verdict.UNCERTAIN: "p ≤ .05 after Holm otherwise",
    Verdict.SAME: "p > .05 after Holm and the 90% interval of Δ below the margin",
    Verdict.INCONCLUSIVE: "p > .05 after Holm otherwise",
}


@dataclass(frozen=True)
class Finding:
    """One endpoint of two models before p is adjusted over the endpoints."""

    effect: Effect
    precision: Precision
    test: Permutation


def find(overlaps: Overlaps, labels: Mask, *, seed: int) -> Finding:
    """Effect, interval and test for a matrix (R, R); ValueError unless each model has two runs."""
    test = permutation_test(overlaps, labels, seed=seed)
    return Finding(effect(overlaps, labels), precision(overlaps, labels), test)


@dataclass(frozen=True)
class Answer:
    """One endpoint of two models: what was found, and the verdict. Overlaps, Δ and intervals in units of overlap.

    within_a, within_b, between, delta, n_delta, rho, steadier, others : see `inference.Effect`
    standard_error, low_95, high_95, low_90, high_90 : jackknife; None where `note` says why there is none
    p, splits, exact : of the permutation of run labels
    p_holm, verdict : None outside the family
    decided_by_seed : two runs of one of the models share less than 0.4 of these lists
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
        """What follows `delta.`, `p.` and `p_holm.` among the parent run's metrics: `users_at_5.k50_vs_k500`."""
        return f"{self.target}_at_{self.n}.{self.a}_vs_{self.b}"


@dataclass(frozen=True)
class Matrix:
    """How alike every two runs are on one endpoint.

    runs : (R,) "k50 #0", ..., model by model
    overlap : (R, R), 1 on the diagonal
    """

    target: str
    n: int
    runs: list[str]
    overlap: list[list[float]]


def answer(runs: Mapping[str, Sequence[RunLists]], config: "ExperimentConfig") -> tuple[list[Answer], list[Matrix]]:
    """Every endpoint of every two models that have two runs at least, and the overlaps they come from.

    The baseline's pairs come first, and of these the primary endpoint: the first answer is *the* answer.
    """
    baseline = config.baseline
    ordered = [baseline, *(model for model in runs if model != baseline)]
    labels = [(model, number) for model in ordered for number in range(len(runs[model]))]
    found: list[tuple[Endpoint, str, str, Finding]] = []
    matrices = []
    for endpoint in endpoints(config):
        chosen = slice(None) if endpoint.entity is None else slice(endpoint.entity, endpoint.entity + 1)
        lists = [getattr(runs[model][number], endpoint.of).ids[chosen] for model, number in labels]
        overlaps = overlap_counts(lists, endpoint.n)
        names = [f"{model} #{number}" for model, number in labels]
        matrices.append(Matrix(endpoint.target, endpoint.n, names, (overlaps.counts / overlaps.whole).tolist()))
        for a, b in combinations(ordered, 2):
            members = [place for place, (model, _) in enumerate(labels) if model in (a, b)]
            in_b = np.array([labels[place][0] == b for place in members])
            if min(in_b.sum(), (~in_b).sum()) >= 2:
                found.append((endpoint, a, b, find(overlaps.among(members), in_b, seed=config.seed)))
    # the baseline's pairs first, pair by pair; the sort keeps the order of the endpoints
    found.sort(key=lambda each: (each[1] != baseline, ordered.index(each[1]), ordered.index(each[2])))
    decisive = [place for place, (endpoint, a, _, _) in enumerate(found) if endpoint.family and a == baseline]
    adjusted = dict(zip(decisive, holm([found[place][3].test.p for place in decisive]).tolist(), strict=True))
    return [_answer(*each, runs, adjusted.get(place)) for place, each in enumerate(found)], matrices


def judge(found: Precision, p_holm: float, *, margin: float) -> Verdict:
    """The verdict by `RULE`, on p after Holm and the interval against the margin (in units of overlap).

    Without seed variation the bounds of `precision` stand for the interval: Δ itself describes the runs that were made,
    not those that were not. Without either, the size is open: different-size-uncertain or inconclusive.
    """
    at_95, at_90 = found.interval_95 or found.bound_95, found.interval_90 or found.bound_90
    below = at_90 is not None and at_90.high < margin
    if p_holm > LEVEL:
        return Verdict.SAME if below else Verdict.INCONCLUSIVE
    if at_95 is not None and at_95.low > margin:
        return Verdict.MEANINGFUL
    return Verdict.SMALL if below else Verdict.UNCERTAIN


def sentence(finding: Finding, p_holm: float, *, margin: float, a: str, b: str, subject: str) -> str:
    """The verdict in one plain sentence; `subject` says which lists: "the 5 users nearest to user 10"."""
    verdict, found, shown = judge(finding.precision, p_holm, margin=margin), finding.precision, finding.effect
    at_95, at_90, n = found.interval_95, found.interval_90 or found.bound_90, shown.n
    chance = "p < 0.001" if p_holm < 0.001 else f"p = {p_holm:.3f}"
    interval = f"95% interval {n * at_95.low:.1f} to {n * at_95.high:.1f}" if at_95 else found.note
    replaced = f"{max(shown.n_delta, 0.0):.1f} of {n} are replaced beyond what the seed replaces ({interval}; {chance})"
    most = f"{n * max(at_90.high, 0.0):.2f}" if at_90 else ""
    seen = f"no difference beyond the seed's is shown ({chance}{f'; {found.note}' if found.note else ''})"
    text = {
        Verdict.MEANINGFUL: f"{a} and {b} differ significantly and meaningfully in {subject}: {replaced}",
        Verdict.SMALL: f"{a} and {b} differ detectably in {subject}, but little: {replaced}",
        Verdict.UNCERTAIN: f"{a} and {b} differ significantly in {subject}, by how much is uncertain: {replaced}",
        Verdict.SAME: f"{a} and {b} are practically the same in {subject}: {seen}, and it is at most {most} of {n}",
        Verdict.INCONCLUSIVE: f"Whether {a} and {b} differ in {subject} cannot be told from these runs: {seen}, but one"
        f" of {n * margin:g} of {n} cannot be ruled out",
    }
    return f"{text[verdict]}{'; such a list is largely decided by the seed' if shown.decided_by_seed else ''}."


def noise_ceiling(answer: Answer) -> float:
    """The overlap between the models if they differed by their seeds alone: sqrt(O_AA · O_BB)."""
    return sqrt(answer.within_a * answer.within_b)


def _answer(
    endpoint: Endpoint,
    a: str,
    b: str,
    finding: Finding,
    runs: Mapping[str, Sequence[RunLists]],
    p_holm: float | None,
) -> Answer:
    effect, known, test = finding.effect, finding.precision, finding.test
    at_95, at_90 = known.interval_95 or known.bound_95, known.interval_90 or known.bound_90
    described = (
        f"{a} and {b} in {endpoint.subject}: {max(effect.n_delta, 0.0):.1f} of {endpoint.n} are replaced beyond what "
        f"the seed replaces (described, not tested)."
    )
    return Answer(
        target=endpoint.target,
        n=endpoint.n,
        a=a,
        b=b,
        runs_a=len(runs[a]),
        runs_b=len(runs[b]),
        within_a=effect.within_a,
        within_b=effect.within_b,
        between=effect.between,
        delta=effect.delta,
        n_delta=effect.n_delta,
        rho=effect.rho,
        steadier=effect.steadier,
        others=effect.others,
        standard_error=known.standard_error,
        low_95=at_95.low if at_95 else None,
        high_95=at_95.high if at_95 else None,
        low_90=at_90.low if at_90 else None,
        high_90=at_90.high if at_90 else None,
        note=known.note,
        p=test.p,
        splits=test.splits,
        exact=test.exact,
        margin=endpoint.margin,
        p_holm=p_holm,
        verdict=None if p_holm is None else judge(known, p_holm, margin=endpoint.margin).value,
        decided_by_seed=effect.decided_by_seed,
        sentence=described
        if p_holm is None
        else sentence(finding, p_holm, margin=endpoint.margin, a=a, b=b, subject=endpoint.subject),
    )
