"""The main path on MLflow servers: one that keeps the artifacts, one with logins, and what Databricks refuses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.command_line import CommandLine, command_line
from tests.conftest import require_package
from tests.flows.small_experiment import write_small_experiment
from tests.serving import refused_port, serving, start_server
from tests.workspace_server import TOKEN, WorkspaceServer

PATH = "/Users/someone@example.org/ml-100k"
"""Name of an experiment, as Databricks takes it."""
ADMIN, PASSWORD = "admin", "a-long-password-1"


@contextmanager
def mlflow_server(folder: Path, *options: str, **variables: str) -> Iterator[str]:
    """Run MLflow's server during the block, without access to its artifacts but through it; yield its address."""
    address = f"http://127.0.0.1:{refused_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "destination"), "--workers", "1", *options]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = start_server(
        [*command, "--host", "127.0.0.1", "--port", address.rpartition(":")[2]],
        folder,
        {**inherited, **env, **variables},
        f"{address}/health",
    )
    try:
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server that keeps the artifacts itself."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(scope="module")
def workspace(mlflow: str) -> Iterator[WorkspaceServer]:
    """A server that refuses what Databricks refuses, before that of MLflow."""
    with serving(WorkspaceServer(mlflow)) as server:
        yield server


@pytest.fixture(scope="module")
def with_logins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server that asks for user names and passwords."""
    require_package("flask_wtf")
    folder = tmp_path_factory.mktemp("logins")
    (folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
        "auth_cache_ttl_seconds = 60\n"  # else each request hashes the password anew
        f"database_uri = sqlite:///{folder / 'logins.db'}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    variables = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests",
    }
    with mlflow_server(folder, "--app-name", "basic-auth", **variables) as address:
        for name in ("someone", "reader"):
            content = {"username": name, "password": PASSWORD}
            requests.post(
                f"{address}/api/2.0/mlflow/users/create", json=content, auth=(ADMIN, PASSWORD), timeout=60
            ).raise_for_status()
        yield address


@pytest.fixture
def commands(tmp_path: Path, api_url: str) -> CommandLine:
    """A small experiment, and Prefect's API."""
    write_small_experiment(tmp_path)
    return command_line(tmp_path, api_url)


def check_main_path(commands: CommandLine, experiment: str, *, register: str) -> None:
    """Run an experiment, register its model, and read it back; nothing is stored beside the server."""
    version = {f"{register}-k2": "1"}
    ran = commands.answer("run", "config.yaml", "--register", register)
    assert (ran["trained"], ran["experiment"], ran["registered"]) == (1, "bad-input", version)
    again = commands.answer("run", "config.yaml", "--register", register)
    assert (again["trained"], again["parent_id"], again["registered"]) == (0, ran["parent_id"], version)
    listed = commands.answer("runs")["runs"]
    mine = [run for run in listed if run["experiment"] == experiment]
    assert {(run["role"], run["status"], run["complete"]) for run in mine} == {
        ("parent", "FINISHED", True),
        ("model", "FINISHED", True),
    }
    assert commands.answer("show", experiment)["parent_id"] == ran["parent_id"]
    assert commands.answer("show", f"{experiment}/k2/0")["params"]["factors"] == "2"
    assert commands.answer("similar", f"{experiment}/k2/0", "--user", "0")["models"]
    assert commands.answer("recommend", experiment, "--user", "0")["models"]
    report = Path(commands.answer("report", experiment)["report"])
    assert report.read_text().startswith("<!DOCTYPE html>")
    verified = commands.answer("verify", experiment)
    assert (verified["runs"], verified["problems"]) == (2, [])
    assert commands.answer("export", experiment, "--to", "exported")
    assert commands.answer("promote", f"{register}-k2", "1")["version"] == "1"
    assert commands.answer("reconcile") == {"closed": []}
    assert not [path for path in commands.folder.rglob("*") if path.name in ("mlflow.db", "mlruns", "mlartifacts")]


def test_the_main_path_on_a_server_that_keeps_the_artifacts(commands: CommandLine, mlflow: str) -> None:
    check_main_path(commands.with_env(MLFLOW_TRACKING_URI=mlflow), "bad-input", register="mine")


def test_two_commands_compare_models_of_experiments_whose_names_are_paths(commands: CommandLine, mlflow: str) -> None:
    commands = commands.with_env(MLFLOW_TRACKING_URI=mlflow)
    for name, factors in (("one", 2), ("one/other", 3)):
        settings = [f"tracking.experiment=/Shared/{name}", f"models.k2.factors={factors}"]
        commands.answer("run", "config.yaml", *(word for text in settings for word in ("--set", text)))
    compared = commands.answer("compare", "/Shared/one/k2", "/Shared/one/other/k2")
    assert [len(compared["runs"]), compared["experiment"]] == [2, "bad-input"]
    assert commands.answer("show", "/Shared/one")["parent_id"] == compared["parent_id"]


