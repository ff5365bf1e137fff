"""The complete config: defaults, constraints, digest, and YAML of the resolved config."""

import pickle

import pytest

from tasks.core.config.dataset import without_later_settings
from tasks.core.config.experiment import ExperimentConfig, PlannedLooks
from tests.core.config.small_config import SMALL, Faults, Load


def test_defaults_fill_missing_keys(load: Load) -> None:
    config = load(SMALL)
    assert config.dataset.name == "synthetic-100k"
    assert config.preprocess.min_rating == 4
    assert config.models["k2"].solver == "cg"
    assert config.baseline == "k2"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("models.k2.factors", "0"),
        ("models.k2.factors", "10001"),
        ("models.k2.iterations", "-1"),
        ("models.k2.regularization", "-0.1"),
        ("models.k2.alpha", "0"),
        ("seed", "-1"),
        ("seed", str(2**63)),
        ("evaluation.split.test_fraction", "1"),
        ("evaluation.split.test_fraction", "0.0"),
        ("evaluation.repeats", "0"),
        ("comparison.depths", "[]"),
        ("comparison.depths", "[101]"),
        ("evaluation.cutoffs", "[10, 10]"),
        ("snapshots", "[5, 1]"),
        ("queries.items", "[2147483648]"),
        ("name", "''"),
        ("name", "-a"),
        ("name", "a" * 65),
        ("models", "{}"),
    ],
)
def test_value_out_of_range_is_refused_at_the_key_that_was_set(key: str, value: str, faults: Faults) -> None:
    (line,) = faults(SMALL, f"{key}={value}")
    assert line.startswith(f"--set {key}={value}: {key}")
    assert "found" in line


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", ["execution.workers: found 0", "greater than or equal to 1"]),
        ("1.5", ["execution.workers: found 1.5", "a whole number"]),
        ("true", ["execution.workers: found True", "a whole number"]),
        ("many", ["execution.workers: found 'many'", "'auto'"]),
    ],
)
def test_workers_must_be_auto_or_a_positive_whole_number(value: str, words: list[str], faults: Faults) -> None:
    (line,) = faults(SMALL, f"execution.workers={value}")
    assert all(word in line for word in words), line


TWO = f"{SMALL}  k3: {{factors: 3, iterations: 3}}\n"


def test_most_replicates_are_the_number_or_those_of_the_last_look(load: Load) -> None:
    assert load(SMALL, "replicates=4").most_replicates == 4
    assert load(TWO, "replicates={looks: [6, 8, 12]}").most_replicates == 12


def test_planned_looks_are_until_the_primary_endpoint_is_decided_unless_set(load: Load) -> None:
    planned = load(TWO, "replicates={looks: [6, 8]}")
    assert planned.replicates == PlannedLooks(looks=(6, 8), until="primary")
    assert load(TWO, "replicates={looks: [6, 8]}", "replicates.until=all").replicates == PlannedLooks(
        looks=(6, 8), until="all"
    )
    assert load(planned.to_yaml()) == planned


def test_a_number_replaces_planned_looks(load: Load) -> None:
    planned = f"{TWO}replicates: {{looks: [6, 8], until: all}}\n"
    assert load(planned, "replicates=3").digest() == load(TWO, "replicates=3").digest()


def test_there_is_a_split_for_each_fold_or_repeat(load: Load) -> None:
    assert load(SMALL).evaluation.n_splits == 1
    assert load(SMALL, "evaluation.repeats=3").evaluation.n_splits == 3
    assert load(SMALL, "evaluation.split={strategy: folds}").evaluation.n_splits == 5
    assert load(SMALL, "evaluation.split={strategy: folds, folds: 4}").evaluation.n_splits == 4


