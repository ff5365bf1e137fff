"""The settings of models that Spark trains, and of the session that trains them."""

import pytest

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tests.core.config.small_config import SMALL, Faults, Load

SPARK = "name: small\nmodels:\n  k2: {factors: 2, iterations: 3, engine: spark}\n"


def test_the_engine_of_earlier_versions_is_in_no_digest_and_identity_whether_written_or_not(load: Load) -> None:
    plain, written = load(SMALL), load(SMALL, "models.k2.engine=implicit")
    assert plain.digest() == written.digest()
    assert plain.models["k2"] == written.models["k2"]
    assert "engine" not in written.trained["k2"].identity()


def test_engine_and_blocks_are_part_of_the_identity_of_a_model_of_spark() -> None:
    plain, spark, other = (
        AlsConfig.model_validate({"factors": 2, "iterations": 3, **settings})
        for settings in ({}, {"engine": "spark"}, {"engine": "spark", "blocks": 4})
    )
    assert len({str(model.identity()) for model in (plain, spark, other)}) == 3
    assert spark.identity() == {
        "factors": 2,
        "iterations": 3,
        "regularization": 0.01,
        "alpha": 1.0,
        "engine": "spark",
        "blocks": 10,
    }


def test_where_spark_runs_changes_no_digest(load: Load) -> None:
    there = load(SPARK, "execution.spark={master: spark://host:7077, config: {spark.executor.cores: 2}}")
    assert there.digest() == load(SPARK).digest()


def test_a_resolved_config_with_a_model_of_spark_loads_as_the_same_config(load: Load) -> None:
    config = load(SPARK, "execution.spark={master: 'local[2]'}")
    assert load(config.to_yaml()) == config
    assert ExperimentConfig.model_validate_json(config.model_dump_json()) == config


def test_options_of_spark_are_texts_as_spark_writes_them(load: Load) -> None:
    config = load(SPARK, "execution.spark={master: 'local[2]', config: {spark.a: true, spark.b: 2, spark.c: 8g}}")
    assert config.execution.spark is not None
    assert config.execution.spark.config == {"spark.a": "true", "spark.b": "2", "spark.c": "8g"}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("models.k2.solver=cg", ["models.k2.solver", "is for `engine: implicit` only", "exactly"]),
        ("models.k2.orientation=item_user", ["models.k2.orientation", "items first"]),
        ("models.k2.acceleration=balanced", ["models.k2.acceleration", "before the last iteration"]),
        ("models.k2.stop={when: steady}", ["models.k2.stop", "set `iterations`"]),
        ("models.k2.blocks=0", ["models.k2.blocks: found 0", "greater than or equal to 1"]),
        ("models.k2.engine=sparc", ["'implicit' or 'spark'", "did you mean 'spark'"]),
        ("snapshots=[1, 3]", ["snapshots", "before the last iteration"]),
        ("preprocess.confidence=binary", ["models.k2.alpha", "alpha·c of 1", "more than 1", "raise alpha"]),
        ("execution.runner=dask", ["execution", "needs the `address`"]),
        ("execution.workers=2", ["execution.workers", "one fit at a time", "expected 1 or auto"]),
        ("execution.spark={}", ["execution.spark.master", "is missing"]),
        ("execution.spark={master: local, conf: {}}", ["unknown key", "did you mean 'config'"]),
        ("execution.spark={master: local, config: {driver: 1}}", ["'driver'", "^spark"]),
        ("execution.spark={master: local, config: {spark.a: [1]}}", ["spark.a: found [1]", "expected text"]),
        ("execution.spark={master: local, config: {spark.master: a}}", ["is the key `execution.spark.master`"]),
        ("execution.spark={master: local, config: {spark.s3.Secret.key: a}}", ["is a secret", "spark-defaults.conf"]),
        ("search={models: {k2: {factors: [2, 3]}}}", ["search.models.k2", "trained by Spark"]),
    ],
)
def test_what_spark_cannot_do_is_one_fault(override: str, words: list[str], faults: Faults) -> None:
    lines = faults(SPARK, override)
    assert len(lines) == (2 if override == "execution.runner=dask" else 1), lines
    assert all(word in lines[0] for word in words), lines


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("models.k2.blocks=3", "models.k2.blocks: is for `engine: spark` only"),
        ("execution.spark={master: local}", "execution.spark: is for models with `engine: spark`, and there is none"),
    ],
)
def test_what_only_spark_has_is_refused_without_it(override: str, message: str, faults: Faults) -> None:
    (line,) = faults(SMALL, override)
    assert message in line


def test_snapshots_are_for_the_other_models_beside_one_of_spark(load: Load) -> None:
    config = load(SPARK, "models.other={factors: 2, iterations: 3}", "snapshots=[1, 3]")
    assert config.snapshots == (1, 3)


def test_a_sweep_over_engines_is_two_models(load: Load) -> None:
    config = load("name: small\nmodels:\n  als: {factors: 2, iterations: 3, engine: [implicit, spark]}\n")
    assert {name: model.engine for name, model in config.trained.items()} == {
        "als-engineimplicit": "implicit",
        "als-enginespark": "spark",
    }
