"""Answers: order, family, claims, limits."""

import numpy as np
import pytest

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.answers import answer
from tasks.core.comparison.endpoints import endpoints, family_size
from tasks.core.config.experiment import ExperimentConfig, ResampleConfig
from tasks.core.inference.effect import delta_by_entity
from tasks.core.inference.jackknife import jackknife
from tasks.core.inference.multiplicity import Levels, holm
from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tasks.core.inference.permutation import smallest_p
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tests.core.comparison.examples import SAMPLE, config_of, of_sample, random_lists, random_runs
from tests.core.inference.examples import halves


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def answers_of(lists, config: ExperimentConfig, entities=None):
    judged = list(endpoints(config.queries, config.comparison))
    return answer(lists, judged, baseline=config.baseline, seed=config.seed, entities=entities)


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
    assert primary.ceiling == pytest.approx((primary.within_a * primary.within_b) ** 0.5)
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


def test_sentences_say_that_interactions_were_left_out(rng):
    lists = {"a": random_runs(rng, 0, 5), "b": random_runs(rng, 10, 5)}
    resample = ResampleConfig(strategy="drop_interactions", fraction=0.025)
    config = config_of(["a", "b"])
    judged = list(endpoints(config.queries, config.comparison, resample=resample))
    answers, _ = answer(lists, judged, baseline="a", seed=1)
    assert {"beyond what the seed and a random 2.5% of the interactions change" in row.sentence for row in answers} == {
        True
    }


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


def test_a_sample_answers_for_the_lists_that_were_drawn_and_for_the_queries(rng):
    """Lists of users 0 and 1 are the queries'. They were not drawn: what they say enters no answer about all users."""
    runs = {"a": random_runs(rng, 0, 4, entities=20), "b": random_runs(rng, 3, 4, entities=20)}
    config = config_of(["a", "b"])
    judged = list(endpoints(config.queries, config.comparison))

    def by_target(lists, judged, **entities):
        answers, matrices = answer(lists, judged, baseline="a", seed=config.seed, **entities)
        return {
            row.target: (row.within_a, row.within_b, row.between, row.delta, row.p, matrix.overlap.tolist())
            for row, matrix in zip(answers, matrices, strict=True)
        }

    sampled, alone = (
        {model: [of_sample(run, drawn_only=only) for run in of_model] for model, of_model in runs.items()}
        for only in (False, True)
    )
    every = by_target(runs, judged)
    of_all = [endpoint for endpoint in judged if endpoint.entity is None]
    expected = by_target(alone, of_all) | {
        endpoint.target: every[endpoint.target] for endpoint in judged if endpoint not in of_all
    }
    assert by_target(sampled, judged, entities=SAMPLE) == expected
    assert all(expected[endpoint.target] != every[endpoint.target] for endpoint in of_all)


def test_metric_names_are_stable(rng):
    answers, _ = answers_of({"a": random_runs(rng, 0, 2), "b": random_runs(rng, 0, 2)}, config_of(["a", "b"]))
    assert [row.metric for row in answers[:2]] == ["user_1_at_3.a_vs_b", "users_at_3.a_vs_b"]


def test_each_claim_is_adjusted_over_the_family(rng):
    lists = {model: random_runs(rng, first, 6) for model, first in (("a", 0), ("b", 1), ("c", 3))}
    config = config_of(["a", "b", "c"])
    family = [row for row in answers_of(lists, config)[0] if row.verdict]
    raw = []
    for row in family:
        endpoint = next(one for one in endpoints(config.queries, config.comparison) if one.target == row.target)
        rows = slice(None) if endpoint.entity is None else [endpoint.entity]
        ids = [getattr(run, endpoint.of).ids[rows] for model in (row.a, row.b) for run in lists[model]]
        uncertainty = jackknife(overlap_counts(ids, endpoint.n), halves(6, 6))
        raw.append((row.p, uncertainty.p_at_most(row.margin), uncertainty.p_at_least(row.margin)))
        limits = uncertainty.limits(1 - 0.05 / 8)
        assert (row.simultaneous_low, row.simultaneous_high) == (limits.low, limits.high)
        assert row.simultaneous_low < row.low_95 < row.high_95 < row.simultaneous_high
        assert row.rho_low < row.rho < row.rho_high
    adjusted = zip(*(holm(claim) for claim in zip(*raw, strict=True)), strict=True)
    for row, (difference, above, below) in zip(family, adjusted, strict=True):
        assert (row.p_holm, row.p_above, row.p_below) == pytest.approx((difference, above, below))


def test_the_smallest_p_of_a_pair_is_that_which_holm_leaves_it(rng):
    """Pairs of six and six runs reach 1/462, pairs of six and three 1/84: four of these are adjusted together."""
    lists = {"a": random_runs(rng, 0, 6), "b": random_runs(rng, 10, 6), "c": random_runs(rng, 20, 3)}
    answers = answers_of(lists, config_of(["a", "b", "c"]))[0]
    of_c = [row for row in answers if row.verdict and row.b == "c"]
    assert min(row.p_holm for row in of_c) == pytest.approx(4 / 84)
    assert all("seeds are too few" not in row.sentence for row in of_c)


