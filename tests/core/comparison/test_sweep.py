"""Lists in place of values, and how models do along what varies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.comparison.sweep import Estimated, Point, Sweep, estimated, steadiness, varying
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.config.sweeps import MOST_MODELS, expand
from tasks.core.errors import ConfigError


def names(**settings: Any) -> list[str]:
    return [member.name for member in expand("als", settings)]


class TestExpand:
    def test_without_a_list_a_model_is_itself(self) -> None:
        assert names(factors=3, iterations=2) == ["als"]

    def test_each_entry_is_a_model_named_after_it(self) -> None:
        assert names(factors=[16, 500]) == ["als-factors16", "als-factors500"]
        assert names(regularization=[0.01, 1e-5, 10.0]) == [
            "als-regularization0_01",
            "als-regularization1e-05",
            "als-regularization10",
        ]
        assert names(solver=["cg", "cholesky"]) == ["als-solvercg", "als-solvercholesky"]

    def test_of_several_lists_every_combination(self) -> None:
        found = list(expand("m", {"factors": [1, 2], "alpha": [3.0, 4.0], "iterations": 5}))
        assert [(each.settings["factors"], each.settings["alpha"]) for each in found] == [
            (1, 3),
            (1, 4),
            (2, 3),
            (2, 4),
        ]
        assert {each.settings["iterations"] for each in found} == {5}

    def test_a_rule_and_its_absence_name_models_too(self) -> None:
        rules = [None, {"when": "steady"}, {"when": "steady", "tolerance": 0.01}]
        found = [each.name for each in expand("als", {"factors": 2, "stop": rules})]
        assert found == ["als-stopnone", "als-stopsteady", "als-stopsteady-tolerance0_01"]

    def test_what_varies_is_found_again(self) -> None:
        models = {
            each.name: each.settings for each in expand("m", {"factors": [1, 2], "alpha": 1.0, "iterations": [5]})
        }
        assert varying(models) == ["factors"]


class TestConfig:
    def load(self, tmp_path: Path, models: str, *sets: str) -> ExperimentConfig:
        (tmp_path / "c.yaml").write_text(f"name: s\nmodels:\n{models}\n")
        return load_config(tmp_path / "c.yaml", sets)

    def test_a_config_holds_the_models(self, tmp_path: Path) -> None:
        config = self.load(tmp_path, "  one: {factors: 3, iterations: 2}\n  als: {factors: [4, 8], iterations: 2}")
        assert {name: model.factors for name, model in config.models.items()} == {
            "one": 3,
            "als-factors4": 4,
            "als-factors8": 8,
        }
        assert load_again(config, tmp_path) == config

    def test_an_override_may_be_a_list(self, tmp_path: Path) -> None:
        config = self.load(tmp_path, "  als: {factors: 4, iterations: 2}", "models.als.iterations=[1, 2]")
        assert [model.iterations for model in config.models.values()] == [1, 2]

    def test_the_models_of_a_flow_s_parameters_too(self) -> None:
        config = ExperimentConfig.model_validate({"name": "s", "models": {"als": {"factors": [4, 8], "iterations": 2}}})
        assert list(config.models) == ["als-factors4", "als-factors8"]
        for factors, told in (([4, 4], "twice"), (list(range(1, MOST_MODELS + 2)), "more than")):
            with pytest.raises(ValueError, match=f"models.als: .*{told}"):
                ExperimentConfig.model_validate({"name": "s", "models": {"als": {"factors": factors, "iterations": 2}}})

    def test_values_that_hardly_differ_are_two_models(self) -> None:
        assert len(set(names(alpha=[0.12345671, 0.12345672]))) == 2

    @pytest.mark.parametrize(
        ("models", "message"),
        [
            ("  als: {factors: [4, x], iterations: 2}", r"c.yaml:3: models.als-factorsx.factors: found 'x'"),
            ("  als:\n    factors: [4, 8]\n    iterations: 0", r"c.yaml:5: models.als-factors4.iterations: found 0"),
            (
                "  als: {factors: [4, 4], iterations: 2}",
                r"c.yaml:3: models.als: stands for .* als-factors4 twice",
            ),
            ("  als: {factors: [], iterations: 2}", r"models.als.factors: found \[\]; expected a whole number"),
            ("  als: {factors: [4, 8], iteration: 2}", r"unknown key; did you mean 'iterations'"),
            (
                f"  als: {{factors: {list(range(1, MOST_MODELS + 2))}, iterations: 2}}",
                f"its lists stand for more than {MOST_MODELS} models",
            ),
        ],
    )
    def test_what_is_wrong_is_told_where_it_stands(self, tmp_path: Path, models: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            self.load(tmp_path, models)

    def test_a_baseline_that_is_the_sweep_is_told_the_models(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="found 'als'; the models are als-factors4, als-factors8"):
            self.load(tmp_path, "  als: {factors: [4, 8], iterations: 2}\ncomparison: {baseline: als}")


def load_again(config: ExperimentConfig, folder: Path) -> ExperimentConfig:
    (folder / "again.yaml").write_text(config.to_yaml())
    return load_config(folder / "again.yaml")


class TestEstimates:
    def test_a_mean_has_student_s_interval(self) -> None:
        found = estimated([1.0, 2.0, 3.0])
        half = 4.302653 * 1 / np.sqrt(3)  # t(0.975, 2)
        assert (found.mean, found.low_95, found.high_95) == pytest.approx((2, 2 - half, 2 + half))
        assert estimated([7.0]) == estimated([7.0, 7.0, 7.0]) == Estimated(7.0, None, None)

    def test_steadiness_is_the_mean_over_pairs(self) -> None:
        overlap = np.array([[1, 0.2, 0.4], [0.2, 1, 0.6], [0.4, 0.6, 1]])
        found = steadiness(overlap)
        assert found is not None
        assert found.mean == pytest.approx(0.4)
        # leaving one out leaves .6, .4 and .2: variance 2/3 of the squared deviations
        half = 4.302653 * np.sqrt(2 / 3 * (0.04 + 0 + 0.04))
        assert (found.low_95, found.high_95) == (0.0, 1.0)
        assert half > 0.4

    def test_the_jackknife_of_many_covers_what_is_true(self) -> None:
        """Runs with a trait each, whose pairs overlap by the product: the mean over all runs is known."""
        stream, covered = np.random.default_rng(0), 0
        for _ in range(400):
            trait = stream.uniform(0.5, 0.9, 8)
            overlap = np.outer(trait, trait)
            np.fill_diagonal(overlap, 1)
            found = steadiness(overlap)
            assert found is not None
            assert found.low_95 is not None
            assert found.high_95 is not None
            covered += found.low_95 <= 0.49 <= found.high_95
        assert 0.91 < covered / 400 < 0.99

    def test_few_seeds_have_no_interval(self) -> None:
        assert steadiness(np.ones((1, 1))) is None
        assert steadiness(np.ones((4, 4))) == Estimated(1.0, None, None)
        assert steadiness(np.array([[1, 0.5], [0.5, 1]])) == Estimated(0.5, None, None)


def test_the_sentence_says_where_it_is_best() -> None:
    one = Estimated(1, None, None)
    points = [
        Point(
            f"als-factors{k}",
            {"factors": k},
            Estimated(a, None, None),
            Estimated(s, None, None),
            one,
            k,
        )
        for k, a, s in ((16, 0.25, 0.4), (32, 0.27, 0.5), (64, 0.2, 0.6))
    ]
    told = Sweep(["factors"], "ndcg_at_10", 5, points).sentence
    assert told == (
        "Of 3 models along factors, ndcg_at_10 is highest with factors 32 (0.2700) and users' lists are steadiest with "
        "factors 64 (0.6000)."
    )
