"""The experiment's YAML: what is accepted, and how everything else is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.config.schema import config_schema
from tasks.core.config.yaml_source import parse
from tasks.core.errors import ConfigError
from tests.paths import CONFIGS

SHIPPED = sorted(path.name for path in CONFIGS.glob("*.yaml"))
SMALL = "name: small\nmodels:\n  k2: {factors: 2, iterations: 3}\n"

Load = Callable[..., ExperimentConfig]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)

    def load(text: str, *overrides: str) -> ExperimentConfig:
        Path("c.yaml").write_text(text, encoding="utf-8")
        return load_config("c.yaml", overrides)

    return load


@pytest.fixture
def faults(load: Load) -> Callable[..., list[str]]:
    def faults(text: str, *overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, *overrides)
        return str(caught.value).splitlines()

    return faults


Faults = Callable[..., list[str]]


def test_defaults_fill_what_is_left_out(load: Load) -> None:
    config = load(SMALL)
    assert config.dataset.name == "synthetic-100k"
    assert config.preprocess.min_rating == 4
    assert config.models["k2"].solver == "cg"
    assert config.baseline == "k2"


def test_all_faults_are_reported_at_once_each_with_its_place(faults: Faults) -> None:
    text = """\
name: two words
models:
  k50: {factors: 50.5, iterations: 15, regularisation: 0.01}
  k500:
    factors: "500"
    iterations: true
    solver: cgg
    alpha: .inf
  k/9: {factors: 9, iterations: 9}
  half: {factors: 3}
