"""Verdicts and answers: rule, sentences, order, family."""

import numpy as np
import pytest

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.endpoints import Endpoint, endpoints, family_size
from tasks.core.comparison.verdict import (
    RULE,
    Finding,
    Verdict,
    analyse,
    answer,
    judge,
    noise_ceiling,
    verdict_sentence,
)
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.effect import Effect
from tasks.core.inference.jackknife import FLAT, NO_VARIATION, TOO_FEW, Interval, Uncertainty
from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.inference.permutation import PermutationTest, smallest_p
from tasks.core.ranking.lists import Lists
from tests.core.comparison.examples import config_of, random_lists, random_runs
from tests.core.inference.examples import SIX, halves, runs_of


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def answers_of(lists, config: ExperimentConfig):
    judged = list(endpoints(config.queries, config.comparison))
    return answer(lists, judged, baseline=config.baseline, seed=config.seed)


def test_models_with_different_lists_differ(rng):
    lists = {"a": random_runs(rng, 0, 5), "b": random_runs(rng, 10, 5)}
    answers, matrices = answers_of(lists, config_of(["a", "b"]))
    primary = answers[0]
    assert (primary.target, primary.n, primary.a, primary.b) == ("user_1", 3, "a", "b")
    assert primary.between == 0
    assert primary.p == 1 / 126  # 10 over 5, halved
    assert primary.p_holm == pytest.approx(4 / 126)
    assert primary.verdict == "different-meaningfully"
    assert [row.p_holm is None for row in answers] == [False] * 4 + [True] * 2
    assert noise_ceiling(primary) == pytest.approx((primary.within_a * primary.within_b) ** 0.5)
    matrix = matrices[0].overlap
    assert matrices[0].runs == [(model, replicate) for model in "ab" for replicate in range(5)]
    assert (np.diag(matrix) == 1).all()
    assert matrix[:5, 5:].max() == 0
    assert matrix[:5, :5][np.triu_indices(5, 1)].mean() == pytest.approx(primary.within_a)


def test_endpoints_outside_the_family_are_described(rng):
    lists = {"a": random_runs(rng, 0, 5), "b": random_runs(rng, 10, 5)}
    last = answers_of(lists, config_of(["a", "b"]))[0][-1]
    assert last.verdict is None
    assert last.sentence == (
        f"a and b in the 2 recommendations for user 0: {last.n_delta:.1f} of 2 recommendations are replaced beyond"
        " seed variance (described, not tested)."
    )


def test_one_model_twice_does_not_differ(rng):
    runs = random_runs(rng, 0, 10)
    answers, _ = answers_of({"a": runs[:5], "b": runs[5:]}, config_of(["a", "b"]))
    assert {row.verdict for row in answers[:4]} <= {"inconclusive", "practically-same"}


def test_pairs_of_the_baseline_get_verdicts_and_the_others_are_described(rng):
    models = ["a", "b", "c"]
    lists = {model: random_runs(rng, 10 * position, 4) for position, model in enumerate(models)}
    config = config_of(models, comparison={"baseline": "b"})
    answers, _ = answers_of(lists, config)
    pairs = list(dict.fromkeys((row.a, row.b) for row in answers))
    assert pairs == [("b", "a"), ("b", "c"), ("a", "c")]
    assert family_size(config) == 8
    assert sum(row.p_holm is not None for row in answers) == 8
    assert all(row.p_holm is None for row in answers if "b" not in (row.a, row.b))
    smallest = min(row.p_holm for row in answers if row.p_holm is not None)
    assert smallest == pytest.approx(smallest_p(4, 4, endpoints=8))


def test_single_runs_have_no_answers(rng):
    lists = {"a": random_runs(rng, 0, 1), "b": random_runs(rng, 0, 1)}
    answers, matrices = answers_of(lists, config_of(["a", "b"], replicates=1))
    assert answers == []
    assert len(matrices) == 6


def test_a_query_compares_the_lists_of_its_own_entity(rng):
    """Only user 1 differs: Δ is 1 on the primary endpoint, and 1/6 over all six users."""
    same = random_lists(rng, 0)
    different = Lists(same.ids.copy(), same.scores)
    different.ids[1] += 100
    lists = {"a": [RunLists(same, same, same)] * 3, "b": [RunLists(different, same, same)] * 3}
    answers, _ = answers_of(lists, config_of(["a", "b"]))
    of_target = {row.target: row for row in answers}
    assert of_target["user_1"].delta == 1
    assert of_target["users"].delta == pytest.approx(1 / 6)
    assert of_target["items"].delta == of_target["item_2"].delta == 0
    assert of_target["user_1"].note == "no seed variation seen"


def test_metric_names_are_stable(rng):
    answers, _ = answers_of({"a": random_runs(rng, 0, 2), "b": random_runs(rng, 0, 2)}, config_of(["a", "b"]))
    assert [row.metric for row in answers[:2]] == ["user_1_at_3.a_vs_b", "users_at_3.a_vs_b"]


@pytest.mark.parametrize("labels", [[False, True, True, True, True, True], [False] * 6, [False, True, False, True]])
def test_each_model_needs_two_runs(labels):
    with pytest.raises(ValueError, match="two or more runs of each model"):
        analyse(overlap_counts(runs_of(SIX), 4), np.array(labels), seed=0)


def test_every_verdict_has_a_rule():
    assert set(RULE) == set(Verdict)


def uncertainty_of(low_95, low_90, high_90, high_95):
    return Uncertainty(0.1, Interval(low_95, high_95), Interval(low_90, high_90))


