"""Keys that are valid by themselves but not together."""

import pytest

from tasks.core.config.experiment import ExperimentConfig
from tests.core.config.small_config import SMALL, Faults, Load


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evaluation: {split: {strategy: random_user, test_fraction: 0.2, test_count: 1}}", ["both"]),
        (
            "evaluation: {split: {strategy: files, test: a.tsv}, part: validation}",
            ["no validation part"],
        ),
        (
            "evaluation: {split: {strategy: files, test: a, layout: lists, header: true}}",
            ["header: is for `layout: pairs`"],
        ),
        (
            "evaluation: {split: {strategy: leave_last}, repeats: 2}",
            ["evaluation.repeats: found 2", "`strategy: leave_last`", "the same in every repeat", "random_user"],
        ),
        ("evaluation: {split: {strategy: time}, repeats: 2}", ["evaluation.repeats", "holds out the latest"]),
        ("evaluation: {split: {strategy: files, test: a}, repeats: 3}", ["evaluation.repeats", "published"]),
        ("evaluation: {split: {strategy: folds}, repeats: 2}", ["evaluation.repeats", "raise `folds`"]),
        (
            "evaluation: {split: {strategy: folds, visible: 0.5}}",
            ["evaluation.split.visible: is for `by: users`"],
        ),
        ("dataset: {quote: none}", ["dataset.quote: is for `name: file` only"]),
        ("dataset: {name: file, path: a, layout: lists, quote: none}", ["quote: is for `layout: pairs`"]),
        (
            "evaluation: {split: {strategy: files, test: a, layout: lists, quote: none}}",
            ["quote: is for `layout: pairs`"],
        ),
        ("dataset: {layout: lists}", ["dataset.layout: is for `name: file` only"]),
        (
            "dataset: {name: file, path: a, layout: lists, columns: {user: 0}}",
            ["dataset.columns: is for"],
        ),
        ("preprocess: {confidence: {transform: log, alpha: 1}}", ["needs an `epsilon`"]),
        (
            "preprocess: {confidence: {transform: linear, alpha: 1, epsilon: 1}}",
            ["is for `transform: log` only"],
        ),
        ("execution: {runner: dask}", ["execution: `runner: dask` needs the `address`"]),
        ("execution: {runner: dask, address: tcp://a:1, workers: 3}", ["workers: is for `runner: threads` only"]),
        ("execution: {address: tcp://a:1}", ["execution.address: is for `runner: dask` only"]),
        ("tracking: {uri: 'http://me:secret@host'}", ["tracking.uri: contains a password"]),
        ("tracking: {registry: 'http://me:secret@host'}", ["tracking.registry: contains a password"]),
        *(
            (f"tracking: {{experiment: '{name}'}}", ["tracking.experiment: found"])
            for name in ("", "/", "/a//b", "/a/../b", "a/", " a", "a\tb", "x" * 501)
        ),
    ],
)
def test_disagreement_is_one_fault(text: str, words: list[str], faults: Faults) -> None:
    (line,) = faults(f"{SMALL}\n{text}\n")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dataset: {name: file, layout: lists}\n", "c.yaml:4: dataset: `name: file` needs a `path`"),
        ("dataset: {name: x, header: false}\n", "c.yaml:4: dataset.header: is for `name: file` only"),
    ],
)
def test_dataset_keys_must_match_its_name(text: str, line: str, faults: Faults) -> None:
    (fault,) = faults(SMALL + text)
    assert fault.startswith(line)


