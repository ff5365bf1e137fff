"""`latentlab ui`: the address that it prints before it becomes MLflow's server."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from tasks.tracking.ui.pages import page_of
from tests.command_line import CommandLine
from tests.flows.finished_experiment import FinishedExperiment
from tests.serving import refused_port, start_server


@pytest.fixture(scope="module")
def server(small_finished: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on the store, as a team has it."""
    address = f"http://127.0.0.1:{refused_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", small_finished.store, "--workers", "1"]
    process = start_server(
        [*command, "--port", address.rpartition(":")[2]],
        tmp_path_factory.mktemp("server"),
        {**small_finished.env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        f"{address}/health",
    )
    yield address
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


def page(server: str, commands: CommandLine, *arguments: str) -> str:
    """Return the page that `ui` prints for a store that is a server, where it starts nothing."""
    printed = commands.with_env(MLFLOW_TRACKING_URI=server).answer("ui", *arguments)
    assert printed["store"] == server
    return unquote(printed["url"].removeprefix(f"{server}/"))


def run_ids(commands: CommandLine, role: str) -> list[str]:
    return [run["run_id"] for run in commands.answer("runs")["runs"] if run["role"] == role]


def test_a_server_has_its_ui_already(server: str, small_finished: CommandLine) -> None:
    assert page(server, small_finished) == "#/experiments/1/runs?workflowType=machine_learning"


@pytest.mark.parametrize(("run", "role"), [("latest", "parent"), ("bad-input", "parent"), ("bad-input/k2/0", "model")])
def test_a_run_leads_to_its_page(server: str, small_finished: CommandLine, run: str, role: str) -> None:
    (run_id,) = run_ids(small_finished, role)
    expected = f"#/experiments/1/runs/{run_id}?workflowType=machine_learning"
    assert page(server, small_finished, run) == expected


def test_compare_leads_to_one_fit_of_each_model(finished: FinishedExperiment, api_url: str) -> None:
    first = [run.run_id for run in finished.outcome.result.runs if (run.role, run.replicate) == ("model", 0)]
    client = finished.client
    assert unquote(page_of(client, "blocks", compare=True)).startswith(f"#/compare-runs?runs={json.dumps(first)}&")
    assert page_of(client, None, compare=True) == page_of(client, "latest", compare=True)


@pytest.mark.parametrize(
    ("run", "message"),
    [("bad-input/k2/0", "is model; expected a comparison"), ("bad-input", "has one model; expected a comparison of")],
)
def test_what_has_no_models_to_compare_is_refused(small_finished: CommandLine, run: str, message: str) -> None:
    assert message in small_finished.failure(2, "ui", run, "--compare")


def test_the_address_is_that_of_the_training_runs_of_the_last_used_comparison(small_finished: CommandLine) -> None:
    port = refused_port()
    with small_finished.start("ui", "--port", str(port), "--json") as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        process.kill()
    runs = "#/experiments/1/runs?workflowType=machine_learning"
    assert printed == {"store": small_finished.store, "url": f"http://127.0.0.1:{port}/{runs}"}


def test_a_port_in_use_is_refused_before_the_server_starts(small_finished: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = small_finished.failure(2, "ui", "--port", str(port))
    assert f"--port: {port} cannot be listened on: Address already in use; choose another" in message


@pytest.mark.parametrize("port", ["-5", "0", "65536"])
def test_a_number_that_is_no_port_is_refused(small_finished: CommandLine, port: str) -> None:
    done = small_finished.call("ui", "--port", port)
    assert done.returncode == 2
    assert "Invalid value for '--port': Input should be" in done.stderr


@pytest.mark.parametrize("command", ["ui", "verify"])
def test_help_marks_an_optional_run_once(small_finished: CommandLine, command: str) -> None:
    assert f"{command} [OPTIONS] [RUN]" in small_finished.call(command, "--help").stdout
