"""Tests of the two-by-two design."""

import numpy as np
import pytest

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.factorial import factorial, grid
from tasks.core.comparison.overlap import Pair
from tasks.core.comparison.verdict import answer
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.multiplicity import holm
from tasks.core.ranking.lists import Lists

SETTINGS = {"a": (2, 5), "b": (2, 9), "c": (4, 5), "d": (4, 9)}


def models(**changes):
    found = {name: {"factors": k, "iterations": i, "alpha": 1.0} for name, (k, i) in SETTINGS.items()}
    return {name: {**settings, **changes.get(name, {})} for name, settings in found.items()}


def test_two_settings_crossed_are_a_grid():
    settings, places = grid(models())
    assert settings == ("factors", "iterations")
    assert places == {(2, 5): "a", (2, 9): "b", (4, 5): "c", (4, 9): "d"}


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("acceleration", ("none", "balanced"), ("none", "balanced")),
        ("stop", (None, {"when": "steady", "every": 25}), ("none", "(when steady, every 25)")),
    ],
)
def test_a_setting_that_is_a_rule_or_a_name_is_crossed_too(key, value, shown):
    crossed = {
        f"{k}{at}": {"factors": k, "iterations": 5, "acceleration": "none", "stop": None, key: value[at]}
        for k in (2, 4)
        for at in (0, 1)
    }
    settings, places = grid(crossed)
    assert settings == ("factors", key)
    assert {places[k, shown[at]] for k in (2, 4) for at in (0, 1)} == set(crossed)


@pytest.mark.parametrize(
    "changed",
    [
        {"d": {"factors": 3}},
        {"d": {"alpha": 2.0}},
        {"d": {"factors": 2}, "c": {"factors": 2}},
        {"b": {"iterations": 5}},
    ],
)
def test_what_is_no_grid(changed):
    assert grid(models(**changed)) is None


def test_three_models_are_no_grid():
    assert grid({name: settings for name, settings in models().items() if name != "d"}) is None


def runs_of(rng, first, replicates=6):
    def lists():
        ids = np.array([first + rng.permutation(6)[:4] for _ in range(5)], dtype=np.int32)
        return Lists(ids, np.ones_like(ids, dtype=np.float32))

    return [RunLists(lists(), lists(), lists()) for _ in range(replicates)]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def outcome(runs):
    config = ExperimentConfig.model_validate(
        {
            "name": "test",
            "dataset": {"name": "synthetic-100k"},
            "models": models(),
            "queries": {"users": [1], "n": 3, "recommend_n": 2},
        }
    )
    answers, matrices = answer(runs, config)
    return factorial(models(), answers, matrices), answers


def test_only_the_setting_that_acts_is_found(rng):
    """The lists move with the factors alone: from candidates 0 to 5 to candidates 10 to 15."""
    runs = {name: runs_of(rng, 10 * (SETTINGS[name][0] == 4)) for name in "abcd"}
    found, answers = outcome(runs)
    assert found.settings == ("factors", "iterations")
    effects = {(each.target, each.setting, each.held): each for each in found.effects}
    assert len(effects) == 16
    for held in ("iterations 5", "iterations 9"):
        each = effects["users", "factors 2→4", held]
        assert each.delta > 0.5
        assert each.p_holm == pytest.approx(16 / 462)
    for held in ("factors 2", "factors 4"):
        assert effects["users", "iterations 5→9", held].p_holm > 0.05
    pairs = [(each.target, frozenset((each.a, each.b))) for each in found.effects]
    raw = {(each.target, frozenset((each.a, each.b))): each.p for each in answers}
    assert [each.p_holm for each in found.effects] == holm([raw[pair] for pair in pairs]).tolist()
    for each in found.interactions:  # no interaction: its interval holds 0
        assert each.low_95 < 0 < each.high_95 or abs(each.size) < 0.05
    assert found.sentence.startswith("Which setting does it, in user_1? factors 2→4 at iterations 5: ")


def test_the_interaction_is_the_contrast_of_inclusion_probabilities(rng):
    """Averaged over all pairs of runs, own ones included, it is that of the observed shares; here without them."""
    runs = {name: runs_of(rng, 3 * place) for place, name in enumerate("abcd")}
    found, _ = outcome(runs)
    interaction = next(each for each in found.interactions if each.target == "users")
    n, total = 3, 0.0
    signs = {"a": 1, "b": -1, "c": -1, "d": 1}
    for one, sign in signs.items():
        for other, other_sign in signs.items():
            pairs = [
                Pair.of(r.users.ids[:, :n], s.users.ids[:, :n]).at(n).overlap
                for i, r in enumerate(runs[one])
                for j, s in enumerate(runs[other])
                if one != other or i != j
            ]
            total += sign * other_sign * np.mean(pairs)
    assert interaction.size == pytest.approx(total / 2)
    assert interaction.low_95 < interaction.size < interaction.high_95


def test_an_interaction_is_found(rng):
    """The lists move only where both settings are high."""
    runs = {name: runs_of(rng, 10 * (name == "d")) for name in "abcd"}
    found, _ = outcome(runs)
    assert all(each.low_95 > 0 for each in found.interactions if each.target != "user_1")


def test_single_runs_have_no_factorial(rng):
    runs = {name: runs_of(rng, 0, replicates=1) for name in "abcd"}
    assert outcome(runs)[0] is None