@pytest.mark.parametrize(
    ("uncertainty", "p", "expected"),
    [
        (uncertainty_of(0.21, 0.25, 0.5, 0.6), 0.05, "different-meaningfully"),
        (uncertainty_of(0.21, 0.25, 0.5, 0.6), 0.051, "inconclusive"),
        (uncertainty_of(0.20, 0.25, 0.5, 0.6), 0.01, "different-size-uncertain"),
        (uncertainty_of(0.05, 0.06, 0.19, 0.25), 0.01, "different-small"),
        (uncertainty_of(0.05, 0.06, 0.20, 0.25), 0.01, "different-size-uncertain"),
        (uncertainty_of(-0.1, -0.05, 0.19, 0.25), 0.2, "practically-same"),
        (uncertainty_of(-0.1, -0.05, 0.20, 0.25), 0.2, "inconclusive"),
        (Uncertainty(note=TOO_FEW), 0.01, "different-size-uncertain"),
        (Uncertainty(note=FLAT), 0.2, "inconclusive"),
        (
            Uncertainty(note=NO_VARIATION, bound_95=Interval(0.3, 1), bound_90=Interval(0.4, 1)),
            0.01,
            "different-meaningfully",
        ),
        (
            Uncertainty(note=NO_VARIATION, bound_95=Interval(0, 0.3), bound_90=Interval(0, 0.1)),
            1.0,
            "practically-same",
        ),
    ],
)
def test_the_verdict_follows_the_rule(uncertainty, p, expected):
    assert judge(uncertainty, p, margin=0.20) == expected


@pytest.mark.parametrize(
    ("runs", "list_b", "margin", "expected"),
    [
        (10, [1, 2, 3, 4, 5], 0.10, "practically-same"),
        (5, [1, 2, 3, 4, 5], 0.10, "inconclusive"),
        (10, [6, 7, 8, 4, 5], 0.20, "different-meaningfully"),
        (10, [6, 2, 3, 4, 5], 0.20, "different-size-uncertain"),
    ],
)
def test_the_verdict_on_equal_lists_depends_on_the_number_of_runs(runs, list_b, margin, expected):
    lists = [[1, 2, 3, 4, 5]] * runs + [list_b] * runs
    finding = analyse(overlap_counts(runs_of(lists), 5), halves(runs, runs), seed=0)
    assert judge(finding.uncertainty, finding.test.p, margin=margin) == expected


def sentence_of(uncertainty, p, *, within=0.8, between=0.4, of="users"):
    finding = Finding(Effect(within, within, between, 5), uncertainty, PermutationTest(p, 9, True))
    return verdict_sentence(finding, p, endpoint=Endpoint("target", of, 10, 5, True, 0.20), a="k50", b="k500")


@pytest.mark.parametrize(
    ("uncertainty", "p", "models", "expected"),
    [
        (
            uncertainty_of(0.25, 0.3, 0.5, 0.55),
            0.0002,
            {},
            "k50 and k500 differ significantly and meaningfully in the 5 users nearest to user 10: 2.0 of 5 neighbours"
            " are replaced beyond seed variance (95% interval 1.2 to 2.8; p < 0.001).",
        ),
        (
            uncertainty_of(0.05, 0.06, 0.19, 0.25),
            0.01,
            {"between": 0.7},
            "k50 and k500 differ significantly, but only slightly, in the 5 users nearest to user 10: 0.5 of 5"
            " neighbours are replaced beyond seed variance (95% interval 0.2 to 1.2; p = 0.010).",
        ),
        (
            uncertainty_of(0.05, 0.06, 0.3, 0.4),
            0.01,
            {},
            "k50 and k500 differ significantly in the 5 users nearest to user 10, but by an uncertain amount: 2.0 of 5"
            " neighbours are replaced beyond seed variance (95% interval 0.2 to 2.0; p = 0.010).",
        ),
        (
            uncertainty_of(-0.1, -0.05, 0.1, 0.15),
            0.34,
            {"within": 0.3, "between": 0.3},
            "k50 and k500 are practically the same in the 5 users nearest to user 10: no significant difference beyond"
            " seed variance (p = 0.340), and at most 0.50 of 5 neighbours are replaced; these lists depend largely on"
            " the seed.",
        ),
        (
            uncertainty_of(-0.1, -0.05, 0.3, 0.4),
            0.2,
            {"of": "recommendations"},
            "These runs do not show whether k50 and k500 differ in the 5 recommendations for user 10: no significant"
            " difference beyond seed variance (p = 0.200), but a difference of 1 of 5 recommendations cannot be ruled"
            " out.",
        ),
    ],
)
def test_each_verdict_in_a_sentence(uncertainty, p, models, expected):
    assert sentence_of(uncertainty, p, **models) == expected


@pytest.mark.parametrize(
    ("uncertainty", "p", "words"),
    [
        (uncertainty_of(0.05, 0.06, 0.19, 0.25), 0.01, "differ significantly, but only slightly, in"),
        (uncertainty_of(0.05, 0.06, 0.3, 0.4), 0.01, "by an uncertain amount"),
        (uncertainty_of(-0.1, -0.05, 0.3, 0.4), 0.2, "These runs do not show whether"),
        (Uncertainty(note=NO_VARIATION, bound_95=Interval(0.3, 1), bound_90=Interval(0.4, 1)), 0.01, NO_VARIATION),
        (Uncertainty(note=TOO_FEW), 0.2, TOO_FEW),
    ],
)
def test_every_sentence_names_the_models_and_the_lists(uncertainty, p, words):
    sentence = sentence_of(uncertainty, p)
    assert words in sentence
    assert "k50 and k500" in sentence
    assert "the 5 users nearest to user 10" in sentence
    assert sentence.endswith(".")
    assert "None" not in sentence
