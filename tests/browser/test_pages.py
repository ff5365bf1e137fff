"""The pages of MLflow's and Prefect's UIs in a real browser."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.conftest import Stack


@pytest.fixture(scope="module")
def page(stack: "Stack", browser: "Browser") -> Iterator["Page"]:
    page = browser.new_page(viewport={"width": 1400, "height": 800})
    page.set_default_timeout(30_000)  # ms; a busy machine is slow
    yield page
    page.close()


def visit(page: "Page", url: str) -> None:
    """Load a page again: if only the part after # changes, the application keeps its state."""
    page.goto("about:blank")
    page.goto(url)


def close_assistant(page: "Page") -> None:
    """Close the panel that MLflow opens at a first visit, beside which a run's description is below the window."""
    assistant = page.get_by_role("button", name="Close", exact=True)
    if assistant.count():
        assistant.first.click()


def picture(page: "Page", name: str) -> None:
    """Save a screenshot if LATENTLAB_SCREENSHOTS names a folder. The pictures of the README are made like this."""
    if folder := os.environ.get("LATENTLAB_SCREENSHOTS"):
        close_assistant(page)
        page.wait_for_timeout(4000)  # until animations have ended
        page.screenshot(path=Path(folder) / f"{name}.png")


def model_run(stack: "Stack", model: str, replicate: int = 0) -> dict[str, Any]:
    condition = f"params.model = '{model}' and params.replicate = '{replicate}' and tags.`latentlab.role` = 'model'"
    (run,) = stack.mlflow_runs("quickstart", condition)
    return run


def parent(stack: "Stack") -> dict[str, Any]:
    (run,) = stack.mlflow_runs("quickstart", "tags.`latentlab.role` = 'parent'")
    return run


def address(stack: "Stack", *arguments: str) -> str:
    """Return the address that `latentlab ui` prints."""
    done = stack.sh(f"latentlab ui {' '.join(arguments)} --json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["url"])


def run_page(stack: "Stack", run: dict[str, Any], rest: str = "") -> str:
    info = run["info"]
    return f"{stack.mlflow}/#/experiments/{info['experiment_id']}/runs/{info['run_id']}{rest}"


def test_the_experiment_page_lists_the_comparison_and_its_fits(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    visit(page, f"{stack.mlflow}/#/experiments/{parent(stack)['info']['experiment_id']}/runs")
    expect(page.get_by_role("link", name="k50 vs k500")).to_be_visible()
    expect(page.get_by_role("link", name="k500 #5", exact=True)).to_have_count(0)
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="k50 vs k500"))
    row.get_by_role("button").first.click()  # unfold
    expect(page.get_by_role("link", name="k500 #5", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="k50 #0 held-out")).to_be_attached()
    picture(page, "mlflow_experiment")


def test_the_address_of_ui_opens_the_training_runs(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    visit(page, address(stack))
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page.get_by_role("link", name="Models", exact=True)).to_be_visible()  # GenAI pages do not have it
    expect(page.get_by_role("link", name="k50 vs k500")).to_be_visible()


