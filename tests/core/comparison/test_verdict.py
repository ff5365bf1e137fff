"""Verdicts: the rule, and the sentences."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from tasks.core.comparison.endpoints import Endpoint
from tasks.core.comparison.verdict import (
    RULE,
    Claims,
    Finding,
    Verdict,
    analyse,
    judge,
    tipping_point,
    verdict_sentence,
)
from tasks.core.inference.effect import Effect
from tasks.core.inference.jackknife import TOO_FEW, Uncertainty
from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.inference.permutation import PermutationTest
from tasks.core.inference.steady import UsualList
from tasks.core.inference.student import Estimate
from tests.core.inference.examples import SIX, runs_of


@pytest.mark.parametrize("labels", [[False, True, True, True, True, True], [False] * 6, [False, True, False, True]])
def test_each_model_needs_two_runs(labels):
    with pytest.raises(ValueError, match="two or more runs of each model"):
        analyse(overlap_counts(runs_of(SIX), 4), np.array(labels), seed=0)


def test_every_verdict_has_a_rule():
    assert set(RULE) == set(Verdict)


@pytest.mark.parametrize(
    ("difference", "above", "below", "ceiling", "smallest", "expected"),
    [
        (0.05, 0.025, 1.0, 0.8, 0.01, "different-meaningfully"),
        (0.05, 0.026, 1.0, 0.8, 0.01, "different-size-uncertain"),
        (0.051, 0.001, 1.0, 0.8, 0.01, "inconclusive"),
        (0.05, 1.0, 0.05, 0.8, 0.01, "different-small"),
        (0.05, 1.0, 0.051, 0.8, 0.01, "different-size-uncertain"),
        (0.051, 1.0, 0.05, 0.8, 0.01, "practically-same"),
        (0.051, 1.0, 0.051, 0.8, 0.01, "inconclusive"),
        # with a margin of 0.2, lists that agree by less than 0.4 are not called the same, or little different
        (0.05, 1.0, 0.05, 0.39, 0.01, "unstable"),
        (0.051, 1.0, 0.05, 0.39, 0.01, "unstable"),
        (0.051, 1.0, 0.05, 0.40, 0.01, "practically-same"),
        (0.05, 0.025, 1.0, 0.39, 0.01, "different-meaningfully"),
        (0.051, 1.0, 0.051, 0.39, 0.01, "inconclusive"),
        # too few seeds replace an inconclusive verdict, and only this one
        (0.2, 0.001, 1.0, 0.8, 0.06, "too-few-seeds"),
        (0.2, 1.0, 0.051, 0.39, 0.06, "too-few-seeds"),
        (0.2, 1.0, 0.05, 0.8, 0.06, "practically-same"),
        (0.2, 1.0, 0.05, 0.39, 0.06, "unstable"),
    ],
)
def test_the_verdict_follows_the_rule(difference, above, below, ceiling, smallest, expected):
    claims = Claims(difference, above, below, smallest)
    assert judge(claims, ceiling=ceiling, margin=0.20) == expected


def test_lists_that_agree_are_not_unstable_however_large_the_margin_is():
    claims = Claims(1.0, 1.0, 0.001, 0.001)
    assert judge(claims, ceiling=1.0, margin=0.6) == judge(claims, ceiling=0.4, margin=0.6) == "practically-same"
    assert judge(claims, ceiling=0.39, margin=0.6) == "unstable"


def test_the_levels_of_each_claim_are_its_own():
    claims = Claims(0.02, 0.01, 1.0, 0.001)
    judged = [
        judge(claims, ceiling=0.8, margin=0.2, levels=levels)
        for levels in (Levels(difference=0.019), Levels(meaningful=0.009), Levels(below=0.001))
    ]
    assert judged == ["inconclusive", "different-size-uncertain", "different-meaningfully"]


def usual(runs: int, deviating: int) -> UsualList:
    return UsualList(0, runs, tuple(range(1, deviating + 1)))


def finding_of(delta, error=0.04, *, within=(0.8, 0.8), deviating=(5, 5), note=None) -> Finding:
    """A finding for ten runs of each model; Student's t has nine degrees of freedom, with quantiles 2.262 and 1.833."""
    estimates = () if note else (Estimate(delta, error, 9),)
    uncertainty = Uncertainty(estimates, None, note, (usual(10, deviating[0]), usual(10, deviating[1])))
    return Finding(Effect(*within, sum(within) / 2 - delta, 5), uncertainty, PermutationTest(0.01, 9, True))


def sentence_of(finding: Finding, claims: Claims, *, of="users", dropped_fraction=None, levels=Levels()) -> str:
    endpoint = Endpoint("target", of, 10, 5, True, 0.20, dropped_fraction=dropped_fraction)
    verdict = judge(claims, ceiling=finding.effect.ceiling, margin=endpoint.margin)
    return verdict_sentence(
        finding, claims, verdict, endpoint=endpoint, a="k50", b="k500", replicates_needed=6, levels=levels
    )