def test_levels_decide(rng):
    lists = {"a": random_runs(rng, 0, 6), "b": random_runs(rng, 10, 6)}
    config = config_of(["a", "b"])
    judged = list(endpoints(config.queries, config.comparison))
    verdicts = {
        level: answer(lists, judged, baseline="a", seed=1, levels=Levels(difference=level))[0][0].verdict
        for level in (0.05, 0.001)
    }
    assert verdicts == {0.05: "different-meaningfully", 0.001: "too-few-seeds"}


def test_a_steady_list_has_the_range_that_the_other_users_suggest():
    """User 1's lists are equal in all runs. Two others have one run of b with one of three entries replaced.

    Left out in turn: six runs of four users, without loss, and one run of two users, with loss 1/3. a loses nothing.
    """
    same = np.tile(np.arange(3, dtype=np.int32), (6, 1))
    runs = []
    for replicate in range(6):
        ids = same.copy()
        if replicate == 2:
            ids[[3, 4], 0] = 9
        runs.append(ids)
    scores = np.ones_like(same, dtype=np.float32)
    of_a = [RunLists(*[Lists(same, scores)] * 3)] * 6
    of_b = [RunLists(*[Lists(ids, scores)] * 3) for ids in runs]
    answers, _ = answers_of({"a": of_a, "b": of_b}, config_of(["a", "b"], replicates=6))
    primary, users = answers[:2]
    loss = 2 / 3 / (4 * 6 + 2)
    assert primary.note == "no seed variation seen"
    assert (primary.calibrated_low, primary.calibrated_high) == pytest.approx((0, loss))
    assert users.calibrated_low is None


def sample_of(drawn: int, population: int) -> Entities:
    """Six entities, of which the first `drawn` are the sample and the others were added to it."""
    return Entities(np.arange(6, dtype=np.int32), np.arange(6) < drawn, population)


def test_answers_about_all_entities_have_no_sampling_error(rng):
    lists = {"a": random_runs(rng, 0, 5), "b": random_runs(rng, 3, 5)}
    config = config_of(["a", "b"])
    answers, matrices = answers_of(lists, config)
    drawn, of_drawn = answers_of(lists, config, {"users": sample_of(6, 6), "items": sample_of(6, 6)})
    assert drawn == answers
    assert {row.sampling_error for row in answers} == {None}
    assert [matrix.sampling for matrix in matrices + of_drawn] == [None] * 12


def test_answers_about_a_sample_carry_its_error(rng):
    """Five of ten users and six of twelve items. The means, p and single lists are those of the drawn ones alone."""
    lists = {"a": random_runs(rng, 0, 5), "b": random_runs(rng, 3, 6), "c": random_runs(rng, 2, 5)}
    config = config_of(["a", "b", "c"])
    sampled = answers_of(lists, config, {"users": sample_of(5, 10), "items": sample_of(6, 12)})[0]
    alone = answers_of(lists, config, {"users": sample_of(5, 5), "items": sample_of(6, 6)})[0]
    for row, without in zip(sampled, alone, strict=True):
        assert (row.target, row.a, row.b, row.delta, row.p, row.rho) == (
            *(without.target, without.a, without.b),
            *(without.delta, without.p, without.rho),
        )
        if row.target not in ("users", "items", "recommendations"):
            assert row.sampling_error is None
            assert (row.low_95, row.high_95, row.rho_low) == (without.low_95, without.high_95, without.rho_low)
            continue
        n_drawn = 6 if row.target == "items" else 5
        n = 2 if row.target == "recommendations" else 3
        ids = [getattr(run, row.target).ids[:n_drawn] for model in (row.a, row.b) for run in lists[model]]
        deltas = delta_by_entity(overlap_counts_by_entity(ids, n), halves(row.runs_a, row.runs_b))
        assert row.sampling_error == pytest.approx(np.sqrt(0.5 * deltas.var(ddof=1) / n_drawn))
        assert row.standard_error == pytest.approx(np.hypot(without.standard_error, row.sampling_error))
        assert row.low_95 < without.low_95 < without.high_95 < row.high_95
        assert row.rho_low < without.rho_low < without.rho_high < row.rho_high
        if row.verdict:
            assert row.simultaneous_low < without.simultaneous_low


def test_a_sample_without_seed_variation_has_an_interval_that_is_wider_than_that_of_all():
    same = random_lists(np.random.default_rng(1), 0)
    lists = {model: [RunLists(same, same, same)] * 10 for model in "ab"}
    config = config_of(["a", "b"], replicates=10)
    of_all = {row.target: row for row in answers_of(lists, config)[0]}
    sampled = answers_of(lists, config, {"users": sample_of(6, 60), "items": sample_of(6, 60)})[0]
    for row in sampled:
        if row.target in ("users", "items", "recommendations"):
            assert (row.note, row.standard_error, row.sampling_error) == ("no seed variation seen", None, 0)
            assert row.high_95 > of_all[row.target].high_95 + 0.3  # six equal users do not show what sixty are
        else:
            assert row.high_95 == of_all[row.target].high_95
