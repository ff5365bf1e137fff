"""Answers: the effect, the tests and the verdict for every two models on every endpoint.

The *family* of endpoints, with the baseline against each other model, gets a verdict: the p of each claim is adjusted
over the family (Holm). Other endpoints and other pairs of models are described: they have an unadjusted p of a
difference and no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tasks.core.comparison.agreement import SIDES, RunLists, every_entity
from tasks.core.comparison.endpoints import Endpoint
from tasks.core.comparison.run_matrix import RunMatrix
from tasks.core.comparison.verdict import (
    Claims,
    Finding,
    adjusted,
    analyse,
    judge,
    replaced_text,
    tipping_point,
    verdict_sentence,
)
from tasks.core.inference.multiplicity import LEVEL, Levels
from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tasks.core.inference.permutation import replicates_needed, smallest_p
from tasks.core.inference.sampling import sampled_overlaps
from tasks.core.inference.steady import loss_of_run_left_out
from tasks.core.ranking.entities import Entities
from tasks.core.types import Ids

MOST_ENTITIES = 20_000
"""Most users or items that a calibrated range is estimated from; of more, as many at even intervals."""


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
        From the jackknife, and from the sample of entities if there is one; None if `note` says why there is none.
    low_95, high_95, low_90, high_90 : float or None
        Intervals of Δ, unadjusted.
    note : str or None
        See `inference.jackknife.Uncertainty`.
    p, splits, exact
        See `inference.permutation.PermutationTest`.
    margin : float
        The smallest Δ that matters.
    p_holm, verdict : float, str; or None
        Adjusted p of a difference, and the verdict. None outside the family.
    sentence : str
        The verdict, or the description, in words.
    p_above, p_below : float or None
        Adjusted one-sided p of the claims that Δ is above and below the margin; None outside the family.
    simultaneous_low, simultaneous_high : float or None
        Interval of Δ at the level 1 - .05/m, with m endpoints in the family: all m hold at once with probability .95
        (Bonferroni).
    rho_low, rho_high : float or None
        95% interval of ρ, unadjusted; None if there is none.
    tipping : float or None
        See `verdict.tipping_point`.
    calibrated_low, calibrated_high : float or None
        Range of Δ if a further run deviates as often as it does for the other users or items whose lists are equal in
        all runs but one. Only for single lists on which both models are steady. It does not enter the verdict.
    sampling_error : float or None
        Standard error of Δ from the sample of entities alone; None if the endpoint has the lists of all.
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
    p_above: float | None = None
    p_below: float | None = None
    simultaneous_low: float | None = None
    simultaneous_high: float | None = None
    rho_low: float | None = None
    rho_high: float | None = None
    tipping: float | None = None
    calibrated_low: float | None = None
    calibrated_high: float | None = None
    sampling_error: float | None = None

    @property
    def metric(self) -> str:
        """Name among the parent run's metrics, after `delta/`, `p/` and `p_holm/`: such as `users_at_5.k50_vs_k500`."""
        return f"{self.target}_at_{self.n}.{self.a}_vs_{self.b}"

    @property
    def ceiling(self) -> float:
        """Noise ceiling, see `inference.effect.Effect`."""
        return float((self.within_a * self.within_b) ** 0.5)


