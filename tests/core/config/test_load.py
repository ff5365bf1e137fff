"""Loading of config files and overrides."""

from pathlib import Path

import pytest

from tasks.core.config.load import load_config
from tasks.core.errors import ConfigError
from tests.core.config.small_config import SMALL, Faults, Load
from tests.paths import CONFIGS


def test_all_faults_are_reported_at_once_with_file_line_and_key(faults: Faults) -> None:
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
    lines = faults(text)
    assert len(lines) == len(expected)
    for position, words in expected.items():
        (line,) = [line for line in lines if line.startswith(position + " ")]
        assert all(word in line for word in words), line


def test_at_most_twenty_faults_are_listed(faults: Faults) -> None:
    lines = faults(SMALL + "".join(f"unknown{i}: 1\n" for i in range(23)))
    assert len(lines) == 21
    assert lines[-1] == "and 3 more"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), ("name: [", "not YAML"), ("name: x\n", "models: is missing"), ("name: é", "'é'")],
)
def test_incomplete_config_is_refused(text: str, words: str, faults: Faults) -> None:
    assert words in "\n".join(faults(text))


def test_missing_file_is_refused_with_a_list_of_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "here.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"gone\.yaml: there is no such file; configs here: configs/here\.yaml"):
        load_config("gone.yaml")


def test_missing_file_is_refused_with_our_own_configs_where_there_are_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"latentlab's own are in {CONFIGS}: .*, quickstart\.yaml"):
        load_config("configs/gone.yaml")


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(SMALL.encode() + "# für\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(path)


class TestOverrides:
    def test_replaces_a_key(self, load: Load) -> None:
        assert load(SMALL, "models.k2.iterations=200").models["k2"].iterations == 200

    def test_adds_a_key_and_the_sections_above_it(self, load: Load) -> None:
        assert load(SMALL, "evaluation.split.test_fraction=0.5").evaluation.split.test_fraction == 0.5

    def test_last_override_of_a_key_counts(self, load: Load) -> None:
        assert load(SMALL, "seed=1", "seed=2").seed == 2

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("queries.users=[10, 20]", (10, 20)),
            ("queries.users=[]", ()),
            ("queries={users: [7]}", (7,)),
        ],
    )
    def test_value_may_be_a_list_or_a_mapping(self, load: Load, override: str, expected: tuple[int, ...]) -> None:
        assert load(SMALL, override).queries.users == expected

    def test_null_removes_a_section(self, load: Load) -> None:
        assert load(SMALL, "evaluation=null").evaluation is None

    def test_value_may_contain_an_equals_sign(self, load: Load) -> None:
        assert load(SMALL, "tracking.uri=http://host/?a=b").tracking.uri == "http://host/?a=b"

    @pytest.mark.parametrize("override", ["seed", "=1", "models..factors=1", ".seed=1"])
    def test_text_without_key_or_value_is_refused(self, faults: Faults, override: str) -> None:
        assert f"--set {override}: expected a.b.c=value" in faults(SMALL, override)

    def test_key_below_a_plain_value_is_refused(self, faults: Faults) -> None:
        (line,) = faults(SMALL, "name.first=x")
        assert line.startswith("--set name.first=x: name: holds 'small'")

    def test_override_corrects_a_fault_of_the_file(self, load: Load) -> None:
        assert load(SMALL + "seed: none\n", "seed=5").seed == 5

    def test_faults_of_file_and_overrides_are_reported_together(self, faults: Faults) -> None:
        lines = faults(SMALL + "sed: 1\n", "nme=x", "models.k2.factors=0")
        assert [line.rpartition(": ")[0].split(": ")[0] for line in sorted(lines)] == [
            "--set models.k2.factors=0",
            "--set nme=x",
            "c.yaml:4",
        ]

    def test_fault_in_a_replaced_section_names_the_override(self, faults: Faults) -> None:
        (line,) = faults(SMALL, "models={k2: {factors: 0, iterations: 1}}")
        assert line.startswith("--set models=")
