"""Configs with faults: exit code 2, and each fault with its position, before anything starts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.core.config.experiment import ExperimentConfig
from tests.command_line import CommandLine
from tests.flows.small_experiment import CONFIG


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("replicates: 1", "replicate: 1", "config.yaml:6: replicate: unknown key; did you mean 'replicates'?"),
        ("factors: 2", "factor: 2", "models.k2.factor: unknown key; did you mean 'factors'?"),
        ("replicates: 1", "replicates: 1\nreplicates: 2", "config.yaml:7: replicates: the key stands twice"),
        ("factors: 2", "n_factors: 2", "config.yaml:5: models.k2.n_factors: unknown key; it is called 'factors' here"),
        ("iterations: 2", "epochs: 2", "models.k2.epochs: unknown key; it is called 'iterations' here"),
        ("factors: 2", "factors: 2, lambda: 1", "models.k2.lambda: unknown key; it is called 'regularization' here"),
        ("replicates: 1", "random_state: 1", "config.yaml:6: random_state: unknown key; it is called 'seed' here"),
        (
            "replicates: 1",
            "evaluation: {split: random}",
            "found 'random'; expected keys and values, such as {strategy: ra",
        ),
        ("replicates: 1", "evaluation: {metrics: [auc]}", "metrics: unknown key; every metric is computed, at each of"),
        (
            "replicates: 1",
            "evaluation: {split: {test_size: 0.1}}",
            "test_size: unknown key; it is called 'test_fraction'",
        ),
        ("factors: 2", "factors: two", "config.yaml:5: models.k2.factors: found 'two'; expected a whole number"),
        ("factors: 2", "factors: true", "models.k2.factors: found True; expected a whole number"),
        ("factors: 2", "factors: 2.5", "models.k2.factors: found 2.5; expected a whole number"),
        ("factors: 2", "factors: 0", "models.k2.factors: found 0; expected greater than or equal to 1"),
        ("factors: 2", "factors: 99999999999999999999", "expected less than or equal to 10000"),
        ("iterations: 2", "iterations: -1", "models.k2.iterations: found -1; expected"),
        ("factors: 2", "factors: 2, alpha: 0", "models.k2.alpha: found 0; expected greater than 0"),
        ("factors: 2", "factors: 2, alpha: .inf", "models.k2.alpha: found inf; expected"),
        ("factors: 2", "factors: 2, regularization: .nan", "regularization: found nan; expected a finite number"),
        ("factors: 2", "factors: 2, regularization: 1e999", "regularization: found inf; expected a finite number"),
        ("factors: 2", "factors: 2, regularization: -0.1", "regularization: found -0.1; expected"),
        ("factors: 2", "factors: 2, solver: choleski", "expected 'cg' or 'cholesky'; did you mean 'cholesky'?"),
        ("factors: 2, ", "", "config.yaml:5: models.k2.factors: is missing"),
        ("name: bad-input\n", "", "name: is missing"),
        ("bad-input", "../escape", "name: found '../escape'; expected text matching"),
        ("  k2:", "  k 2:", "the name 'k 2' does not match"),
        ("  k2: {factors: 2, iterations: 2}", "  {}", "models: found {}; expected"),
        ("min_rating: null", "min_rating: four", "preprocess.min_rating: found 'four'; expected a number"),
        ("replicates: 1", "replicates: 0", "replicates: found 0; expected"),
        ("replicates: 1", "seed: -1", "seed: found -1; expected"),
        ("replicates: 1", "snapshots: [0]", "snapshots.0: found 0; expected"),
        ("replicates: 1", "queries: {users: [-1]}", "queries.users.0: found -1; expected"),
        ("depths: [1]", "depths: [5, 1]", "comparison.depths: found [5, 1]; expected increasing numbers"),
        ("depths: [1]", "depths: [101]", "comparison.depths.0: found 101; expected"),
        ("depths: [1]", "baseline: k22", "comparison.baseline: found 'k22'; the models are k2; did you mean 'k2'?"),
        (", path: ratings.csv", "", "dataset: `name: file` needs a `path`"),
        ("name: file", "name: synthetic-10k", "found 'synthetic-10k'; known are"),
        ("name: file, path: ratings.csv", "name: synthetic-100k, header: true", "is for `name: file` only"),
        ("evaluation: null", "evaluation: {split: {test_fraction: 1}}", "test_fraction: found 1; expected less than 1"),
        ("name: bad-input", "name: [", "not YAML"),
        ("name: bad-input", "\tname: bad-input", "not YAML"),
        ("name: bad-input", "name: &a bad-input", "anchors and aliases are not allowed"),
        ("name: bad-input", "name: !!python/object:os.system x", "is not allowed; write a plain value"),
        ("evaluation: null", "---\nname: second", "a second document starts here"),
    ],
)
def test_a_fault_is_reported_with_its_key(offline: CommandLine, old: str, new: str, message: str) -> None:
    assert old in CONFIG
    (offline.folder / "config.yaml").write_text(CONFIG.replace(old, new, 1))
    assert message in offline.failure(2, "run", "config.yaml")


def test_all_faults_are_reported_at_once(offline: CommandLine) -> None:
    (offline.folder / "config.yaml").write_text(
        CONFIG.replace("factors: 2", "factors: 0").replace("replicates: 1", "replicate: 1")
    )
    faults = offline.failure(2, "check", "config.yaml", run=offline.run).splitlines()
    assert sorted(line.split(": ")[0] for line in faults) == ["config.yaml:5", "config.yaml:6"]


def write_nothing(path: Path) -> None:
    path.write_text("")


def write_a_list(path: Path) -> None:
    path.write_text("- name\n- models\n")


def write_latin_1(path: Path) -> None:
    path.write_bytes("name: é".encode("latin-1"))


def write_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (Path.unlink, "config.yaml: there is no such file"),
        (write_nothing, "empty; expected keys such as name and models"),
        (write_a_list, "expected keys such as name and models"),
        (write_latin_1, "config.yaml: not UTF-8 text (byte 6)"),
        (write_a_folder, "config.yaml: cannot be read: Is a directory"),
    ],
)
def test_a_file_that_is_not_a_config_is_refused(
    offline: CommandLine, write: Callable[[Path], None], message: str
) -> None:
    write(offline.folder / "config.yaml")
    assert message in offline.failure(2, "run", "config.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("replicates", "--set replicates: expected a.b.c=value"),
        ("=1", "--set =1: expected a.b.c=value"),
        ("models.k2.factor=3", "--set models.k2.factor=3: models.k2.factor: unknown key; did you mean 'factors'?"),
        ("models.k2.factors=many", "--set models.k2.factors=many: models.k2.factors: found 'many'"),
        ("name.first=1", "name: holds 'bad-input', which has no keys"),
        ("comparison.depths=[1", "not YAML"),
        ("dataset.name=movielens-10k", "found 'movielens-10k'; known are"),
    ],
)
def test_a_fault_in_an_override_is_reported_with_the_override(
    offline: CommandLine, override: str, message: str
) -> None:
    assert message in offline.failure(2, "run", "config.yaml", "--set", override)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config.yaml", "--set", "tracking.uri=http://me:secret@host"],
        ["check", "config.yaml", "--set", "tracking.uri=http://me:a/secret@host"],
        ["check", "config.yaml", "--set", "tracking.uri='http://me:a secret@host'"],
        ["check", "config.yaml", "--set", 'tracking.uri="http://me:secret@host'],
        ["check", "config.yaml", "--set", "tracking.uri=[http://me:secret@host]"],
        ["check", "config.yaml", "--set", f"replicates=http://me:{'secret' * 20}@host"],
        ["check", "http://me:secret@host/config.yaml"],
    ],
    ids=lambda arguments: arguments[-1],
)
def test_no_message_repeats_the_password_of_an_address(offline: CommandLine, arguments: list[str]) -> None:
    assert "secret" not in offline.failure(2, *arguments)


def test_the_errors_of_parameters_which_prefect_logs_repeat_no_value() -> None:
    config = {"name": "x", "models": {}, "tracking": {"uri": "http://me:secret@host"}}
    with pytest.raises(ValidationError) as raised:
        ExperimentConfig.model_validate(config)
    assert "secret" not in str(raised.value)
