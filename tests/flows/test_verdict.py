"""The answer, its report and `compare`, on a small data set whose models differ by construction."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tasks.tracking import search, store

CONFIG = """
name: small
dataset: {name: file, path: small.csv}
models:
  k2: {factors: 2, iterations: 3}
  k12: {factors: 12, iterations: 6}
  same: {factors: 2, iterations: 3}
replicates: 6
queries: {users: [3], items: [4], recommend_for: [0], n: 5}
comparison: {depths: [5, 10]}
evaluation: {replicates: 5, cutoffs: [10]}
"""


@dataclass(frozen=True)
class Done:
    """An experiment that was run by the command line."""

    folder: Path
    env: dict[str, str]
    printed: dict[str, Any]
    client: MlflowClient

    def latentlab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> Done:
    import os

    folder = tmp_path_factory.mktemp("verdict")
    rng = np.random.default_rng(3)
    taste = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 50))
    users, items = np.nonzero(taste > np.quantile(taste, 0.75))
    pd.DataFrame({"user": users, "item": items, "rating": 5}).to_csv(folder / "small.csv", index=False)
    (folder / "config.yaml").write_text(CONFIG)
    unset = {"LATENTLAB_HOME", "LATENTLAB_CATALOGUE", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"}
    env = {key: value for key, value in os.environ.items() if key not in unset}
    env |= {"PREFECT_API_URL": api_url, "PREFECT_HOME": str(folder / "prefect"), "COLUMNS": "80"}
    empty = Done(folder, env, {}, None)  # type: ignore[arg-type]
    ran = empty.latentlab("run", "config.yaml", "--json")
    assert ran.returncode == 0, ran.stderr
    return Done(folder, env, json.loads(ran.stdout), store.open_store(f"sqlite:///{folder}/mlflow.db"))


def test_the_answer_of_the_primary_endpoint_comes_first(done: Done) -> None:
    answers = done.printed["answers"]
    assert (answers[0]["target"], answers[0]["a"], answers[0]["b"]) == ("user_3", "k2", "k12")
    family = [each for each in answers if each["p_holm"] is not None]
    assert len(family) == 8  # four endpoints, against each of two models
    assert {each["verdict"] is None for each in family} == {False}
    k12 = {each["target"]: each for each in family if each["b"] == "k12"}
    assert k12["users"]["verdict"] == "different-meaningfully"
    assert k12["users"]["p"] == 1 / 462
    same = {each["target"]: each for each in family if each["b"] == "same"}
    assert same["users"]["delta"] < 0.2 * k12["users"]["delta"]


def test_delta_is_what_the_printed_overlaps_give(done: Done) -> None:
    rows = {(row["target"], row["depth"], row["a"], row["b"]): row["overlap"] for row in done.printed["comparison"]}
    for each in done.printed["answers"]:
        if each["n"] in (5, 10):
            a, b = each["a"], each["b"]
            between = rows.get((each["target"], each["n"], a, b), rows.get((each["target"], each["n"], b, a)))
            assert between is not None
            within = (rows[each["target"], each["n"], a, a] + rows[each["target"], each["n"], b, b]) / 2
            assert each["delta"] == pytest.approx(within - between)


def test_mlflow_holds_the_numbers_and_the_verdicts(done: Done) -> None:
    run = done.client.get_run(done.printed["parent_id"])
    first = done.printed["answers"][0]
    assert run.data.metrics["delta.user_3_at_5.k2_vs_k12"] == pytest.approx(first["delta"])
    assert run.data.metrics["p.user_3_at_5.k2_vs_k12"] == pytest.approx(first["p"])
    assert run.data.metrics["p_holm.user_3_at_5.k2_vs_k12"] == pytest.approx(first["p_holm"])
    assert run.data.tags["latentlab.verdict"] == first["verdict"]
    assert run.data.tags["latentlab.verdict.users.k2_vs_k12"] == "different-meaningfully"
    assert "latentlab.verdict.users.k12_vs_same" not in run.data.tags
    note = run.data.tags["mlflow.note.content"]
    assert first["sentence"] in note
    assert "| k12 | 12 | 6 |" in note
    figures = {file.path for file in done.client.list_artifacts(run.info.run_id, "figures")}
    assert {"figures/intervals.svg", "figures/candidates-user_3.svg", "figures/runs-users.svg"} <= figures


def test_prefect_shows_the_answer(done: Done) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    with get_client(sync_client=True) as prefect:
        found = prefect.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["verdict"])))
    texts = [str(artifact.data) for artifact in found]
    assert any(done.printed["answers"][0]["sentence"] in text and "| users | 5 | k2 | k12 |" in text for text in texts)


def test_accuracy_is_tested_over_users_and_seeds(done: Done) -> None:
    tests = {(each["metric"], each["b"]): each for each in done.printed["accuracy_tests"]}
    metrics = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10")
    assert set(tests) == {(metric, b) for metric in metrics for b in ("k12", "same")}
    means = {(row["model"], row["metric"]): row["mean"] for row in done.printed["accuracy"]}
    for (metric, b), each in tests.items():
        assert each["mean_b"] == pytest.approx(means[b, metric])
        assert each["low_95"] <= each["difference"] <= each["high_95"]
        assert each["p_seeds"] is not None


def test_the_terminal_shows_the_sentence_and_a_line_an_endpoint(done: Done) -> None:
    shown = done.latentlab("show", "small")
    assert shown.returncode == 0
    flat = " ".join(shown.stdout.split())
    assert done.printed["answers"][0]["sentence"] in flat
    assert "users: different-meaningfully" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "…" not in shown.stdout.partition("Agreement")[0]


def test_compare_answers_from_runs_that_exist(done: Done) -> None:
    before = len(search.our_runs(done.client))
    compared = done.latentlab("compare", "small/k12", "small/same", "--json")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert list(found["models"]) == ["k12", "same"]
    of_all = {(each["target"], each["a"], each["b"]): each for each in done.printed["answers"]}
    for each in found["answers"]:
        assert each["delta"] == pytest.approx(of_all[each["target"], "k12", "same"]["delta"])
        assert each["p"] == of_all[each["target"], "k12", "same"]["p"]
    assert found["answers"][0]["p_holm"] is not None
    assert len(search.our_runs(done.client)) == before + 1  # its parent; nothing was trained


def test_two_single_runs_are_described_and_not_tested(done: Done) -> None:
    compared = done.latentlab("compare", "small/k12/0", "small/k12/1", "--json")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert found["answers"] == []
    assert list(found["models"]) == ["k12-0", "k12-1"]
    assert {row["pairs"] for row in found["comparison"] if row["a"] != row["b"]} == {1}


@pytest.mark.parametrize(
    ("a", "b", "code", "message"),
    [
        ("small/k2", "small/k2", 2, "are the same runs"),
        ("small/k2", "small/k99", 2, "no finished comparison used it; models there: k12, k"),
        ("small/k2", "elsewhere", 5, "there is no experiment 'elsewhere'"),
    ],
)
def test_what_cannot_be_compared_is_told(done: Done, a: str, b: str, code: int, message: str) -> None:
    compared = done.latentlab("compare", a, b)
    assert (compared.returncode, message in compared.stderr) == (code, True), compared.stderr


def test_other_data_are_refused(done: Done) -> None:
    frame = pd.read_csv(done.folder / "small.csv")
    frame.iloc[:-5].to_csv(done.folder / "fewer.csv", index=False)
    changed = ["name=fewer", "dataset.path=fewer.csv", "replicates=1", "models={k2: {factors: 2, iterations: 3}}"]
    sets = [word for each in changed for word in ("--set", each)]
    ran = done.latentlab("run", "config.yaml", *sets, "--set", "evaluation=null")
    assert ran.returncode == 0, ran.stderr
    compared = done.latentlab("compare", "small/k2", "fewer/k2")
    assert compared.returncode == 2
    assert "lists of different data cannot be compared" in compared.stderr


def test_the_report_in_a_browser(done: Done) -> None:
    """On a phone: the verdict and every figure are there, nothing is wider than the page, the console is silent."""
    import os

    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium; CI runs this test")
        pytest.skip("no chromium on this machine")
    told = done.latentlab("report", done.printed["parent_id"], "--json")
    report = Path(json.loads(told.stdout)["report"]).read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|#)', report) == []
    measured = """<script>
    document.documentElement.style.width = "390px";  // chromium's windows are 500 wide at least
    const seen = figure => figure.querySelector("svg").getBoundingClientRect().height > 50;
    const told = figure => figure.querySelector("[role=img]").ariaLabel;
    document.body.dataset.wider = document.body.scrollWidth > 390;
    document.body.dataset.figures = [...document.querySelectorAll("figure")].filter(f => seen(f) && told(f)).length;
    </script></body>"""
    page = done.folder / "page.html"
    page.write_text(report.replace("</body>", measured), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=390,844"]
    command = [browser, *flags, f"--user-data-dir={done.folder / 'browser'}", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in shown.stderr
    assert 'data-wider="false"' in shown.stdout
    figures = report.count("<figure")
    assert figures >= 9
    assert f'data-figures="{figures}"' in shown.stdout
    assert done.printed["answers"][0]["sentence"].split(":")[0] in shown.stdout
