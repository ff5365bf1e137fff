"""Keys that are valid by themselves but not together."""

import pytest

from tests.core.config.small_config import SMALL, Faults


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
    ],
)
def test_disagreement_is_one_fault(text: str, words: list[str], faults: Faults) -> None:
    (line,) = faults(f"{SMALL}\n{text}\n")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dataset: {name: file}\n", "c.yaml:4: dataset: `name: file` needs a `path`"),
        ("dataset: {name: x, header: false}\n", "c.yaml:4: dataset.header: is for `name: file` only"),
    ],
)
def test_dataset_keys_must_match_its_name(text: str, line: str, faults: Faults) -> None:
    (fault,) = faults(SMALL + text)
    assert fault.startswith(line)


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
