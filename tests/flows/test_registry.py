"""`register_as`: each model's first fit becomes a version of a registered model, once."""

import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError
from tasks.tracking.search import our_runs


@pytest.fixture
def one_seed(config: ExperimentConfig) -> ExperimentConfig:
    return config.model_copy(update={"replicates": 1, "evaluation": None})


def test_a_fit_is_registered_once_and_a_fresh_fit_is_the_next_version(
    one_seed: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    first = experiment(one_seed, register_as="mine")
    assert first.registered == {"mine-k2": "1", "mine-k8": "1"}
    assert experiment(one_seed, register_as="mine").registered == first.registered
    fresh = experiment(one_seed, fresh=True, register_as="mine")
    assert fresh.registered == {"mine-k2": "2", "mine-k8": "2"}
    version = copy_of_finished.get_model_version("mine-k8", "2")
    assert version.run_id == next(run.run_id for run in fresh.result.runs if run.model == "k8")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b"])
@pytest.mark.usefixtures("api_url")
def test_an_illegal_name_is_refused_before_anything_is_trained(
    one_seed: ExperimentConfig, client: MlflowClient, name: str
) -> None:
    with pytest.raises(ConfigError, match="--register: found"):
        experiment(one_seed, register_as=name)
    assert our_runs(client) == []
