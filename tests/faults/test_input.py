"""Unusual but valid data pass through every step; hostile names cannot leave their folder or become markup."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tasks.tracking.artifacts import RunFiles
from tasks.tracking.runs import run_ref
from tests.conftest import require
from tests.faults.workspace import Workspace

MODELS = {"k2": {"factors": 2, "iterations": 2}, "k3": {"factors": 3, "iterations": 2}}
NAME = '<script>document.title="run"</script>'
QUERIES = {"users": [0], "items": [0], "recommend_for": [0]}


def run_own_ratings(workspace: Workspace, rows: list[tuple[object, object, object]], **changes: Any) -> dict[str, Any]:
    """Run an experiment on ratings of one's own, show it, and return what the run printed."""
    text = "user,item,rating\n" + "".join(f"{user},{item},{rating}\n" for user, item, rating in rows)
    (workspace.folder / "ratings.csv").write_text(text, encoding="utf-8")
    config = {
        "name": "odd",
        "dataset": {"name": "file", "path": "ratings.csv"},
        "preprocess": {"min_rating": None},
        "models": MODELS,
        "replicates": 2,
        "queries": QUERIES,
        "evaluation": None,
        "execution": {"system_metrics": False},
    }
    (workspace.folder / "config.yaml").write_text(yaml.safe_dump(config | changes))
    done = workspace.run()
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    shown = workspace.run("show", "latest")
    assert shown.returncode == 0, shown.stderr
    return printed


def test_one_user_and_one_item(workspace: Workspace) -> None:
    printed = run_own_ratings(workspace, [(1, 1, 5)])
    assert (printed["summary"]["users"], printed["summary"]["items"]) == (1, 1)
    assert all(query["models"] == {"k2": [], "k3": []} for query in printed["queries"])


def test_lists_longer_than_the_number_of_items(workspace: Workspace) -> None:
    rows = [(user, item, 5) for user in range(4) for item in range(user % 2, 3)]
    printed = run_own_ratings(workspace, rows)
    (recommended,) = [query for query in printed["queries"] if query["target"] == "recommendations"]
    assert len(recommended["models"]["k2"]) <= 3
    assert {row["depth"] for row in printed["comparison"]} >= {5, 100}


def test_users_without_train_interactions_are_counted(workspace: Workspace) -> None:
    rows = [(user, user % 3, 5) for user in range(6)]
    run_own_ratings(workspace, rows, evaluation={"split": {"test_fraction": 0.5}, "replicates": 2, "cutoffs": [5]})
    held_out = [run for run in workspace.complete_runs() if run_ref(run).role == "evaluation"]
    assert {run.data.metrics["users_without_train"] for run in held_out} == {3}


def test_ids_of_every_kind_and_names_that_are_markup_stay_text(workspace: Workspace) -> None:
    ids = [-1, 2**31, 2**62, "007", "[red]x[/red]", NAME, "a|b", "**bold**", "$(reboot)", "=1+1", "é"]
    rows = [(user, item, 5) for position, user in enumerate(ids) for item in ids[position % 3 :: 2]]
    printed = run_own_ratings(workspace, rows, queries={"users": [5], "items": [3], "recommend_for": [1]})
    (users,) = [query for query in printed["queries"] if query["target"] == "users"]
    assert users["raw_id"] == NAME
    assert {entry["raw_id"] for entry in users["models"]["k2"]} <= {str(raw_id) for raw_id in ids}
    files = RunFiles(workspace.client, printed["parent_id"])
    report = files.read("report.html").read_text(encoding="utf-8")
    assert "<script>document" not in report
    assert "&lt;script&gt;document" in report
    figure = files.read("figures/candidates-user_5.svg").read_text(encoding="utf-8")
    assert "<script>" not in figure
    similar = workspace.run("similar", "latest", "--user", NAME, "--raw", "--json")
    assert similar.returncode == 0, similar.stderr
    assert json.loads(similar.stdout)["index"] == 5
    assert title_in_a_browser(workspace, report) != "run", "the script in a name has run"


def title_in_a_browser(workspace: Workspace, report: str) -> str:
    """Return the title of a page after its scripts have run."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    require(browser, "chromium")
    page = workspace.folder / "report.html"
    page.write_text(report, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={workspace.folder / 'browser'}"]
    dom = subprocess.run(
        [str(browser), *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    ).stdout
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None
    return title[1]


@pytest.mark.parametrize(
    "name",
    ["../escape", "/etc/passwd", "..", "a/b", "a\\b", "a\x00b", "a" * 300, "", " ", "ä", "a b", "-a", "a\nb"],
)
def test_a_name_that_could_leave_its_folder_is_refused(workspace: Workspace, name: str) -> None:
    for changes in ({"name": name}, {"models": {name: {"factors": 2, "iterations": 1}}}):
        workspace.configure(**changes)
        workspace.fails(2, arguments=("check", "config.yaml"))
    assert list(workspace.home.glob("*")) == []
