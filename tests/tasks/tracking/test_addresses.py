"""Addresses of pages in MLflow's UI; tests/browser opens them."""

from urllib.parse import unquote

import pytest

from tasks.tracking.store import run_url
from tasks.tracking.ui.addresses import compare_page, experiments_page, run_page, runs_page


@pytest.mark.parametrize("page", [experiments_page(), runs_page("3"), run_page("3", "r"), compare_page(["3"], ["r"])])
def test_every_page_opens_in_the_view_of_training_runs(page: str) -> None:
    assert page.startswith("#/")
    assert page.endswith("workflowType=machine_learning")


def test_a_link_to_a_run_of_a_server_opens_there_too_and_has_no_login() -> None:
    url = run_url("https://me:secret@mlflow.example/base/", "3", "r")
    assert url == "https://mlflow.example/base/#/experiments/3/runs/r?workflowType=machine_learning"
    assert run_url("sqlite:///mlflow.db", "3", "r") is None


def test_conditions_and_ids_are_escaped() -> None:
    page = runs_page("3", "attributes.run_id IN ('a', 'b')")
    assert not set(" '()") & set(page)
    assert unquote(page).endswith("&searchFilter=attributes.run_id IN ('a', 'b')")
    assert unquote(compare_page(["3"], ["a", "b"])).startswith('#/compare-runs?runs=["a", "b"]&experiments=["3"]')