def answer(
    lists: Mapping[str, Sequence[RunLists]],
    endpoints: Sequence[Endpoint],
    *,
    baseline: str,
    seed: int,
    levels: Levels = Levels(),
    entities: Mapping[str, Entities] | None = None,
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
    levels : Levels
        What the adjusted p of each claim is compared with.
    entities : mapping of str to Entities, optional
        The `users` and the `items` that have lists; by default all.

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
    entities = entities or every_entity(next(iter(lists.values()))[0])
    sizes = [len(lists[model]) for model in models]
    for endpoint in endpoints:
        of_side, sampling = entities[SIDES[endpoint.of]], None
        ids = [_ids(lists[model][replicate], endpoint, of_side) for model, replicate in runs]
        if endpoint.entity is None and of_side.n_drawn < of_side.population:
            overlaps, sampling = sampled_overlaps(ids, endpoint.n, sizes=sizes, population=of_side.population)
        else:
            overlaps = overlap_counts(ids, endpoint.n)
        matrices.append(RunMatrix(endpoint.target, endpoint.n, runs, overlaps.counts / overlaps.denominator, sampling))
        for a, b in combinations(models, 2):
            members = [position for position, (model, _) in enumerate(runs) if model in (a, b)]
            labels = np.array([runs[position][0] == b for position in members])
            if min(labels.sum(), (~labels).sum()) >= 2:
                errors = sampling.of_pair(models.index(a), models.index(b)) if sampling else None
                finding = analyse(overlaps.of_runs(members), labels, seed=seed, sampling=errors)
                findings.append((endpoint, a, b, finding))
    # Pair by pair, those of the baseline first. The sort is stable: each pair keeps the order of the endpoints.
    findings.sort(key=lambda entry: (entry[1] != baseline, models.index(entry[1]), models.index(entry[2])))
    family = [position for position, (endpoint, a, _, _) in enumerate(findings) if endpoint.family and a == baseline]
    claims = dict(zip(family, adjusted([_unadjusted(*findings[position], lists) for position in family]), strict=True))
    answers = [
        _answer(endpoint, a, b, finding, claims.get(position), lists, size=len(family), levels=levels)
        for position, (endpoint, a, b, finding) in enumerate(findings)
    ]
    return answers, matrices


def _ids(run: RunLists, endpoint: Endpoint, entities: Entities) -> Ids:
    """Return the lists of an endpoint: of the query, or of all users or items that were drawn."""
    ids = run.ids(endpoint.of)
    if endpoint.entity is None:
        return entities.of_sample(ids)
    position = entities.position(endpoint.entity)
    return ids[position : position + 1]


def _unadjusted(
    endpoint: Endpoint, a: str, b: str, finding: Finding, lists: Mapping[str, Sequence[RunLists]]
) -> Claims:
    above, below = finding.uncertainty.p_at_most(endpoint.margin), finding.uncertainty.p_at_least(endpoint.margin)
    return Claims(finding.test.p, above, below, smallest_p(len(lists[a]), len(lists[b])))


def _answer(
    endpoint: Endpoint,
    a: str,
    b: str,
    finding: Finding,
    claims: Claims | None,
    lists: Mapping[str, Sequence[RunLists]],
    *,
    size: int,
    levels: Levels,
) -> Answer:
    effect, uncertainty, test = finding.effect, finding.uncertainty, finding.test
    if claims is None:
        verdict = simultaneous = tipping = None
        replaced = replaced_text(effect, endpoint)
        sentence = f"{a} and {b} in {endpoint.subject}: {replaced} (described, not tested)."
    else:
        verdict = judge(claims, ceiling=effect.ceiling, margin=endpoint.margin, levels=levels)
        tipping = tipping_point(finding, verdict, margin=endpoint.margin)
        sentence = verdict_sentence(
            finding,
            claims,
            verdict,
            endpoint=endpoint,
            a=a,
            b=b,
            replicates_needed=replicates_needed(size, level=levels.difference),
            levels=levels,
        )
        simultaneous = uncertainty.limits(1 - LEVEL / size)
    limits_95, limits_90 = uncertainty.limits(0.95), uncertainty.limits(0.90)
    of_rho = uncertainty.rho_limits(0.95)
    low, high = _calibrated(endpoint, finding, [lists[a], lists[b]])
    return Answer(
        target=endpoint.target,
        n=endpoint.n,
        a=a,
        b=b,
        runs_a=len(lists[a]),
        runs_b=len(lists[b]),
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
        p_holm=claims.difference if claims else None,
        verdict=verdict.value if verdict else None,
        decided_by_seed=effect.decided_by_seed,
        sentence=sentence,
        p_above=claims.above if claims else None,
        p_below=claims.below if claims else None,
        simultaneous_low=simultaneous.low if simultaneous else None,
        simultaneous_high=simultaneous.high if simultaneous else None,
        rho_low=of_rho.low if of_rho else None,
        rho_high=of_rho.high if of_rho else None,
        tipping=tipping,
        calibrated_low=low,
        calibrated_high=high,
        sampling_error=uncertainty.sampling.delta.standard_error if uncertainty.sampling else None,
    )


def _calibrated(
    endpoint: Endpoint, finding: Finding, lists: Sequence[Sequence[RunLists]]
) -> tuple[float | None, float | None]:
    """Return the calibrated range of Δ for two models that are steady on a single list, as in `Answer`.

    With losses L_A and L_B, the mean of the two overlaps within falls by at most L_A + L_B, and the overlap between
    changes by at most as much.
    """
    if endpoint.entity is None or not finding.uncertainty.steady:
        return None, None
    losses = []
    for runs in lists:
        ids = [run.ids(endpoint.of) for run in runs]
        step = -(-len(ids[0]) // MOST_ENTITIES)
        losses.append(loss_of_run_left_out(overlap_counts_by_entity([of_run[::step] for of_run in ids], endpoint.n)))
    known = [loss for loss in losses if loss is not None]
    if len(known) < len(losses):
        return None, None
    delta = finding.effect.delta
    return max(delta - 2 * sum(known), 0.0), min(delta + sum(known), 1.0)
