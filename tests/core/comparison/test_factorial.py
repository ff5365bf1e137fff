"""Two crossed settings."""

import numpy as np
import pytest

from tasks.core.comparison.answers import answer
from tasks.core.comparison.endpoints import endpoints
from tasks.core.comparison.factorial import factorial, grid
from tasks.core.comparison.overlap import Pair
from tasks.core.inference.multiplicity import holm
from tasks.core.inference.overlap_counts import overlap_counts_by_entity
from tasks.core.ranking.entities import Entities
from tests.core.comparison.examples import config_of, random_runs

SETTINGS = {"a": (2, 5), "b": (2, 9), "c": (4, 5), "d": (4, 9)}


def models(**changes):
    settings = {name: {"factors": k, "iterations": i, "alpha": 1.0} for name, (k, i) in SETTINGS.items()}
    return {name: {**values, **changes.get(name, {})} for name, values in settings.items()}


def test_two_crossed_settings_are_a_grid():
    settings, cells = grid(models())
    assert settings == ("factors", "iterations")
    assert cells == {(2, 5): "a", (2, 9): "b", (4, 5): "c", (4, 9): "d"}


@pytest.mark.parametrize(
    ("key", "values", "in_cells"),
    [
        ("acceleration", ("none", "balanced"), ("none", "balanced")),
        ("stop", (None, {"when": "steady", "every": 25}), ("none", "(when steady, every 25)")),
    ],
)
def test_settings_whose_values_are_names_or_rules_can_be_crossed(key, values, in_cells):
    crossed = {
        f"{k}{at}": {"factors": k, "iterations": 5, "acceleration": "none", "stop": None, key: values[at]}
        for k in (2, 4)
        for at in (0, 1)
    }
    settings, cells = grid(crossed)
    assert settings == ("factors", key)
    assert {cells[k, in_cells[at]] for k in (2, 4) for at in (0, 1)} == set(crossed)


@pytest.mark.parametrize(
    "changed",
    [
        {"d": {"factors": 3}},
        {"d": {"alpha": 2.0}},
        {"d": {"factors": 2}, "c": {"factors": 2}},
        {"b": {"iterations": 5}},
    ],
)
def test_other_designs_are_no_grid(changed):
    assert grid(models(**changed)) is None


def test_three_models_are_no_grid():
    assert grid({name: settings for name, settings in models().items() if name != "d"}) is None


def runs_of(rng, first, replicates=6):
    return random_runs(rng, first, replicates, entities=5)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


CONFIG = config_of(list(SETTINGS), queries={"users": [1], "n": 3, "recommend_n": 2})


def factorial_of(lists, settings=None, entities=None):
    settings = settings or models()
    judged = list(endpoints(CONFIG.queries, CONFIG.comparison))
    answers, matrices = answer(lists, judged, baseline=next(iter(settings)), seed=CONFIG.seed, entities=entities)
    return factorial(settings, answers, matrices), answers


def test_only_the_setting_that_changes_the_lists_has_an_effect(rng):
    """The lists change with the factors only: from candidates 0 to 5 to candidates 10 to 15."""
    design, answers = factorial_of({name: runs_of(rng, 10 * (SETTINGS[name][0] == 4)) for name in "abcd"})
    assert design.settings == ("factors", "iterations")
    effects = {(effect.target, effect.setting, effect.held): effect for effect in design.effects}
    assert len(effects) == 16
    for held in ("iterations 5", "iterations 9"):
        effect = effects["users", "factors 2→4", held]
        assert effect.delta > 0.5
        assert effect.p_holm == pytest.approx(16 / 462)
    for held in ("factors 2", "factors 4"):
        assert effects["users", "iterations 5→9", held].p_holm > 0.05
    pairs = [(effect.target, frozenset((effect.a, effect.b))) for effect in design.effects]
    raw = {(answer.target, frozenset((answer.a, answer.b))): answer.p for answer in answers}
    assert [effect.p_holm for effect in design.effects] == holm([raw[pair] for pair in pairs]).tolist()
    for interaction in design.interactions:
        assert interaction.low_95 < 0 < interaction.high_95 or abs(interaction.size) < 0.05


def test_the_sentence_has_the_four_effects_on_the_primary_endpoint(rng):
    """All lists change with the factors, so that 3 of 3 neighbours are replaced less what the seed replaces."""
    design, _ = factorial_of({name: runs_of(rng, 10 * (SETTINGS[name][0] == 4)) for name in "abcd"})
    first, *others = design.sentence.split("; ")
    effect = design.effects[0]
    assert first == (
        "Effect of each setting on the lists of user 1, on this data set (Holm-adjusted p, level 0.05): factors 2→4 at"
        f" iterations 5 replaces {3 * effect.delta:.1f} of 3 neighbours (p = {effect.p_holm:.3f})"
    )
    assert [text.partition(" (p")[0] for text in others] == [
        f"factors 2→4 at iterations 9 replaces {3 * design.effects[1].delta:.1f} of 3 neighbours",
        "of iterations 5→9 at factors 2, none is detected",
        "of iterations 5→9 at factors 4, none is detected",
    ]


