"""Sweeps: lists in place of the values of a model's settings."""

from typing import Any

import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.sweeps import MOST_MODELS, expand, expand_models
from tests.core.config.small_config import Faults, Load


def names(**settings: Any) -> list[str]:
    return [member.name for member in expand("als", settings)]


class TestExpand:
    def test_model_without_lists_stands_for_itself(self) -> None:
        assert names(factors=3, iterations=2) == ["als"]

    def test_each_entry_gives_a_model_named_after_it(self) -> None:
        assert names(factors=[16, 500]) == ["als-factors16", "als-factors500"]
        assert names(regularization=[0.01, 1e-5, 10.0]) == [
            "als-regularization0_01",
            "als-regularization1e-05",
            "als-regularization10",
        ]
        assert names(solver=["cg", "cholesky"]) == ["als-solvercg", "als-solvercholesky"]

    def test_several_lists_give_every_combination(self) -> None:
        members = list(expand("m", {"factors": [1, 2], "alpha": [3.0, 4.0], "iterations": 5}))
        combinations = [(member.settings["factors"], member.settings["alpha"]) for member in members]
        assert combinations == [(1, 3), (1, 4), (2, 3), (2, 4)]
        assert {member.settings["iterations"] for member in members} == {5}

    def test_members_know_their_sweep_and_the_positions_of_their_values(self) -> None:
        members = expand("m", {"factors": [1, 2], "alpha": [3.0, 4.0], "iterations": 5})
        assert [(member.origin, member.entries) for member in members] == [
            ("m", {"factors": 0, "alpha": 0}),
            ("m", {"factors": 0, "alpha": 1}),
            ("m", {"factors": 1, "alpha": 0}),
            ("m", {"factors": 1, "alpha": 1}),
        ]

    def test_stopping_rules_and_none_are_part_of_the_name(self) -> None:
        rules = [None, {"when": "steady"}, {"when": "steady", "tolerance": 0.01}]
        assert names(factors=2, stop=rules) == ["als-stopnone", "als-stopsteady", "als-stopsteady-tolerance0_01"]

    def test_nearly_equal_values_give_different_names(self) -> None:
        assert len(set(names(alpha=[0.12345671, 0.12345672]))) == 2


def config(models: str) -> str:
    return f"name: s\nmodels:\n{models}\n"


class TestConfig:
    def test_contains_the_models_of_its_sweeps(self, load: Load) -> None:
        loaded = load(config("  one: {factors: 3, iterations: 2}\n  als: {factors: [4, 8], iterations: 2}"))
        assert {name: model.factors for name, model in loaded.models.items()} == {
            "one": 3,
            "als-factors4": 4,
            "als-factors8": 8,
        }
        assert load(loaded.to_yaml()) == loaded

    def test_override_may_be_a_sweep(self, load: Load) -> None:
        loaded = load(config("  als: {factors: 4, iterations: 2}"), "models.als.iterations=[1, 2]")
        assert [model.iterations for model in loaded.models.values()] == [1, 2]

    def test_parameters_of_a_flow_may_contain_sweeps(self) -> None:
        validated = ExperimentConfig.model_validate(
            {"name": "s", "models": {"als": {"factors": [4, 8], "iterations": 2}}}
        )
        assert list(validated.models) == ["als-factors4", "als-factors8"]
        for factors, words in (([4, 4], "twice"), (list(range(1, MOST_MODELS + 2)), "too many models")):
            with pytest.raises(ValueError, match=f"models.als: .*{words}"):
                ExperimentConfig.model_validate({"name": "s", "models": {"als": {"factors": factors, "iterations": 2}}})

    def test_a_grid_has_no_ceiling_of_a_hundred_models(self) -> None:
        settings = {"factors": list(range(1, 31)), "iterations": [1, 2, 3, 4, 5]}
        assert len(ExperimentConfig.model_validate({"name": "s", "models": {"als": settings}}).models) == 150

    def test_millions_of_combinations_are_refused_without_making_them(self) -> None:
        long = {"factors": list(range(1, 9001)), "iterations": list(range(1, 9001)), "alpha": list(range(1, 9001))}
        _, problems = expand_models({"few": {"factors": [1, 2]}, "many": long, "more": long})
        assert [name for name, _ in problems] == ["many"]

    @pytest.mark.parametrize(
        ("models", "message"),
        [
            ("  als: {factors: [4, x], iterations: 2}", "c.yaml:3: models.als-factorsx.factors: found 'x'"),
            ("  als:\n    factors: [4, 8]\n    iterations: 0", "c.yaml:5: models.als-factors4.iterations: found 0"),
            (
                "  als: {factors: [4, 4], iterations: 2}",
                "c.yaml:3: models.als: stands for the model als-factors4 twice",
            ),
            ("  als: {factors: [], iterations: 2}", "models.als.factors: found []; expected a whole number"),
            ("  als: {factors: [4, 8], iteration: 2}", "unknown key; did you mean 'iterations'"),
            (
                f"  als: {{factors: {list(range(1, 201))}, iterations: {list(range(1, 52))}}}",
                "its lists stand for too many models: a config has at most 10,000",
            ),
        ],
    )
    def test_fault_is_reported_at_the_line_of_the_sweep(self, faults: Faults, models: str, message: str) -> None:
        assert message in "\n".join(faults(config(models)))

    def test_message_about_a_sweep_as_baseline_names_its_models(self, faults: Faults) -> None:
        lines = faults(config("  als: {factors: [4, 8], iterations: 2}\ncomparison: {baseline: als}"))
        assert "found 'als'; the models are als-factors4, als-factors8" in "\n".join(lines)