@pytest.mark.parametrize(
    ("finding", "claims", "of", "expected"),
    [
        (
            finding_of(0.4),
            Claims(0.0002, 0.004, 1.0, 0.001),
            "users",
            "k50 and k500 differ significantly and meaningfully in the 5 users nearest to user 10 on this data set: 2.0"
            " of 5 neighbours are replaced beyond seed variance (95% interval 1.5 to 2.5). Holm-adjusted p: <0.001 for"
            " a difference (level 0.05), 0.004 for more than 1 of 5 neighbours, the margin (level 0.025).",
        ),
        (
            finding_of(0.1),
            Claims(0.01, 1.0, 0.02, 0.001),
            "users",
            "k50 and k500 differ significantly, but by less than the margin, in the 5 users nearest to user 10 on this"
            " data set: 0.5 of 5 neighbours are replaced beyond seed variance (95% interval 0.0 to 1.0). Holm-adjusted"
            " p: 0.010 for a difference (level 0.05), 0.020 for less than 1 of 5 neighbours, the margin (level 0.05).",
        ),
        (
            finding_of(0.25),
            Claims(0.01, 0.3, 1.0, 0.001),
            "users",
            "k50 and k500 differ significantly in the 5 users nearest to user 10 on this data set, but these runs leave"
            " open by how much: the estimate is 1.2 of 5 neighbours replaced beyond seed variance (95% interval 0.8 to"
            " 1.7). Holm-adjusted p: 0.010 for a difference (level 0.05), 0.300 for more than 1 of 5 neighbours, the"
            " margin (level 0.025), 1.000 for less than 1 of 5 neighbours, the margin (level 0.05).",
        ),
        (
            finding_of(-0.01),
            Claims(0.34, 1.0, 0.002, 0.001),
            "users",
            "k50 and k500 are practically the same in the 5 users nearest to user 10 on this data set: 0.0 of 5"
            " neighbours are replaced beyond seed variance (95% interval -0.5 to 0.4). Holm-adjusted p: 0.002 for less"
            " than 1 of 5 neighbours, the margin (level 0.05); 0.340 for a difference (level 0.05), so none was"
            " detected.",
        ),
        (
            finding_of(0.02, within=(0.1, 0.3)),
            Claims(0.01, 1.0, 0.02, 0.001),
            "users",
            "The seed decides the 5 users nearest to user 10 on this data set: two seeds of k50 share 0.5 of 5"
            " neighbours, two of k500 1.5. Beyond that, the models can differ by at most 1.0 of 5."
            " Holm-adjusted p: 0.010 for a difference (level 0.05), 0.020 for less than 1 of 5 neighbours, the margin"
            " (level 0.05). More iterations, acceleration: balanced, or similarity: scores make lists steadier.",
        ),
        (
            finding_of(0.4),
            Claims(0.114, 0.004, 1.0, 0.114),
            "users",
            "Ten seeds per model cannot settle whether k50 and k500 differ in the 5 users nearest to user 10 on this"
            " data set: the estimate is 2.0 of 5 neighbours replaced beyond seed variance (95% interval 1.5 to 2.5);"
            " six per model can. With so few seeds no difference can be significant, however large: the smallest"
            " Holm-adjusted p that they can reach is 0.114 (level 0.05).",
        ),
        (
            finding_of(0.15),
            Claims(0.2, 1.0, 0.3, 0.001),
            "recommendations",
            "These runs do not show whether k50 and k500 differ in the 5 recommendations for user 10 on this data set:"
            " the estimate is 0.8 of 5 recommendations replaced beyond seed variance (95% interval 0.3 to 1.2)."
            " Holm-adjusted p: 0.200 for a difference (level 0.05), 0.300 for less than 1 of 5 recommendations, the"
            " margin (level 0.05).",
        ),
        (
            finding_of(0.3, note=TOO_FEW),
            Claims(1.0, 1.0, 1.0, 1.0),
            "users",
            "Ten seeds per model cannot settle whether k50 and k500 differ in the 5 users nearest to user 10 on this"
            " data set: the estimate is 1.5 of 5 neighbours replaced beyond seed variance (no interval: fewer than 3"
            " replicates of a model); six per model can. With so few seeds no difference can be significant, however"
            " large: the smallest Holm-adjusted p that they can reach is 1.000 (level 0.05).",
        ),
    ],
)
def test_each_verdict_in_words(finding, claims, of, expected):
    assert sentence_of(finding, claims, of=of) == expected


@pytest.mark.parametrize("delta", [0.4, 0.1, 0.25, -0.01])
def test_runs_without_a_part_of_the_interactions_differ_by_more_than_the_seed(delta):
    """The claims give a verdict each."""
    for claims in (Claims(0.01, 0.01, 1, 0), Claims(0.01, 1, 0.01, 0), Claims(0.5, 1, 0.01, 0), Claims(0.5, 1, 1, 0)):
        sentence = sentence_of(finding_of(delta), claims, dropped_fraction=0.01)
        assert "replaced beyond what the seed and a random 1% of the interactions change (95%" in sentence
        assert "seed variance" not in sentence