replicates: 0
sead: 3
comparison: {baseline: k5000, depths: [10, 5]}
replicates: 2
dataset: {name: movielens-100k, separator: ";"}
evaluation: {split: {strategy: randon}}
queries: {users: [1, -1], n: 101}
"""
    expected = {
        "c.yaml:1: name:": ["'two words'", "[A-Za-z0-9]"],
        "c.yaml:3: models.k50.factors:": ["50.5", "a whole number"],
        "c.yaml:3: models.k50.regularisation:": ["unknown key", "did you mean 'regularization'"],
        "c.yaml:5: models.k500.factors:": ["'500'", "a whole number"],
        "c.yaml:6: models.k500.iterations:": ["True", "a whole number"],
        "c.yaml:7: models.k500.solver:": ["'cgg'", "'cg' or 'cholesky'", "did you mean 'cg'"],
        "c.yaml:8: models.k500.alpha:": ["inf", "a finite number"],
        "c.yaml:9: models.k/9:": ["'k/9'", "letters, digits"],
        "c.yaml:10: models.half.iterations:": ["is missing"],
        "c.yaml:11: replicates:": ["found 0", "greater than or equal to 1"],
        "c.yaml:12: sead:": ["unknown key", "did you mean 'seed'"],
        "c.yaml:13: comparison.baseline:": ["'k5000'", "did you mean 'k500'"],
        "c.yaml:13: comparison.depths:": ["[10, 5]", "increasing"],
        "c.yaml:14: replicates:": ["twice", "line 11"],
        "c.yaml:15: dataset.separator:": ["`name: file` only", "movielens-100k"],
        "c.yaml:16: evaluation.split.strategy:": ["'randon'", "'random'"],
        "c.yaml:17: queries.users.1:": ["found -1", "greater than or equal to 0"],
        "c.yaml:17: queries.n:": ["found 101", "less than or equal to 100"],
    }
    found = faults(text)
    assert len(found) == len(expected)
    for place, words in expected.items():
        (line,) = [line for line in found if line.startswith(place + " ")]
        assert all(word in line for word in words), line


@pytest.mark.parametrize("value", ["true", '"50"', ".inf", ".nan", "50.5", "50.0", "null", "[]", "fifty"])
def test_a_count_is_a_whole_number_and_nothing_like_it(value: str, faults: Faults) -> None:
    (line,) = faults(SMALL, f"models.k2.factors={value}")
    assert "models.k2.factors: found" in line
    assert line.endswith("expected a whole number")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("models.k2.stop", "steady", ["found 'steady'", "keys and values"]),
        ("models.k2.stop", "{}", ["stop.when", "is missing"]),
        ("models.k2.stop", "{when: stedy}", ["stop.when: found 'stedy'", "'steady'", "did you mean 'steady'"]),
        ("models.k2.stop", "{when: steady, patient: 3}", ["unknown key", "did you mean 'patience'"]),
        ("models.k2.stop", "{when: steady, every: 0}", ["stop.every: found 0", "greater than or equal to 1"]),
        ("models.k2.stop", "{when: steady, tolerance: 1}", ["stop.tolerance: found 1", "less than 1"]),
        ("models.k2.acceleration", "balancd", ["'none' or 'balanced'", "did you mean 'balanced'"]),
        ("execution.workers", "0", ["execution.workers: found 0", "greater than or equal to 1"]),
        ("execution.workers", "1.5", ["execution.workers: found 1.5", "a whole number"]),
        ("execution.workers", "true", ["execution.workers: found True", "a whole number"]),
        ("execution.workers", "many", ["execution.workers: found 'many'", "'auto'"]),
    ],
)
def test_what_is_wrong_with_settings_of_convergence_and_speed(
    key: str, value: str, words: list[str], faults: Faults
) -> None:
    (line,) = faults(SMALL, f"{key}={value}")
    assert all(word in line for word in words), line


def test_a_balanced_fit_is_looked_at_when_it_is_balanced(faults: Faults) -> None:
    (line,) = faults(SMALL, "models.k2.acceleration=balanced", "models.k2.stop={when: steady, every: 12}")
    assert "models.k2.stop.every: found 12; expected a multiple of 5" in line


def test_settings_that_came_later_leave_the_identity_of_fits_without_them() -> None:
    plain = AlsConfig(factors=2, iterations=3)
    assert set(plain.identity()) == set(plain.model_dump()) - {"acceleration", "stop"}
    balanced = AlsConfig.model_validate({**plain.model_dump(), "acceleration": "balanced"})
    steady = AlsConfig.model_validate({**plain.model_dump(), "stop": {"when": "steady"}})
    patient = AlsConfig.model_validate({**plain.model_dump(), "stop": {"when": "steady", "patience": 4}})
    found = [each.identity() for each in (plain, balanced, steady, patient)]
    assert all(a != b for at, a in enumerate(found) for b in found[:at])


@pytest.mark.parametrize("value", ["true", '"1"', ".inf", ".nan", "1e999", "null", "yes"])
def test_a_measure_is_a_finite_number_and_nothing_like_it(value: str, faults: Faults) -> None:
    (line,) = faults(SMALL, f"models.k2.regularization={value}")
    assert "models.k2.regularization: found" in line
    assert "number" in line


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
        ("comparison.depths", "[]"),
        pytest.param(
            "comparison.depths",
            "[101]",
        ),
        ("evaluation.cutoffs", "[10, 10]"),
        ("snapshots", "[5, 1]"),
        ("queries.items", "[2147483648]"),
        ("name", "''"),
        ("name", "-a"),
        ("name", "a" * 65),
        ("models", "{}"),
    ],
)
def test_a_value_out_of_range_is_refused_where_it_was_set(key: str, value: str, faults: Faults) -> None:
    (line,) = faults(SMALL, f"{key}={value}")
    assert line.startswith(f"--set {key}={value}: {key}")
    assert "found" in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dataset: {name: file}\n", "c.yaml:4: dataset: `name: file` needs a `path`"),
        ("dataset: {name: x, header: false}\n", "c.yaml:4: dataset.header: is for `name: file` only"),
        ("evaluation: {k: 5}\n", "c.yaml:4: evaluation.k: unknown key; known here: split, part, replicates, cutoffs"),
        (
            "dataset: {name: file, path: r.csv, columns: {usr: 0}}\n",
            "c.yaml:4: dataset.columns.usr: unknown key; did you mean 'user'?",
        ),
        ("queries: [10]\n", "c.yaml:4: queries: found [10]; expected keys and values"),
        ("queries: {users: 10}\n", "c.yaml:4: queries.users: found 10; expected a list"),
        ("queries: {users: [10, ten]}\n", "c.yaml:4: queries.users.1: found 'ten'; expected a whole number"),
    ],
)
def test_a_fault_is_explained(text: str, line: str, faults: Faults) -> None:
    (found,) = faults(SMALL + text)
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), ("name: [", "not YAML"), ("name: x\n", "models: is missing"), ("name: é", "'é'")],
)
def test_a_config_that_says_too_little_is_refused(text: str, words: str, faults: Faults) -> None:
    assert words in "\n".join(faults(text))


def test_a_missing_file_says_which_configs_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "here.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"gone\.yaml: there is no such file; configs here: configs/here\.yaml"):
        load_config("gone.yaml")


def test_a_config_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(SMALL.encode() + "# für\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(path)


def test_a_key_for_own_files_without_a_name_is_explained(faults: Faults) -> None:
    (line,) = faults(SMALL + "dataset: {header: true}\n")
    assert line.startswith("c.yaml:4: dataset.header: ")


def test_a_model_may_be_called_like_a_type(faults: Faults) -> None:
    (line,) = faults("name: x\nmodels:\n  int: {factors: 0, iterations: 1}\n")
    assert line.startswith("c.yaml:3: models.int.factors: ")


def test_one_wrong_column_is_one_fault(faults: Faults) -> None:
    own = SMALL + "dataset: {name: file, path: r.csv}\n"
    assert len(faults(own, "dataset.columns.user=-1")) == 1


class TestOverrides:
    def test_a_key_is_replaced(self, load: Load) -> None:
        assert load(SMALL, "models.k2.iterations=200").models["k2"].iterations == 200

    def test_a_key_is_added_with_the_sections_above_it(self, load: Load) -> None:
        assert load(SMALL, "evaluation.split.test_fraction=0.5").evaluation.split.test_fraction == 0.5

    def test_the_last_of_two_counts(self, load: Load) -> None:
        assert load(SMALL, "seed=1", "seed=2").seed == 2

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("queries.users=[10, 20]", (10, 20)),
            ("queries.users=[]", ()),
            ("queries={users: [7]}", (7,)),
        ],
    )
    def test_lists_and_mappings_are_yaml(self, load: Load, override: str, expected: tuple[int, ...]) -> None:
        assert load(SMALL, override).queries.users == expected

    def test_null_turns_a_section_off(self, load: Load) -> None:
        assert load(SMALL, "evaluation=null").evaluation is None

    def test_the_value_may_hold_an_equals_sign(self, load: Load) -> None:
        assert load(SMALL, "tracking.uri=http://host/?a=b").tracking.uri == "http://host/?a=b"

    @pytest.mark.parametrize("override", ["seed", "=1", "models..factors=1", ".seed=1"])
    def test_what_is_no_assignment_is_refused(self, faults: Faults, override: str) -> None:
        assert f"--set {override}: expected a.b.c=value" in faults(SMALL, override)

    def test_a_value_has_no_keys(self, faults: Faults) -> None:
        (line,) = faults(SMALL, "name.first=x")
        assert line.startswith("--set name.first=x: name: holds 'small'")

    def test_a_fault_in_the_file_is_mended_by_an_override(self, load: Load) -> None:
        assert load(SMALL + "seed: none\n", "seed=5").seed == 5

    def test_faults_of_file_and_overrides_come_together(self, faults: Faults) -> None:
        found = faults(SMALL + "sed: 1\n", "nme=x", "models.k2.factors=0")
        assert [line.rpartition(": ")[0].split(": ")[0] for line in sorted(found)] == [
            "--set models.k2.factors=0",
            "--set nme=x",
            "c.yaml:4",
        ]

    def test_a_replaced_section_is_blamed_on_the_override(self, faults: Faults) -> None:
        (line,) = faults(SMALL, "models={k2: {factors: 0, iterations: 1}}")
        assert line.startswith("--set models=")


class TestDigest:
    @pytest.mark.parametrize(
        "addition",
        [
            "tracking: {uri: 'http://elsewhere:5000'}",
            "dataset: {path: /a/copy}",
            "dataset: {name: synthetic-100k}",
            "preprocess: {min_rating: 4.0}",
            "comparison: {baseline: null}",
        ],
    )
    def test_it_ignores_how_a_thing_is_written_and_where_it_is_kept(self, load: Load, addition: str) -> None:
        assert load(f"{SMALL}{addition}\n").digest() == load(SMALL).digest()

    def test_numbers_are_equal_however_they_are_written(self, load: Load) -> None:
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
        ],
    )
    def test_it_changes_with_what_the_experiment_is(self, load: Load, override: str) -> None:
        assert load(SMALL, override).digest() != load(SMALL).digest()

    def test_the_path_of_ones_own_file_is_what_the_experiment_is(self, load: Load) -> None:
        own = SMALL + "dataset: {name: file, path: a.csv}\n"
        assert load(own).digest() != load(own, "dataset.path=b.csv").digest()


def test_the_resolved_config_reads_back_as_itself(load: Load) -> None:
    config = load(SMALL, "models.k2.regularization=1e-5", "dataset.path='no'", "queries.users=[3]")
    assert load(config.to_yaml()) == config


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_config_loads_and_satisfies_the_schema(name: str) -> None:
    assert load_config(CONFIGS / name).models
    jsonschema.validate(parse((CONFIGS / name).read_text(), name).value, config_schema())


def test_shipped_configs_are_there() -> None:
    assert {"quickstart.yaml", "ml-100k.yaml", "notebook.yaml"} <= set(SHIPPED)


def test_the_shipped_schema_is_that_of_the_models() -> None:
    assert json.loads((CONFIGS / "schema.json").read_text()) == config_schema()


def test_the_schema_is_a_schema_and_refuses_what_the_models_refuse() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError, match="factrs"):
        jsonschema.validate({"name": "x", "models": {"k": {"factrs": 1, "iterations": 1}}}, schema)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evaluation: {split: {strategy: tim}}", ["evaluation.split.strategy: found 'tim'", "did you mean 'time'"]),
        ("evaluation: {split: {strategy: time, test_count: 3}}", ["evaluation.split.test_count: unknown key"]),
        ("evaluation: {split: {strategy: random_user, test_fraction: 0.2, test_count: 1}}", ["both"]),
        ("evaluation: {split: {strategy: files}}", ["evaluation.split.test: is missing"]),
        (
            "evaluation: {split: {strategy: files, test: a.tsv}, part: validation}",
            ["no validation part"],
        ),
        ("evaluation: {split: {strategy: files, test: a, columns: {usr: 1}}}", ["split.columns.usr", "'user'"]),
        (
            "evaluation: {split: {strategy: files, test: a, layout: lists, header: true}}",
            ["header: is for `layout: pairs`"],
        ),
        ("evaluation: {split: 0.2}", ["evaluation.split: found 0.2; expected keys and values"]),
        ("dataset: {layout: lists}", ["dataset.layout: is for `name: file` only"]),
        (
            "dataset: {name: file, path: a, layout: lists, columns: {user: 0}}",
            ["dataset.columns: is for"],
        ),
        ("preprocess: {confidence: ratng}", ["confidence: found 'ratng'", "did you mean 'rating'"]),
        ("preprocess: {confidence: {transform: linear}}", ["preprocess.confidence.alpha: is missing"]),
        ("preprocess: {confidence: {transform: linear, alpha: 0}}", ["alpha: found 0; expected greater than 0"]),
        ("preprocess: {confidence: {transform: log, alpha: 1}}", ["needs an `epsilon`"]),
        (
            "preprocess: {confidence: {transform: linear, alpha: 1, epsilon: 1}}",
            ["is for `transform: log` only"],
        ),
        ("preprocess: {k_core: 0}", ["preprocess.k_core: found 0"]),
        ("tuned: {settings: [alpa], by: x.yaml}", ["tuned.settings.0: found 'alpa'", "did you mean 'alpha'"]),
    ],
)
def test_an_evaluation_that_cannot_be_is_told_in_one_line(text: str, words: list[str], faults: Faults) -> None:
    (line,) = faults(f"{SMALL}\n{text}\n")
    assert all(word in line for word in words), line


def test_the_tuned_config_has_what_its_sweep_may_have_chosen() -> None:
    """Its settings are among those swept, for each k; only those that it calls tuned differ from the sweep's others."""
    tuned, sweep = (load_config(CONFIGS / name) for name in ("ml-100k-tuned.yaml", "ml-100k-tune.yaml"))
    assert tuned.tuned is not None
    assert (CONFIGS.parent / tuned.tuned.by).samefile(CONFIGS / "ml-100k-tune.yaml")
    assert tuned.tuned.settings == ("regularization", "alpha")
    for name, model in tuned.models.items():
        assert model in [other for member, other in sweep.models.items() if member.startswith(f"{name}-")]
    assert sweep.evaluation is not None
    assert tuned.evaluation is not None
    assert (sweep.evaluation.part, tuned.evaluation.part) == ("validation", "test")
    assert (sweep.evaluation.split, sweep.seed) == (tuned.evaluation.split, tuned.seed)


def test_a_default_and_the_same_value_said_outright_are_one_config(load: Load) -> None:
    config = load(SMALL)
    again = ExperimentConfig.model_validate_json(config.model_dump_json())
    assert again.model_dump_json() == config.model_dump_json()
    assert again.digest() == config.digest() == load(f"{SMALL}preprocess: {{min_rating: 4}}\n").digest()
