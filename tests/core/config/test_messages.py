"""Messages for pydantic's errors: one line for each fault."""

import pytest

from tests.core.config.small_config import SMALL, Faults


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "evaluation: {k: 5}\n",
            "c.yaml:4: evaluation.k: unknown key; it is called 'cutoffs' here",
        ),
        ("epochs: 5\n", "c.yaml:4: epochs: unknown key; a setting of a model: models.NAME.iterations"),
        ("factors: 5\n", "c.yaml:4: factors: unknown key; a setting of a model: models.NAME.factors"),
        ("topk: 5\n", "c.yaml:4: topk: unknown key; allowed keys: name, "),
        (
            "evaluation: {test_size: 0.1}\n",
            "c.yaml:4: evaluation.test_size: unknown key; it is called evaluation.split.test_fraction here",
        ),
        (
            "evaluation: {weight: 5}\n",
            "c.yaml:4: evaluation.weight: unknown key; allowed keys: split, part, replicates, cutoffs, repeats",
        ),
        (
            "dataset: {name: file, path: r.csv, columns: {usr: 0, rating: null}}\n",
            "c.yaml:4: dataset.columns.usr: unknown key; did you mean 'user'?",
        ),
        ("queries: [10]\n", "c.yaml:4: queries: found [10]; expected keys and values"),
        ("queries: {users: 10}\n", "c.yaml:4: queries.users: found 10; expected a list"),
        ("queries: {users: [10, ten]}\n", "c.yaml:4: queries.users.1: found 'ten'; expected a whole number"),
        ("comparison: {depths: []}\n", "c.yaml:4: comparison.depths: found []; expected at least one entry"),
        ("replicates: many\n", "c.yaml:4: replicates: found 'many'; expected a whole number"),
    ],
)
def test_fault_has_one_line_with_position_key_found_and_expected(text: str, line: str, faults: Faults) -> None:
    (fault,) = faults(SMALL + text)
    assert fault.startswith(line)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evaluation: {split: {strategy: tim}}", ["evaluation.split.strategy: found 'tim'", "did you mean 'time'"]),
        ("evaluation: {split: {strategy: time, test_count: 3}}", ["evaluation.split.test_count: unknown key"]),
        ("evaluation: {split: {strategy: files}}", ["evaluation.split.test: is missing"]),
        ("evaluation: {split: {strategy: files, test: a, columns: {usr: 1}}}", ["split.columns.usr", "'user'"]),
        (
            "evaluation: {split: {strategy: folds, folds: 1}}",
            ["evaluation.split.folds: found 1; expected greater than or equal to 2"],
        ),
        ("evaluation: {split: {strategy: folds, by: items}}", ["evaluation.split.by: found 'items'", "'users'"]),
        ("evaluation: {split: 0.2}", ["evaluation.split: found 0.2; expected keys and values"]),
        ("preprocess: {confidence: ratng}", ["confidence: found 'ratng'", "did you mean 'rating'"]),
        ("preprocess: {confidence: {transform: linear}}", ["preprocess.confidence.alpha: is missing"]),
        ("preprocess: {confidence: {transform: linear, alpha: 0}}", ["alpha: found 0; expected greater than 0"]),
        ("preprocess: {k_core: 0}", ["preprocess.k_core: found 0"]),
        ("queries: {users: [{id: a, ix: b}]}", ["queries.users.0.ix: unknown key; allowed keys: id"]),
        ("queries: {users: [1, {id: null}]}", ["queries.users.1.id: found None; expected text"]),
        ("queries: {items: [{id: ''}]}", ["queries.items.0.id: found ''"]),
        ("queries: {recommend_for: [{}]}", ["queries.recommend_for.0.id: is missing"]),
        ("tuned: {settings: [alpa], by: x.yaml}", ["tuned.settings.0: found 'alpa'", "did you mean 'alpha'"]),
    ],
)
def test_fault_in_a_union_has_one_line_without_the_tags_of_pydantic(
    text: str, words: list[str], faults: Faults
) -> None:
    (line,) = faults(f"{SMALL}\n{text}\n")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("{until: all}", "replicates.looks: is missing"),
        ("{looks: [4, 6], untl: all}", "replicates.untl: unknown key; did you mean 'until'?"),
        ("{looks: [4, 6], until: primry}", "replicates.until: found 'primry'; expected 'primary' or 'all'; did you"),
        ("{looks: [6]}", "replicates.looks: found [6]; expected at least 2 entries"),
        ("{looks: [6, 4]}", "replicates.looks: found [6, 4]; expected increasing numbers without repeats"),
        ("{looks: [1, 4]}", "replicates.looks.0: found 1; expected greater than or equal to 2"),
        ("{looks: [4, many]}", "replicates.looks.1: found 'many'; expected a whole number"),
    ],
)
def test_fault_in_planned_looks_has_one_line(value: str, line: str, faults: Faults) -> None:
    (fault,) = faults(f"{SMALL}  k3: {{factors: 3, iterations: 3}}\nreplicates: {value}\n")
    assert fault.startswith(f"c.yaml:5: {line}")


