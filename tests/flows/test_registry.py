"""`register_as`: each model's first fit becomes a version of a registered model, once."""

import contextlib
import sqlite3

import pytest
from mlflow import MlflowClient

from flows.compare import compare
from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, UnmetExpectation
from tasks.core.formatting import split_answer
from tasks.tracking.logged_models.promotion import promote
from tasks.tracking.search import our_runs
from tasks.tracking.store import resolve_uri


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
    aliases = copy_of_finished.get_registered_model("mine-k8").aliases
    assert {alias: str(number) for alias, number in aliases.items()} == {"champion": "1", "challenger": "2"}


def test_a_version_says_what_it_is(config: ExperimentConfig, copy_of_finished: MlflowClient) -> None:
    result = experiment(config, register_as="mine").result
    version = copy_of_finished.get_model_version("mine-k8", "1")
    assert version.description.startswith("ALS, k=8, 6 iterations, regularization=0.01, alpha=1; fitted to file (40 us")
    accuracy = next(row.mean for row in result.accuracy if (row.model, row.metric) == ("k8", "ndcg_at_5"))
    assert f"ndcg_at_5 {accuracy:.4f}" in version.description
    assert version.description.endswith(split_answer(result.sentence)[0])
    assert version.tags["latentlab.comparison"] == result.parent_id
    assert version.tags["latentlab.verdict"] == result.answers[0].verdict


def test_a_version_that_an_earlier_version_of_latentlab_registered_is_described(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    experiment(config, register_as="mine")
    copy_of_finished.update_model_version("mine-k8", "1", "")
    copy_of_finished.delete_model_version_tag("mine-k8", "1", "latentlab.model")
    copy_of_finished.delete_registered_model_alias("mine-k8", "champion")
    assert experiment(config, register_as="mine").registered["mine-k8"] == "1"
    version = copy_of_finished.get_model_version("mine-k8", "1")
    assert version.description.startswith("ALS, k=8")
    assert version.tags["latentlab.model"] == "k8"
    assert version.aliases == []  # somebody may have removed it


def test_the_logged_models_are_found_by_the_accuracy_of_their_settings(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    result = experiment(config).result
    accuracy = {row.model: row.mean for row in result.accuracy if row.metric == "ndcg_at_5"}
    experiment_id = copy_of_finished.get_run(result.parent_id).info.experiment_id
    for ascending in (True, False):  # else the order in which they were made might be taken for that of accuracy
        # with backticks MLflow would look for a metric whose name has them, and order nothing
        order = [{"field_name": "metrics.accuracy/ndcg_at_5", "ascending": ascending}]
        models = copy_of_finished.search_logged_models([experiment_id], order_by=order)
        names = ["k2", "k2", "k8", "k8"]
        expected = sorted(names, key=lambda name: accuracy[name], reverse=not ascending)
        assert [model.tags["latentlab.model"] for model in models] == expected
    for model in models:
        (metric,) = (metric for metric in model.metrics if metric.key == "accuracy/ndcg_at_5")
        assert metric.value == accuracy[model.tags["latentlab.model"]]
        assert metric.dataset_digest == result.data_sha256[:12]


def test_accuracy_is_logged_once_and_also_for_fits_that_an_earlier_version_compared(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    result = experiment(config).result
    fit, other = (run.run_id for run in result.runs if (run.role, run.model) == ("model", "k2"))
    assert len(copy_of_finished.get_metric_history(fit, "accuracy/ndcg_at_5")) == 1
    with contextlib.closing(sqlite3.connect("mlflow.db")) as store, store:
        for table, column in (
            ("metrics", "run_uuid"),
            ("latest_metrics", "run_uuid"),
            ("logged_model_metrics", "run_id"),
        ):
            store.execute(f"delete from {table} where {column} = '{other}'")
    experiment(config)
    assert len(copy_of_finished.get_metric_history(fit, "accuracy/ndcg_at_5")) == 1
    assert len(copy_of_finished.get_metric_history(other, "accuracy/ndcg_at_5")) == 1


def test_versions_of_two_experiments_are_compared_for_a_promotion(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    """Two versions of one name: k2 of the finished experiment, and of another one that has another k2."""
    experiment(config, register_as="mine")
    models = {"k2": config.trained["k2"].model_copy(update={"iterations": 5}), "k8": config.trained["k8"]}
    other = config.model_copy(update={"name": "other", "models": models})
    assert experiment(other, register_as="mine").registered["mine-k2"] == "2"
    with pytest.raises(UnmetExpectation, match="no comparison used the fits of both versions \\(of blocks and other"):
        promote(copy_of_finished, "mine-k2", "2", "practically-same")
    result = compare("blocks/k2", "other/k2", resolve_uri())
    with pytest.raises(UnmetExpectation, match=f"{result.parent_id} of k2 \\(version 1\\) and other-k2") as unmet:
        promote(copy_of_finished, "mine-k2", "2", "practically-same")
    assert str(unmet.value).endswith(result.answers[0].sentence)


def test_a_consensus_is_compared_by_the_fits_that_it_merges(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    result = experiment(config, register_as="mine", consensus=True).result
    second = copy_of_finished.get_model_version("mine-k8", "1")
    copy_of_finished.create_model_version("mine-k2", second.source, second.run_id)
    with pytest.raises(UnmetExpectation, match=rf"{result.parent_id} of k2 \(version 1\) and k8 \(version 2\)"):
        promote(copy_of_finished, "mine-k2", "2", "practically-same")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b"])
@pytest.mark.usefixtures("api_url")
def test_an_illegal_name_is_refused_before_anything_is_trained(
    one_seed: ExperimentConfig, client: MlflowClient, name: str
) -> None:
    with pytest.raises(ConfigError, match="--register: found"):
        experiment(one_seed, register_as=name)
    assert our_runs(client) == []
