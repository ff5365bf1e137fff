"""Addresses of pages in MLflow's UI, which tests/browser opens, of workspaces, and of registries."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from tasks.core.errors import ConfigError
from tasks.tracking.logged_models import registry
from tasks.tracking.store import resolve_registry, run_url
from tasks.tracking.ui.addresses import compare_page, experiments_page, run_page, runs_page
from tasks.tracking.ui.workspace import configured_host


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


def test_a_workspace_shows_its_pages_below_ml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://dbc.example/")
    monkeypatch.setenv("DATABRICKS_TOKEN", "token")
    monkeypatch.setenv("MLFLOW_ENABLE_DB_SDK", "false")  # the SDK would ask the host
    url = run_url("databricks", "3", "r")
    assert url == "https://dbc.example/ml/experiments/3/runs/r?workflowType=machine_learning"


def test_the_host_of_a_workspace_is_that_of_the_profile_that_the_uri_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "profiles").write_text("[DEFAULT]\nhost = https://default.example\n[other]\nhost = other.example/\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "profiles"))
    for name in ("DATABRICKS_HOST", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    assert configured_host("databricks") == "https://default.example"
    assert configured_host("databricks://other") == "https://other.example"
    monkeypatch.setenv("DATABRICKS_HOST", "https://variable.example")
    assert configured_host("databricks") == "https://variable.example"
    assert configured_host("databricks://other") == "https://other.example"
    (tmp_path / "profiles").write_text("no profile at all")
    assert configured_host("databricks://other") is None


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("databricks", "databricks-uc"),
        ("databricks://profile", "databricks-uc://profile"),
        ("http://localhost:5000", "http://localhost:5000"),
    ],
)
def test_a_workspace_registers_models_in_unity_catalog_and_another_store_in_itself(
    monkeypatch: pytest.MonkeyPatch, uri: str, expected: str
) -> None:
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    assert resolve_registry(uri) == expected
    assert resolve_registry(uri, "databricks") == "databricks"
    assert resolve_registry(uri, "sqlite:///models.db") == f"sqlite:///{Path.cwd() / 'models.db'}"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://models.example")
    assert resolve_registry(uri, "databricks") == "http://models.example"


@pytest.mark.parametrize("name", ["movies", "main.movies", "main..movies", "a.b.c.d", "main.recommenders. "])
def test_unity_catalog_takes_names_of_three_levels(name: str) -> None:
    with pytest.raises(ConfigError, match=r"takes names of three levels: expected\s+catalog.schema.name"):
        registry.check(name, 1, consensus=False, uri="databricks-uc://profile")
    registry.check("main.recommenders.movies", 1, consensus=False, uri="databricks-uc")
    registry.check(name, 1, consensus=False, uri="sqlite:///mlflow.db")