def test_the_page_of_a_comparison_begins_with_its_answer_and_leads_to_its_fits(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    page.set_viewport_size({"width": 1280, "height": 800})
    visit(page, address(stack, "quickstart"))
    expect(page.get_by_text(re.compile("^k50 and k500 differ")).first).to_be_attached()
    close_assistant(page)
    expect(page.get_by_text(re.compile("^k50 and k500 differ")).first).to_be_in_viewport()
    expect(page.get_by_role("link", name="one fit of each model side by side")).to_be_in_viewport()
    page.get_by_text("Show more", exact=True).click()  # what covers the last lines until then takes clicks
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("fits in a table")).click()
    table = opened.value
    expect(table.get_by_test_id("search-box")).to_have_value(re.compile(r"^attributes\.run_id IN \("))
    expect(table.get_by_text("matching runs")).to_have_text("23 matching runs")  # 22 fits, and the parent that has them
    table.close()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="one fit of each model side by side").click()
    expect(opened.value.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    opened.value.close()
    page.set_viewport_size({"width": 1400, "height": 800})


def test_ui_compare_shows_one_fit_of_each_model(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    visit(page, address(stack, "quickstart", "--compare"))
    expect(page.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    for name in ("k50 #0", "k500 #0"):
        expect(page.get_by_text(name, exact=True).first).to_be_attached()
    picture(page, "mlflow_compare")


def test_the_list_of_models_shows_the_accuracy_of_their_settings(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    metrics = {metric["key"]: metric["value"] for metric in parent(stack)["data"]["metrics"]}
    page.set_viewport_size({"width": 2000, "height": 800})  # MLflow makes only the columns that are visible
    experiment = f"{stack.mlflow}/#/experiments/{parent(stack)['info']['experiment_id']}"
    visit(page, f"{experiment}/models?workflowType=machine_learning")
    expect(page.get_by_role("columnheader", name="accuracy/ndcg_at_10")).to_be_visible()
    for model in ("k50", "k500"):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"{model} #0", exact=True))
        expect(row.get_by_text(str(metrics[f"accuracy/ndcg_at_10.{model}"])).first).to_be_attached()
    page.set_viewport_size({"width": 1400, "height": 800})


def test_the_comparison_shows_the_answer(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    visit(page, run_page(stack, parent(stack)))
    expect(page.get_by_text(re.compile("k50 and k500 differ")).first).to_be_visible()
    expect(page.get_by_role("cell", name="k500", exact=True).first).to_be_visible()


def test_the_compare_view_shows_the_differing_params(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    runs = [model_run(stack, model) for model in ("k50", "k500")]
    ids = json.dumps([run["info"]["run_id"] for run in runs])
    visit(
        page, f"{stack.mlflow}/#/compare-runs?runs={ids}&experiments={json.dumps([runs[0]['info']['experiment_id']])}"
    )
    for name, values in {"factors": ("50", "500"), "iterations": ("15", "50")}.items():
        row = page.get_by_role("row").filter(has=page.get_by_text(name, exact=True)).first
        expect(row).to_be_visible()
        for value in values:
            expect(row.get_by_text(value, exact=True)).to_be_visible()


def first_neighbour(stack: "Stack", model: str) -> str:
    """Return the first neighbour of user 10, as MLflow shows it."""
    query = {"run_uuid": model_run(stack, model)["info"]["run_id"], "path": "queries/user_10.json"}
    table = requests.get(f"{stack.mlflow}/get-artifact", query, timeout=60).json()
    return str(table["data"][0][table["columns"].index("neighbour")])


def test_the_lists_of_two_models_stand_side_by_side(stack: "Stack", page: "Page") -> None:
    """The clicks of docs/mlflow.md."""
    from playwright.sync_api import expect

    neighbours = [first_neighbour(stack, model) for model in ("k50", "k500")]
    experiment_id = parent(stack)["info"]["experiment_id"]
    visit(page, f"{stack.mlflow}/#/experiments/{experiment_id}/runs?workflowType=machine_learning")
    search = page.get_by_test_id("search-box")
    search.fill('tags.latentlab.role = "model"')
    search.press("Enter")
    page.get_by_role("button", name="Sort:").click()
    page.get_by_test_id("sort-select-asc").click()
    page.get_by_role("button", name="Sort:").click()
    page.keyboard.type("replicate")
    page.get_by_test_id("sort-select-replicate").click()
    page.locator("label").filter(has=page.locator("input[value=ARTIFACT]")).click()
    page.get_by_test_id("dropdown-tables").click()
    for path in ("queries/user_10.json", "queries/item_100.json"):  # the second one was chosen by MLflow
        page.get_by_role("option", name=path).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox").filter(has_text="Group by:")).to_contain_text("rank")
    expect(page.get_by_role("combobox").filter(has_text="Compare:")).to_contain_text("neighbour")
    first_rank = page.get_by_role("row").filter(has_text=neighbours[0])
    expect(first_rank.get_by_text(neighbours[1], exact=True).first).to_be_visible()
    picture(page, "mlflow_lists")


def test_lists_are_tables_and_the_report_is_a_page(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    visit(page, run_page(stack, model_run(stack, "k500"), "/artifacts/queries/user_10.json"))
    expect(page.get_by_text("raw_id", exact=True).first).to_be_visible()
    expect(page.get_by_text("score", exact=True).first).to_be_visible()
    visit(page, run_page(stack, parent(stack), "/artifacts/report.html"))
    report = page.frame_locator("iframe").first
    expect(report.get_by_text(re.compile("k50 and k500 differ")).first).to_be_visible()
    assert report.locator("svg").count() > 3
    picture(page, "mlflow_report")


def test_prefects_form_shows_the_fields_of_the_config(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    query = {"deployments": {"name": {"any_": ["quickstart"]}}}
    (deployment,) = stack.post(f"{stack.prefect}/deployments/filter", query)
    visit(page, f"{stack.prefect.removesuffix('/api')}/deployments/deployment/{deployment['id']}/run")
    for field in ("Dataset", "Preprocess", "Models", "Replicates", "Comparison", "Evaluation", "Execution"):
        expect(page.get_by_text(re.compile(rf"^{field}\b")).first).to_be_attached()
    replicates = "They separate the effect of the model from that of the random start."
    expect(page.get_by_text(f"Number of independent seeds for each model. {replicates}")).to_be_attached()
    expect(page.get_by_text('"regularization"').first).to_be_attached()
    picture(page, "prefect_form")


def test_prefects_form_has_a_field_for_overrides(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    query = {"deployments": {"name": {"any_": ["quickstart"]}}}
    (deployment,) = stack.post(f"{stack.prefect}/deployments/filter", query)
    visit(page, f"{stack.prefect.removesuffix('/api')}/deployments/deployment/{deployment['id']}/run")
    description = page.get_by_text(re.compile("^Keys of the config to replace, as with --set"))
    expect(description).to_be_attached()
    description.scroll_into_view_if_needed()
    picture(page, "prefect_overrides")


def test_the_flow_run_page_shows_the_answer_and_the_tags(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    flow_run_id = stack.flow_runs("quickstart")[-1]["id"]
    visit(page, f"{stack.prefect.removesuffix('/api')}/runs/flow-run/{flow_run_id}?tab=Details")
    expect(page.get_by_text("experiment:quickstart").first).to_be_visible()
    expect(page.get_by_text(re.compile("k50 and k500 differ")).first).to_be_visible()
    picture(page, "prefect_details")


def test_the_flow_run_page_shows_tasks_and_verdict(stack: "Stack", page: "Page") -> None:
    from playwright.sync_api import expect

    runs = stack.flow_runs("quickstart")
    ui = stack.prefect.removesuffix("/api")
    address = {tag["key"]: tag["value"] for tag in parent(stack)["data"]["tags"]}["prefect.flow_run_url"]
    assert address.startswith(ui)
    visit(page, address)
    expect(page.get_by_text("Completed").first).to_be_visible()
    picture(page, "prefect_run")
    page.get_by_role("tab", name="Task Runs").or_(page.get_by_text("Task Runs", exact=True)).first.click()
    expect(page.get_by_text("compare quickstart").first).to_be_visible()
    page.get_by_role("tab", name="Artifacts").or_(page.get_by_text("Artifacts", exact=True)).first.click()
    expect(page.get_by_text("verdict-quickstart", exact=True).first).to_be_visible()
    query = {"artifacts": {"flow_run_id": {"any_": [runs[-1]["id"]]}, "key": {"any_": ["verdict-quickstart"]}}}
    (verdict,) = stack.post(f"{stack.prefect}/artifacts/filter", query)
    visit(page, f"{ui}/artifacts/artifact/{verdict['id']}")
    expect(page.get_by_text(re.compile("k50 and k500 differ")).first).to_be_visible()
    picture(page, "prefect_verdict")
