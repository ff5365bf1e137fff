"""Overrides that are values, such as a flow run's parameters: they mean what `--set` means."""

import json
from typing import Any

import pytest

from flows.deployment import read_config
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config, with_overrides
from tasks.core.errors import ConfigError
from tests.core.config.small_config import SMALL, Load
from tests.paths import CONFIGS

TEXT = SMALL + "  k3: {factors: 3, iterations: 3}\nevaluation: {replicates: 2, cutoffs: [5]}\n"


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"replicates": 3},
        {"models.k2.iterations": 7, "models.k3.alpha": 2.0},
        {"models.k4": {"factors": 4, "iterations": 3}},
        {"models.k2.factors": [2, 4]},
        {"evaluation": None},
        {"evaluation": {"replicates": 4}},
        {"evaluation.cutoffs": [10, 20], "evaluation.split": {"strategy": "random_user"}},
        {"replicates": {"looks": [4, 8]}},
        {"queries.users": [1, {"id": "u1"}]},
        {"name": "other", "tracking.uri": "http://localhost:5000"},
    ],
)
def test_overrides_mean_what_set_means(load: Load, overrides: dict[str, Any]) -> None:
    config = load(TEXT)
    expected = load(
        TEXT, *(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in overrides.items())
    )
    assert with_overrides(config, overrides) == expected
    assert with_overrides(config, overrides).digest() == expected.digest()
    assert config == load(TEXT), "the config is not changed"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_overrides_of_a_deployed_config_mean_what_set_means(path: Any) -> None:
    deployed = ExperimentConfig.model_validate(json.loads(json.dumps(read_config(str(path))["config"])))
    assert with_overrides(deployed, {"seed": 7}).digests()[0] in load_config(path, ["seed=7"]).digests()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"replicas": 3}, "overrides: replicas: unknown key; did you mean 'replicates'?"),
        ({"replicates": "3"}, "overrides: replicates: found '3'; expected a whole number"),
        ({"replicates": 0}, "overrides: replicates: found 0; expected greater than or equal to 1"),
        ({"models.k9.alpha": 1.0}, "overrides: models.k9.factors: is missing"),
        ({"models.k2.factors.low": 1}, "overrides: models.k2.factors: holds 2, which has no keys"),
        ({"models": {"k2": {"factor": 3}}}, "overrides: models.k2.factor: unknown key; did you mean 'factors'?"),
        ({"models..factors": 3}, "overrides: models..factors: expected keys with one dot between them"),
        ({2: 3}, "overrides: found the key 2; expected text"),
        ({None: 3}, "overrides: found the key None; expected text"),
        ({"": 3}, "overrides: expected keys with one dot between them"),
        ({"comparison.baseline": "k22"}, "overrides: comparison.baseline: found 'k22'; the models are k2, k3"),
    ],
)
def test_faults_name_the_key_and_what_was_expected(load: Load, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        with_overrides(load(TEXT), overrides)
    assert any(line.startswith(message) for line in str(raised.value).splitlines()), raised.value