FILE = "dataset: {name: file, path: r.csv}"
NO_RATINGS = "dataset: {name: file, path: r.csv, columns: {rating: null}}"
TEST_FILE = "evaluation: {split: {strategy: files, test: t.csv}}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FILE, "the scale of the ratings in a file of your own is not known"),
        (f"{FILE}\npreprocess: {{}}", "the scale of the ratings in a file of your own is not known"),
        (
            "dataset: {name: file, path: r.csv, columns: {user: 0}}",
            "the scale of the ratings in a file of your own is not known",
        ),
        (f"{NO_RATINGS}\n{TEST_FILE}", "the scale of the ratings in a file of your own is not known"),
        (
            f"{NO_RATINGS}\npreprocess: {{duplicates: count}}",
            "`duplicates: count` makes ratings of a scale of their own",
        ),
        ("preprocess: {duplicates: sum}", "`duplicates: sum` makes ratings of a scale of their own"),
    ],
)
def test_the_minimum_of_ratings_of_an_unknown_scale_must_be_given(text: str, reason: str, faults: Faults) -> None:
    (line,) = faults(f"{SMALL}{text}\n")
    assert f"preprocess.min_rating: is missing: {reason}" in line
    assert "`preprocess.min_rating: null` keeps all ratings; 4 keeps 4 and 5 of a five-point scale" in line


@pytest.mark.parametrize(
    "text",
    [
        "",
        NO_RATINGS,
        "dataset: {name: file, path: r.txt, layout: lists}",
        "preprocess: {duplicates: max}",
        f"{NO_RATINGS}\nevaluation: {{split: {{strategy: files, test: t.csv, columns: {{rating: null}}}}}}",
        TEST_FILE,
    ],
)
def test_the_minimum_has_a_default_where_it_cannot_mislead(text: str, load: Load) -> None:
    assert load(f"{SMALL}{text}\n").preprocess.min_rating == 4


@pytest.mark.parametrize("value", ["null", "4", "0.5"])
def test_a_minimum_that_is_given_is_enough(value: str, load: Load) -> None:
    """From the file or from --set, and after the config was resolved, as it is stored."""
    written = load(f"{SMALL}{FILE}\npreprocess: {{min_rating: {value}}}\n")
    assert load(f"{SMALL}{FILE}\n", f"preprocess.min_rating={value}") == written
    assert load(written.to_yaml()) == written


def test_parameters_of_a_flow_are_checked_too() -> None:
    parameters = {"name": "x", "models": {"k2": {"factors": 2, "iterations": 3}}}
    dataset = {"name": "file", "path": "r.csv"}
    with pytest.raises(ValueError, match=r"preprocess\.min_rating: is missing"):
        ExperimentConfig.model_validate({**parameters, "dataset": dataset})
    resolved = ExperimentConfig.model_validate({**parameters, "dataset": dataset, "preprocess": {"min_rating": None}})
    assert ExperimentConfig.model_validate_json(resolved.model_dump_json()) == resolved


def test_nobody_is_folded_into_a_model_that_is_read_from_files(faults: Faults) -> None:
    split = "{strategy: files, test: a.tsv, visible: b.tsv}"
    text = f"name: x\nof: recommendations\nmodels: {{old: {{lists: a.csv}}}}\nevaluation: {{split: {split}}}\n"
    (line,) = faults(text)
    assert line.startswith("c.yaml:4: evaluation.split.visible: is for models that are trained")


def test_key_of_own_files_needs_name_file(faults: Faults) -> None:
    (line,) = faults(SMALL + "dataset: {header: true}\n")
    assert line.startswith("c.yaml:4: dataset.header: ")


def test_model_cannot_have_the_name_of_a_reference_recommender(faults: Faults) -> None:
    (line,) = faults("name: x\nmodels:\n  ease: {factors: 2, iterations: 3}\n")
    assert line.startswith("c.yaml:3: models.ease: is the name of a reference recommender")


def test_planned_looks_need_two_models(faults: Faults) -> None:
    (line,) = faults(SMALL + "replicates: {looks: [4, 6]}\n")
    assert line.startswith("c.yaml:4: replicates: planned looks compare models, and there is only one; add a model")


def test_balanced_fit_is_checked_only_at_balanced_iterations(faults: Faults) -> None:
    (line,) = faults(SMALL, "models.k2.acceleration=balanced", "models.k2.stop={when: steady, every: 12}")
    assert "models.k2.stop.every: found 12; expected a multiple of 5" in line