def test_too_few_seeds_are_counted_for_each_model_if_they_differ():
    """The number of seeds comes from the runs: three of one model and twelve of the other."""
    finding = finding_of(0.4)
    few = replace(finding, uncertainty=replace(finding.uncertainty, usual=(usual(3, 1), usual(12, 1))))
    sentence = sentence_of(few, Claims(0.114, 0.004, 1.0, 0.114))
    assert sentence.startswith("Three seeds of k50 and twelve of k500 cannot settle whether k50 and k500 differ in")


def test_a_small_level_has_no_exponent():
    levels = Levels(difference=0.00002, meaningful=0.00001, below=0.00002)
    assert "level 0.00002)" in sentence_of(finding_of(0.25), Claims(0.01, 0.3, 1.0, 0.001), levels=levels)


def test_unstable_lists_are_decided_by_the_seed_and_the_interactions():
    noisy, claims = finding_of(0.02, within=(0.1, 0.3)), Claims(0.01, 1.0, 0.02, 0.001)
    assert sentence_of(noisy, claims, dropped_fraction=0.005).startswith(
        "The seed and a random 0.5% of the interactions decide the 5 users nearest to user 10 on this data set: two"
    )
    depends = sentence_of(finding_of(0.1, within=(0.3, 0.9)), claims, dropped_fraction=0.005)
    assert depends.endswith(" These lists depend largely on the seed and a random 0.5% of the interactions.")


def test_a_verdict_about_a_steady_model_holds_up_to_a_tipping_point():
    """The lower limit is 0.49 - 2.262 · 0.04 = 0.3995: √0.3995 - √0.2 = 0.185."""
    finding = finding_of(0.49, within=(0.6, 1.0), deviating=(6, 0))
    tipping = tipping_point(finding, Verdict.MEANINGFUL, margin=0.2)
    assert tipping == pytest.approx(sqrt(0.49 - 2.262157 * 0.04) - sqrt(0.2), abs=1e-5)
    sentence = sentence_of(finding, Claims(0.001, 0.001, 1.0, 0.001))
    assert sentence.endswith(
        " This holds unless k500 gives another list than all of its 10 seeds gave with probability above 0.18."
    )
    one_deviates = finding_of(0.49, within=(0.96, 0.6), deviating=(1, 6))
    assert "unless k50 gives another list than 9 of its 10 seeds gave" in sentence_of(
        one_deviates, Claims(0.001, 0.001, 1.0, 0.001)
    )


def test_a_model_at_the_tipping_point_has_the_margin_at_the_limit():
    """Lists of B are (1 - ε) b + ε q. With q = a, Δ falls fastest, and no q brings it further than the bound."""
    n, margin = 5, 0.2
    a, b = np.repeat([1.0, 0.0], n), np.repeat([0.0, 1.0], n)  # disjoint lists: Δ = 1
    finding = finding_of(1.0, error=0.0, within=(1.0, 1.0), deviating=(5, 0))
    tipping = tipping_point(finding, Verdict.MEANINGFUL, margin=margin)
    mixture = (1 - tipping) * b + tipping * a
    assert ((a - mixture) ** 2).sum() / (2 * n) == pytest.approx(margin)


@pytest.mark.parametrize(
    ("verdict", "deviating", "expected"),
    [
        (Verdict.SMALL, (5, 0), sqrt(0.2) - sqrt(0.1 + 1.833113 * 0.01)),
        (Verdict.SAME, (5, 1), sqrt(0.2) - sqrt(0.1 + 1.833113 * 0.01)),
        (Verdict.UNCERTAIN, (5, 0), None),
        (Verdict.SMALL, (5, 5), None),
        (Verdict.SMALL, (0, 1), None),
    ],
)
def test_a_tipping_point_is_of_a_claim_about_one_steady_model(verdict, deviating, expected):
    tipping = tipping_point(finding_of(0.1, error=0.01, deviating=deviating), verdict, margin=0.2)
    assert tipping == (expected if expected is None else pytest.approx(expected, abs=1e-5))


def test_a_difference_in_steadiness_alone_is_said():
    """½(√0.9 - √0.3)² = 0.080 of Δ = 0.1 is that k500 varies less; the rest, 0.020, is that the lists differ."""
    sentence = sentence_of(finding_of(0.1, within=(0.3, 0.9)), Claims(0.01, 1.0, 0.02, 0.001))
    assert " Most of the difference is that k500 varies less between seeds than k50." in sentence
    assert sentence.endswith(" These lists depend largely on the seed.")
    assert "Most of" not in sentence_of(finding_of(0.1, within=(0.3, 0.9)), Claims(0.2, 1.0, 0.3, 0.001))