class TestDigest:
    @pytest.mark.parametrize(
        "addition",
        [
            "tracking: {uri: 'http://elsewhere:5000'}",
            "dataset: {path: /a/copy}",
            "dataset: {name: synthetic-100k}",
            "preprocess: {min_rating: 4.0}",
            "comparison: {baseline: null}",
            "evaluation: {repeats: 1}",
        ],
    )
    def test_ignores_written_defaults_and_storage(self, load: Load, addition: str) -> None:
        assert load(f"{SMALL}{addition}\n").digest() == load(SMALL).digest()

    def test_finds_the_default_baseline_written_or_left_out(self, load: Load) -> None:
        two = f"{SMALL}  k3: {{factors: 3, iterations: 3}}\n"
        left_out, written = load(two), load(two, "comparison.baseline=k2")
        assert left_out.digests() == [left_out.digest(), written.digest()]
        assert written.digests() == [written.digest(), left_out.digest()]
        other = load(two, "comparison.baseline=k3")
        assert other.digests() == [other.digest()]

    @pytest.mark.parametrize(
        ("key", "default", "other"),
        [
            ("dataset.order", "null", "time"),
            ("evaluation.split.overlap", "error", "drop"),
            ("evaluation.split.visible", "null", "c.csv"),
        ],
    )
    def test_the_default_of_a_key_of_published_files_is_left_out(
        self, load: Load, key: str, default: str, other: str
    ) -> None:
        own = "dataset: {name: file, path: a.csv}\npreprocess: {min_rating: null}\n"
        config = f"{SMALL}{own}evaluation: {{split: {{strategy: files, test: b.csv}}}}\n"
        # of the version before these keys
        assert load(config).digest() == "11b0ed04a1d0f27e513140186fa461a3b06a90ee17e179a24138f559f3791c03"
        assert load(config, f"{key}={default}").digest() == load(config).digest()
        assert load(config, f"{key}={other}").digest() != load(config).digest()

    @pytest.mark.parametrize("key", ["dataset.quote", "evaluation.split.quote"])
    def test_ignores_the_quoting_that_files_were_read_with_before_it_was_a_setting(self, load: Load, key: str) -> None:
        config = (
            f"{SMALL}dataset: {{name: file, path: a.csv}}\npreprocess: {{min_rating: 4}}\n"
            "evaluation: {split: {strategy: files, test: b.csv}}\n"
        )
        assert "quote" not in str(without_later_settings(load(config).dataset.model_dump()))
        assert load(config, f"{key}=double").digest() == load(config).digest()
        assert load(config, f"{key}=none").digest() != load(config).digest()

    def test_ignores_how_a_number_is_written(self, load: Load) -> None:
        digests = {load(SMALL, f"models.k2.regularization={text}").digest() for text in ("1e-2", "0.01", "1.0E-2")}
        assert len(digests) == 1

    @pytest.mark.parametrize(
        "override",
        [
            "name=other",
            "dataset.name=movielens-100k",
            "preprocess.min_rating=null",
            "preprocess.confidence=binary",
            "models.k2.factors=3",
            "models.k3={factors: 2, iterations: 3}",
            "replicates=2",
            "seed=1",
            "queries.users=[1]",
            "comparison.depths=[5]",
            "evaluation=null",
            "evaluation.cutoffs=[5]",
            "evaluation.repeats=2",
            "evaluation.split={strategy: folds}",
        ],
    )
    def test_changes_with_the_experiment(self, load: Load, override: str) -> None:
        assert load(SMALL, override).digest() != load(SMALL).digest()

    def test_changes_with_planned_looks_and_when_they_end(self, load: Load) -> None:
        replicates = ("6", "8", "{looks: [6, 8]}", "{looks: [4, 8]}", "{looks: [6, 8], until: all}")
        digests = {load(TWO, f"replicates={value}").digest() for value in replicates}
        assert len(digests) == len(replicates)

    def test_ignores_a_later_key_with_the_value_of_the_former_behaviour(self, load: Load) -> None:
        assert load(SMALL, "preprocess.negative=error").digest() == load(SMALL).digest()
        assert load(SMALL, "preprocess.negative=drop").digest() != load(SMALL).digest()

    def test_changes_with_the_path_of_an_own_file(self, load: Load) -> None:
        own_file = SMALL + "dataset: {name: file, path: a.csv}\npreprocess: {min_rating: 4}\n"
        assert load(own_file).digest() != load(own_file, "dataset.path=b.csv").digest()

    def test_is_the_same_after_json_and_with_a_written_default(self, load: Load) -> None:
        config = load(SMALL)
        again = ExperimentConfig.model_validate_json(config.model_dump_json())
        assert again.model_dump_json() == config.model_dump_json()
        assert again.digest() == config.digest() == load(f"{SMALL}preprocess: {{min_rating: 4}}\n").digest()

    def test_is_of_the_queries_as_written_before_and_after_ids_are_resolved(self, load: Load) -> None:
        by_id, by_index = load(SMALL, "queries.users=[{id: u7}]"), load(SMALL, "queries.users=[7]")
        resolved = by_id.with_queries(by_id.queries.with_indexes({"users": {"u7": 7}}))
        assert resolved.queries == by_index.queries
        assert by_id.digest() != by_index.digest()
        assert resolved.digest() == by_id.digest()
        assert resolved.digests() == by_id.digests()
        assert pickle.loads(pickle.dumps(resolved)).digest() == by_id.digest()


def test_queries_by_id_keep_the_type_of_the_id(load: Load) -> None:
    config = load(SMALL, "queries.users=[3, {id: 50}, {id: '50'}, {id: u1}]")
    assert config.queries.raw_ids()["users"] == [50, "50", "u1"]
    assert load(config.to_yaml()) == config


def test_yaml_of_the_resolved_config_loads_as_the_same_config(load: Load) -> None:
    config = load(SMALL, "models.k2.regularization=1e-5", "dataset.path='no'", "queries.users=[3]")
    assert load(config.to_yaml()) == config
