"""Data that are odd and legitimate go through the whole; names that are hostile stay names."""

import json
import re
import shutil
from typing import Any

import pytest
import yaml

from tasks.tracking import artifacts, runs
from tests.conftest import needed
from tests.faults.lab import Lab

MODELS = {"k2": {"factors": 2, "iterations": 2}, "k3": {"factors": 3, "iterations": 2}}
NAME = '<script>document.title="run"</script>'
QUERIES = {"users": [0], "items": [0], "recommend_for": [0]}


def odd(lab: Lab, rows: list[tuple[object, object, object]], **changes: Any) -> dict[str, Any]:
    """What a run of one's own ratings prints."""
    text = "user,item,rating\n" + "".join(f"{user},{item},{rating}\n" for user, item, rating in rows)
    (lab.folder / "ratings.csv").write_text(text, encoding="utf-8")
    config = {
        "name": "odd",
        "dataset": {"name": "file", "path": "ratings.csv"},
        "preprocess": {"min_rating": None},
        "models": MODELS,
        "replicates": 3,
        "queries": QUERIES,
        "evaluation": None,
        "execution": {"system_metrics": False},
    }
    (lab.folder / "config.yaml").write_text(yaml.safe_dump(config | changes))
    done = lab.run()
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    shown = lab.run("show", "latest")
    assert shown.returncode == 0, shown.stderr
    return printed


def test_one_user_and_one_item(lab: Lab) -> None:
    found = odd(lab, [(1, 1, 5)], replicates=2)
    assert (found["summary"]["users"], found["summary"]["items"]) == (1, 1)
    assert all(query["models"] == {"k2": [], "k3": []} for query in found["queries"])


def test_lists_longer_than_there_are_items(lab: Lab) -> None:
    found = odd(lab, [(user, item, 5) for user in range(4) for item in range(user % 2, 3)], replicates=2)
    (recommended,) = [query for query in found["queries"] if query["target"] == "recommendations"]
    assert len(recommended["models"]["k2"]) <= 3
    assert {row["depth"] for row in found["comparison"]} >= {5, 100}


def test_users_emptied_by_the_split_are_counted(lab: Lab) -> None:
    rows = [(user, user % 3, 5) for user in range(6)]
    odd(lab, rows, evaluation={"split": {"test_fraction": 0.5}, "replicates": 2, "cutoffs": [5]})
    held_out = [run for run in lab.complete() if runs.run_ref(run).role == "evaluation"]
    assert {run.data.metrics["users_without_train"] for run in held_out} == {3}


def test_ids_of_every_kind_and_names_that_are_markup_stay_what_they_are(lab: Lab) -> None:
    ids = [-1, 2**31, 2**62, "007", "[red]x[/red]", NAME, "a|b", "**bold**", "$(reboot)", "=1+1", "é"]
    rows = [(user, item, 5) for place, user in enumerate(ids) for item in ids[place % 3 :: 2]]
    found = odd(lab, rows, queries={"users": [5], "items": [3], "recommend_for": [1]})
    (users,) = [query for query in found["queries"] if query["target"] == "users"]
    assert users["raw_id"] == NAME
    assert {entry["raw_id"] for entry in users["models"]["k2"]} <= {str(each) for each in ids}
    parent = found["parent_id"]
    report = artifacts.read_artifact(lab.client(), parent, "report.html").read_text(encoding="utf-8")
    assert "<script>document" not in report
    assert "&lt;script&gt;document" in report
    figures = artifacts.read_artifact(lab.client(), parent, "figures/candidates-user_5.svg").read_text(encoding="utf-8")
    assert "<script>" not in figures
    similar = lab.run("similar", "latest", "--user", NAME, "--raw", "--json")
    assert similar.returncode == 0, similar.stderr
    assert json.loads(similar.stdout)["index"] == 5
    check_in_a_browser(lab, report)


def check_in_a_browser(lab: Lab, report: str) -> None:
    import subprocess

    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    needed(browser, "chromium")
    page = lab.folder / "report.html"
    page.write_text(report, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={lab.folder / 'browser'}"]
    shown = subprocess.run(
        [str(browser), *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    ).stdout
    title = re.search(r"<title>(.*?)</title>", shown)
    assert title is not None
    assert title[1] != "run"


@pytest.mark.parametrize(
    "name",
    ["../escape", "/etc/passwd", "..", "a/b", "a\\b", "a\x00b", "a" * 300, "", " ", "ä", "a b", "-a", "a\nb"],
)
def test_a_name_that_could_leave_its_folder_is_refused(lab: Lab, name: str) -> None:
    for changes in ({"name": name}, {"models": {name: {"factors": 2, "iterations": 1}}}):
        lab.configure(**changes)
        lab.fails(2, arguments=("check", "config.yaml"))
    assert list(lab.home.glob("*")) == []