def test_the_main_path_with_the_login_of_a_user(commands: CommandLine, with_logins: str) -> None:
    login = {"MLFLOW_TRACKING_USERNAME": "someone", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    check_main_path(commands.with_env(MLFLOW_TRACKING_URI=with_logins, **login), "bad-input", register="mine")


def test_what_a_login_does_not_permit_is_reported(commands: CommandLine, with_logins: str) -> None:
    wrong = with_logins.replace("127", "someone:wrong-password@127")
    for address in (with_logins, wrong):
        message = commands.with_env(MLFLOW_TRACKING_URI=address).failure(5, "runs")
        assert "cannot be used" in message
        assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in message
        assert "wrong-password" not in message
    experiment = ("--set", "tracking.experiment=of-the-admin")
    admin = commands.with_env(MLFLOW_TRACKING_URI=with_logins.replace("127", f"{ADMIN}:{PASSWORD}@127"))
    admin.answer("run", "config.yaml", *experiment)
    reader = commands.with_env(MLFLOW_TRACKING_URI=with_logins.replace("127", f"reader:{PASSWORD}@127"))
    assert reader.answer("show", "of-the-admin")["experiment"] == "bad-input"
    message = reader.failure(5, "run", "config.yaml", "--set", "models.k2.factors=3", *experiment)
    assert "Permission denied" in message
    assert PASSWORD not in message
    assert {run["status"] for run in admin.answer("runs")["runs"]} == {"FINISHED"}


def test_a_refused_name_is_reported_before_the_data_are_prepared(
    commands: CommandLine, workspace: WorkspaceServer
) -> None:
    commands = commands.with_env(MLFLOW_TRACKING_URI=workspace.address, MLFLOW_TRACKING_TOKEN=TOKEN)
    message = commands.failure(5, "run", "config.yaml", run=commands.run)
    assert "does not take the experiment name 'bad-input': INVALID_PARAMETER_VALUE: Got an invalid" in message
    assert "set tracking.experiment to a name that it takes" in message
    assert workspace.refused_names == ["bad-input"]
    assert not (commands.folder / "home").exists()
    assert "experiments here: " in commands.failure(5, "show", "bad-input/k2/0")


def test_the_main_path_where_names_of_experiments_are_absolute_paths(
    commands: CommandLine, workspace: WorkspaceServer
) -> None:
    commands = commands.with_env(MLFLOW_TRACKING_URI=workspace.address, MLFLOW_TRACKING_TOKEN=TOKEN)
    path = f"{PATH}-over-http"
    (commands.folder / "config.yaml").open("a").write(f"tracking: {{experiment: {path}}}\n")
    check_main_path(commands, path, register="over-http")


@pytest.fixture(scope="module")
def databricks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    """The same, and artifacts in a folder: those of Databricks are in its cloud, and not behind the server."""
    folder = tmp_path_factory.mktemp("databricks")
    options = ("--no-serve-artifacts", "--default-artifact-root", (folder / "root").as_uri())
    with mlflow_server(folder, *options) as mlflow, serving(WorkspaceServer(mlflow)) as server:
        yield server


@pytest.fixture
def in_databricks(commands: CommandLine, databricks: WorkspaceServer) -> CommandLine:
    """The commands with the variables of a workspace. Nothing of the user's own profiles is read."""
    return commands.with_env(
        MLFLOW_TRACKING_URI="databricks",
        DATABRICKS_HOST=databricks.address,
        DATABRICKS_TOKEN=TOKEN,
        DATABRICKS_CONFIG_FILE=str(commands.folder / "no-profiles"),
        MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC="true",
    )


def test_the_main_path_with_databricks_as_uri_and_models_in_unity_catalog(
    in_databricks: CommandLine, databricks: WorkspaceServer
) -> None:
    (in_databricks.folder / "config.yaml").open("a").write(f"tracking: {{experiment: {PATH}}}\n")
    check_main_path(in_databricks, PATH, register="main.recommenders.movies")
    assert "main/recommenders/movies-k2/1/MLmodel" in databricks.received
    version = requests.get(
        f"{databricks.mlflow}/api/2.0/mlflow/model-versions/get",
        {"name": "main.recommenders.movies-k2", "version": "1"},
        timeout=60,
    ).json()["model_version"]
    assert {tag["key"] for tag in version["tags"]} >= {"latentlab_model", "latentlab_data_sha256"}
    page = in_databricks.answer("ui", f"{PATH}/k2/0")
    run_id = in_databricks.answer("show", f"{PATH}/k2/0")["run_id"]
    address = f"{databricks.address}/ml/experiments/1/runs/{run_id}?workflowType=machine_learning"
    assert page == {"store": "databricks", "url": address}


def test_names_that_databricks_does_not_take_are_refused_before_anything_is_asked(
    in_databricks: CommandLine, databricks: WorkspaceServer
) -> None:
    message = in_databricks.failure(5, "run", "config.yaml")
    assert "does not take the experiment name 'bad-input': it is not an absolute path; set tracking.experi" in message
    path = ("--set", f"tracking.experiment={PATH}")
    message = in_databricks.failure(2, "run", "config.yaml", "--register", "movies", *path)
    assert "found 'movies'; the registry databricks-uc takes names of three levels" in message
    assert databricks.refused_names == []


def test_what_leads_to_no_workspace_is_reported_in_seconds(in_databricks: CommandLine, closed: str) -> None:
    begin = time.monotonic()
    for uri in ("databricks", "databricks://prof"):
        nobody = in_databricks.with_env(DATABRICKS_HOST="", DATABRICKS_TOKEN="", MLFLOW_TRACKING_URI=uri)
        message = nobody.failure(5, "run", "config.yaml", run=nobody.run)
        assert message.startswith(f"the MLflow store {uri} cannot be used: there are no credentials for Databricks; ")
        assert "set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile" in message
    unreachable = in_databricks.with_env(DATABRICKS_HOST=closed).failure(5, "runs")
    assert "the MLflow store databricks cannot be used" in unreachable
    refused = in_databricks.with_env(DATABRICKS_TOKEN="of-somebody-else").failure(5, "runs")
    assert "Invalid access token" in refused
    assert "of-somebody-else" not in refused
    assert time.monotonic() - begin < 120  # the SDK of Databricks alone would try for five minutes