def test_too_few_seeds_are_said_to_show_no_effect(rng):
    """Of 16 tests with 3 seeds per model, 10 splits each: p after Holm is 1. 16 / 462 is the first below .05."""
    lists = {name: runs_of(rng, 10 * (SETTINGS[name][0] == 4), 3) for name in "abcd"}
    design, _ = factorial_of(lists)
    assert design.smallest_p == 1.0
    assert "none is detected" not in design.sentence
    estimate = f"factors 2→4 at iterations 5, {3 * design.effects[0].delta:.1f} of 3 neighbours; "
    assert f"as estimated: {estimate}" in design.sentence
    assert design.sentence.endswith(
        " With so few seeds no effect of a setting can be significant: the smallest p that they can reach after Holm's"
        " adjustment over 16 tests is 1.000 (level 0.05); six seeds per model can reach the level."
    )
    enough, _ = factorial_of({name: runs_of(rng, 10 * (SETTINGS[name][0] == 4)) for name in "abcd"})
    assert enough.smallest_p == pytest.approx(16 / 462)


def test_the_interaction_is_the_contrast_of_inclusion_probabilities(rng):
    """It is the signed mean overlap over all pairs of models, from pairs of distinct runs."""
    lists = {name: runs_of(rng, 3 * position) for position, name in enumerate("abcd")}
    design, _ = factorial_of(lists)
    interaction = next(row for row in design.interactions if row.target == "users")
    n, total = 3, 0.0
    signs = {"a": 1, "b": -1, "c": -1, "d": 1}
    for left, left_sign in signs.items():
        for right, right_sign in signs.items():
            overlaps = [
                Pair.of(r.users.ids[:, :n], s.users.ids[:, :n]).at(n).overlap
                for i, r in enumerate(lists[left])
                for j, s in enumerate(lists[right])
                if left != right or i != j
            ]
            total += left_sign * right_sign * np.mean(overlaps)
    assert interaction.size == pytest.approx(total / 2)
    assert interaction.low_95 < interaction.size < interaction.high_95


def test_effects_and_interactions_of_drawn_entities_have_their_sampling_error(rng):
    """100 of 400 users, each with a contrast of its own: the signed mean overlaps of distinct runs, halved."""
    lists = {name: random_runs(rng, 2 * position, 4, entities=100) for position, name in enumerate("abcd")}
    drawn = Entities(np.arange(100, dtype=np.int32), np.ones(100, dtype=bool), 400)
    of_all, sampled = factorial_of(lists)[0], factorial_of(lists, entities={"users": drawn, "items": drawn})[0]
    signs, models_of_runs = np.repeat([1, -1, -1, 1], 4), np.repeat(np.arange(4), 4)
    same = models_of_runs[:, None] == models_of_runs
    weights = np.where(same, 1 - np.eye(16), 1) * np.outer(signs, signs) / np.where(same, 4 * 3, 4 * 4) / 2
    overlaps = overlap_counts_by_entity([run.users.ids for runs in lists.values() for run in runs], 3)
    sizes = (overlaps.counts / overlaps.denominator * weights).sum(axis=(1, 2))
    error = np.sqrt((1 - 100 / 400) * np.var(sizes, ddof=1) / 100)
    for with_sample, without in zip(sampled.interactions, of_all.interactions, strict=True):
        assert with_sample.size == without.size
        if with_sample.target == "users":
            assert with_sample.size == pytest.approx(sizes.mean())
            half = np.hypot(without.high_95 - without.size, 1.984217 * error)  # Student's t, 99 degrees of freedom
            limits = with_sample.size - half, with_sample.size + half
            assert (with_sample.low_95, with_sample.high_95) == pytest.approx(limits)
    for with_sample, without in zip(sampled.effects, of_all.effects, strict=True):
        assert (with_sample.high_95 > without.high_95) is (with_sample.target != "user_1")


def test_an_interaction_shows_if_only_both_settings_together_change_the_lists(rng):
    design, _ = factorial_of({name: runs_of(rng, 10 * (name == "d")) for name in "abcd"})
    assert all(interaction.low_95 > 0 for interaction in design.interactions if interaction.target != "user_1")


def test_single_runs_have_no_factorial(rng):
    assert factorial_of({name: runs_of(rng, 0, replicates=1) for name in "abcd"})[0] is None


def test_a_model_of_a_single_run_leaves_no_factorial(rng):
    assert factorial_of({name: runs_of(rng, 0, replicates=1 + (name != "c")) for name in "abcd"})[0] is None


def test_names_of_models_may_look_like_labels_of_runs(rng):
    names = {"a": "k #1", "b": "k", "c": "k #1 #2", "d": "#"}
    lists = {model: runs_of(rng, 3 * position) for position, model in enumerate(names)}
    renamed, _ = factorial_of(
        {names[model]: runs for model, runs in lists.items()},
        {names[model]: values for model, values in models().items()},
    )
    assert renamed.interactions == factorial_of(lists)[0].interactions
