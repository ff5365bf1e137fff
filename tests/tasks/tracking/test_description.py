"""Descriptions of comparisons and of registered versions."""

import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
from mlflow import MlflowClient

from tasks.core.formatting import split_answer
from tasks.core.planning.runs import EVALUATION, MODEL, RunRef
from tasks.tracking.experiments import open_experiment
from tasks.tracking.ui.description import describe_comparison, describe_version, links
from tests.tasks.reporting.small_result import small_result
from tests.tasks.tracking.helpers import Fit


@pytest.fixture
def runs(fit: Fit) -> list[RunRef]:
    """Two fits of each of two models, and an evaluation fit."""
    refs = [RunRef(fit(f"{model}{i}", model=model, replicate=i), model, i, MODEL, "") for model in "ab" for i in (1, 0)]
    return [*refs, RunRef(fit("held out", model="a", role=EVALUATION), "a", 0, EVALUATION, "")]


def test_the_answer_comes_first_then_the_fits_then_the_tests(client: MlflowClient, runs: list[RunRef]) -> None:
    result = small_result()
    answer = replace(result.answers[0], sentence="a and b differ: 1.2 of 5 are replaced. Holm-adjusted p: 0.03.")
    result = replace(result, parent_id=runs[0].run_id, runs=runs, answers=[answer])
    first, fits, tests, *_ = describe_comparison(client, result).split("\n\n")
    assert first == "a and b differ: 1.2 of 5 are replaced."
    assert fits.startswith("Fits used: [5 fits in a table](#/experiments/")
    assert tests.startswith("Holm-adjusted p: 0.03.")


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("A and B differ: 2.5 of 5 (0.3 to 2.1). Holm-adjusted p: 0.1.", "A and B differ: 2.5 of 5 (0.3 to 2.1)."),
        ("One sentence.", "One sentence."),
        ("No full stop", "No full stop"),
    ],
)
def test_a_decimal_point_ends_no_sentence(sentence: str, answer: str) -> None:
    assert split_answer(sentence) == (answer, sentence.removeprefix(answer).strip())


def test_the_links_name_every_fit_and_the_first_of_each_model(client: MlflowClient, runs: list[RunRef]) -> None:
    table, side_by_side = (unquote(link) for link in re.findall(r"\((#[^)]*)\)", links(client, runs)))
    assert all(f"'{run.run_id}'" in table for run in runs)
    assert f'runs=["{runs[1].run_id}", "{runs[3].run_id}"]' in side_by_side


def test_the_links_to_many_fits_lead_to_the_comparisons_that_contain_them(
    client: MlflowClient, runs: list[RunRef]
) -> None:
    text = links(client, [replace(runs[0], replicate=i) for i in range(60)])
    assert re.findall(r"\[(.*?)\]\(#/experiments/\d+/runs/(\w+)\?", text) == [("fits of comparison 1", "parent")]


def test_fits_of_two_experiments_have_a_table_each(client: MlflowClient, uri: str, runs: list[RunRef]) -> None:
    elsewhere = client.create_run(open_experiment(client, uri, "other"), tags={"mlflow.parentRunId": "x"}).info.run_id
    text = links(client, [*runs[:2], RunRef(elsewhere, "c", 0, MODEL, "")])
    assert re.findall(r"\[(.*?) in a table\]", text) == ["2 fits", "1 fit"]


def test_a_version_names_settings_data_accuracy_and_verdict() -> None:
    models = {"a": {"factors": 2, "iterations": 15, "regularization": 0.01, "alpha": 1.0}}
    settings, accuracy, verdict = describe_version(small_result(models=models | {"b": {}}), "a").split("\n\n")
    assert settings.startswith("ALS, k=2, 15 iterations, regularization=0.01, alpha=1; fitted to file (3 users")
    assert accuracy == "Held-out accuracy, mean over 2 seeds with these settings: ndcg_at_10 0.2500."
    assert verdict == "The answer."