def test_model_named_like_a_type_keeps_its_key_path(faults: Faults) -> None:
    (line,) = faults("name: x\nmodels:\n  int: {factors: 0, iterations: 1}\n")
    assert line.startswith("c.yaml:3: models.int.factors: ")


def test_column_that_is_neither_index_nor_name_is_one_fault(faults: Faults) -> None:
    own_file = SMALL + "dataset: {name: file, path: r.csv}\npreprocess: {min_rating: 4}\n"
    assert len(faults(own_file, "dataset.columns.user=-1")) == 1


def test_a_setting_under_another_name_is_one_fault_and_not_a_missing_key_too(faults: Faults) -> None:
    found = faults("name: small\ndataset: {name: synthetic-100k}\nmodels: {k2: {rank: 2, max_iter: 2, reg: 0.1}}\n")
    assert [fault.split("models.k2.")[1] for fault in found] == [
        "rank: unknown key; it is called 'factors' here",
        "max_iter: unknown key; it is called 'iterations' here",
        "reg: unknown key; it is called 'regularization' here",
    ]


def test_a_key_that_is_missing_is_said_beside_other_unknown_keys(faults: Faults) -> None:
    found = faults("name: small\ndataset: {name: synthetic-100k}\nmodels: {k2: {reg: 2, iterations: 2}}\n")
    assert [fault.split("models.k2.")[1].split(":")[0] for fault in found] == ["factors", "reg"]


@pytest.mark.parametrize(
    ("value", "example"),
    [
        ("movielens-100k", "{name: movielens-100k}"),
        ("ratings.csv", "{name: file, path: ratings.csv}"),
        ("data/ratings", "{name: file, path: data/ratings}"),
    ],
)
def test_a_data_set_that_is_a_path_is_not_taken_for_a_name(faults: Faults, value: str, example: str) -> None:
    (fault,) = faults(f"name: small\ndataset: {value}\nmodels: {{k2: {{factors: 2, iterations: 2}}}}\n")
    assert fault.endswith(f"expected keys and values, such as {example}")


def test_a_misspelt_section_of_an_override_is_reported_as_one_of_the_override(faults: Faults) -> None:
    (fault,) = faults(SMALL, "model.k2.iterations=3")
    assert fault == "--set model.k2.iterations=3: model: unknown key; did you mean 'models'?"


@pytest.mark.parametrize("steps", ["steps", "num_iters", "num_iterations"])
def test_steps_are_iterations_and_not_a_misspelt_stop(faults: Faults, steps: str) -> None:
    (fault,) = faults(SMALL, f"models.k2.{steps}=3")
    assert fault.endswith("unknown key; it is called 'iterations' here")
