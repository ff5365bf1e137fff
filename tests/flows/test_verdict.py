"""The answer of an experiment, its report, and `compare` of its models: one of them differs by construction.

All tests share one experiment of 33 fits.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store
from tests.command_line import CommandLine, answer_of, command_line

CONFIG = """
name: small
dataset: {name: file, path: small.csv}
preprocess: {min_rating: 4}
models:
  k2: {factors: 2, iterations: 3}
  k12: {factors: 12, iterations: 6}
  same: {factors: 2, iterations: 3}
replicates: 6
queries: {users: [3], items: [4], recommend_for: [0], n: 5}
comparison: {depths: [5, 10]}
evaluation: {replicates: 5, cutoffs: [10]}
"""
MEASURE_PAGE = """<script>
document.documentElement.style.width = "390px";  // chromium's windows are 500 wide at least
const visible = figure => [...figure.querySelectorAll("svg")].some(svg => svg.getBoundingClientRect().height > 50);
const described = figure => figure.querySelector("[role=img]").ariaLabel;
document.body.dataset.wider = document.body.scrollWidth > 390;
document.body.dataset.figures = [...document.querySelectorAll("figure")].filter(f => visible(f) && described(f)).length;
</script></body>"""


@dataclass(frozen=True)
class Experiment:
    """An experiment that is done, and what its command printed."""

    commands: CommandLine
    printed: dict[str, Any]
    client: MlflowClient


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory, api_url: str, empty_store: Path) -> Experiment:
    """Six seeds of three models for the lists, and five for the accuracy; run by a process."""
    folder = tmp_path_factory.mktemp("verdict")
    rng = np.random.default_rng(3)
    taste = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 50))
    users, items = np.nonzero(taste > np.quantile(taste, 0.75))
    pd.DataFrame({"user": users, "item": items, "rating": 5}).to_csv(folder / "small.csv", index=False)
    (folder / "config.yaml").write_text(CONFIG)
    shutil.copy(empty_store, folder / "mlflow.db")
    commands = command_line(folder, api_url, columns=80)
    printed = answer_of(commands.run("run", "config.yaml", "--json"))
    return Experiment(commands, printed, open_store(commands.store))


def test_the_primary_endpoint_comes_first(experiment: Experiment) -> None:
    answer = experiment.printed["answers"][0]
    assert (answer["target"], answer["a"], answer["b"]) == ("user_3", "k2", "k12")


def test_four_endpoints_against_each_of_two_models_have_a_verdict(experiment: Experiment) -> None:
    family = [answer for answer in experiment.printed["answers"] if answer["p_holm"] is not None]
    assert len(family) == 8
    assert {answer["verdict"] is None for answer in family} == {False}


def test_models_of_different_size_differ_more_than_models_of_the_same_settings(experiment: Experiment) -> None:
    family = [answer for answer in experiment.printed["answers"] if answer["p_holm"] is not None]
    users = {answer["b"]: answer for answer in family if answer["target"] == "users"}
    assert users["k12"]["verdict"] == "different-meaningfully"
    assert users["k12"]["p"] == 1 / 462
    assert users["same"]["delta"] < 0.2 * users["k12"]["delta"]


def test_delta_follows_from_the_printed_overlaps(experiment: Experiment) -> None:
    printed = experiment.printed
    overlaps = {(row["target"], row["depth"], row["a"], row["b"]): row["overlap"] for row in printed["comparison"]}
    for answer in printed["answers"]:
        if answer["n"] in (5, 10):
            endpoint, a, b = (answer["target"], answer["n"]), answer["a"], answer["b"]
            between = overlaps.get((*endpoint, a, b), overlaps.get((*endpoint, b, a)))
            assert between is not None
            within = (overlaps[*endpoint, a, a] + overlaps[*endpoint, b, b]) / 2
            assert answer["delta"] == pytest.approx(within - between)


def test_the_parent_run_holds_the_answers_as_metrics(experiment: Experiment) -> None:
    metrics = experiment.client.get_run(experiment.printed["parent_id"]).data.metrics
    first = experiment.printed["answers"][0]
    assert metrics["delta/user_3_at_5.k2_vs_k12"] == pytest.approx(first["delta"])
    assert metrics["p/user_3_at_5.k2_vs_k12"] == pytest.approx(first["p"])
    assert metrics["p_holm/user_3_at_5.k2_vs_k12"] == pytest.approx(first["p_holm"])


def test_the_parent_run_holds_the_verdicts_as_tags(experiment: Experiment) -> None:
    tags = experiment.client.get_run(experiment.printed["parent_id"]).data.tags
    assert tags["latentlab.verdict"] == experiment.printed["answers"][0]["verdict"]
    assert tags["latentlab.verdict.users.k2_vs_k12"] == "different-meaningfully"
    assert "latentlab.verdict.users.k12_vs_same" not in tags


def test_the_description_of_the_parent_run_is_the_answer_and_a_table_of_the_models(experiment: Experiment) -> None:
    run = experiment.client.get_run(experiment.printed["parent_id"])
    description = run.data.tags["mlflow.note.content"]
    answer, *tests = experiment.printed["answers"][0]["sentence"].partition(". ")[::2]
    assert description.startswith(answer)
    assert all(text in description for text in tests)
    assert "| k12 | 12 | 6 |" in description


def test_the_parent_run_has_the_figures(experiment: Experiment) -> None:
    files = experiment.client.list_artifacts(experiment.printed["parent_id"], "figures")
    assert {"figures/intervals.svg", "figures/candidates-user_3.svg", "figures/runs-users.svg"} <= {
        file.path for file in files
    }


def test_prefect_shows_the_answer(experiment: Experiment) -> None:
    with get_client(sync_client=True) as prefect:
        key = ArtifactFilter(key=ArtifactFilterKey(any_=["verdict-small"]))
        shown = prefect.read_artifacts(artifact_filter=key)
    sentence = experiment.printed["answers"][0]["sentence"]
    tables = [str(artifact.data) for artifact in shown if str(artifact.description).startswith(sentence)]
    assert tables
    assert all("| users | different-meaningfully | 5 | k2 | k12 |" in table for table in tables)


def test_accuracy_is_tested_over_users_and_seeds(experiment: Experiment) -> None:
    tests = {(test["metric"], test["b"]): test for test in experiment.printed["accuracy_tests"]}
    metrics = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10")
    assert set(tests) == {(metric, b) for metric in metrics for b in ("k12", "same")}
    means = {(row["model"], row["metric"]): row["mean"] for row in experiment.printed["accuracy"]}
    for (metric, b), test in tests.items():
        assert test["mean_b"] == pytest.approx(means[b, metric])
        assert test["low_95"] <= test["difference"] <= test["high_95"]
        assert test["seeds"] == 5
        assert 0 < test["p_difference"] <= test["p_holm"] <= 1
        assert test["p_equivalent"] <= test["p_equivalent_holm"]


def test_the_terminal_shows_the_sentence_and_a_line_for_each_endpoint(experiment: Experiment) -> None:
    done = experiment.commands.run("show", "small")
    assert done.returncode == 0
    assert experiment.printed["answers"][0]["sentence"] in " ".join(done.stdout.split())
    assert "users: different-meaningfully" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout.partition("Agreement")[0]


def test_compare_gives_the_same_answers_and_trains_nothing(experiment: Experiment) -> None:
    before = len(our_runs(experiment.client))
    compared = experiment.commands.answer("compare", "small/k12", "small/same")
    assert list(compared["models"]) == ["k12", "same"]
    answers = {(answer["target"], answer["a"], answer["b"]): answer for answer in experiment.printed["answers"]}
    for answer in compared["answers"]:
        expected = answers[answer["target"], "k12", "same"]
        assert answer["delta"] == pytest.approx(expected["delta"])
        assert answer["p"] == expected["p"]
    assert compared["answers"][0]["p_holm"] is not None
    assert len(our_runs(experiment.client)) == before + 1, "the parent of the comparison"


def test_compare_describes_two_single_runs_without_a_test(experiment: Experiment) -> None:
    compared = experiment.commands.answer("compare", "small/k12/0", "small/k12/1")
    assert compared["answers"] == []
    assert list(compared["models"]) == ["k12-0", "k12-1"]
    assert {row["pairs"] for row in compared["comparison"] if row["a"] != row["b"]} == {1}


@pytest.mark.parametrize(
    ("a", "b", "code", "message"),
    [
        ("small/k2", "small/k2", 2, "are the same runs"),
        ("small/k2", "small/k99", 2, "no finished comparison used it; models there: k12, k"),
        ("small/k2", "elsewhere", 5, "there is no experiment 'elsewhere'"),
    ],
)
def test_compare_refuses_what_is_not_two_models(
    experiment: Experiment, a: str, b: str, code: int, message: str
) -> None:
    assert message in experiment.commands.failure(code, "compare", a, b)


def test_compare_refuses_models_of_different_data(experiment: Experiment) -> None:
    folder = experiment.commands.folder
    pd.read_csv(folder / "small.csv").iloc[:-5].to_csv(folder / "fewer.csv", index=False)
    changed = {
        "name": "fewer",
        "dataset.path": "fewer.csv",
        "replicates": "1",
        "models": "{k2: {factors: 2, iterations: 3}}",
        "evaluation": "null",
    }
    experiment.commands.answer("run", "config.yaml", *(f"--set={key}={value}" for key, value in changed.items()))
    message = experiment.commands.failure(2, "compare", "small/k2", "fewer/k2")
    assert "lists of different data cannot be compared" in message


def test_the_report_on_a_phone_shows_every_figure_and_is_not_wider_than_the_page(experiment: Experiment) -> None:
    """The verdict is shown, nothing is loaded from elsewhere, and the console of the browser stays empty."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium; CI runs this test")
        pytest.skip("no chromium on this machine")
    printed = answer_of(experiment.commands.run("report", experiment.printed["parent_id"], "--json"))
    report = Path(printed["report"]).read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|#)', report) == []
    folder = experiment.commands.folder
    page = folder / "page.html"
    page.write_text(report.replace("</body>", MEASURE_PAGE), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=390,844"]
    command = [browser, *flags, f"--user-data-dir={folder / 'browser'}", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in shown.stderr
    assert 'data-wider="false"' in shown.stdout
    figures = report.count("<figure")
    assert figures >= 9
    assert f'data-figures="{figures}"' in shown.stdout
    assert experiment.printed["answers"][0]["sentence"].split(":")[0] in shown.stdout
