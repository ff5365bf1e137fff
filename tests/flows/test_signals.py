"""SIGINT and SIGTERM to the process of a run: its exit code, how soon it ends, and KILLED runs."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.search import our_runs
from tests.command_line import CommandLine
from tests.flows.test_environment import without
from tests.paths import ROOT


def wait_for_fit(process: "subprocess.Popen[str]", client: MlflowClient) -> None:
    """Return a second after the first fit has begun."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if any(run.data.tags["latentlab.role"] == "model" for run in our_runs(client)):
            time.sleep(1)
            return
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"no fit began: {process.communicate()}")


def stop(process: "subprocess.Popen[str]", number: int) -> tuple[int, float, str]:
    """Send a signal; return the exit code, the seconds until the process ended, and its stderr."""
    process.send_signal(number)
    begun = time.monotonic()
    try:
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, time.monotonic() - begun, stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_within_five_seconds(
    config: ExperimentConfig,
    client: MlflowClient,
    command_env: dict[str, str],
    workdir: Path,
    number: int,
    code: int,
) -> None:
    (workdir / "long.yaml").write_text(config.to_yaml())
    long = ["--set", "models.k2.iterations=1000000", "--set", "models.k8.iterations=1000000"]
    process = CommandLine(workdir, command_env).start("run", "long.yaml", *long)
    wait_for_fit(process, client)
    ended, seconds, stderr = stop(process, number)
    assert ended == code, stderr
    assert seconds < 5
    statuses = {run.info.run_name: run.info.status for run in our_runs(client)}
    assert statuses["k2 vs k8"] == "KILLED"
    assert set(statuses.values()) == {"KILLED"}


@pytest.mark.parametrize("arguments", [["run", "config.yaml"], ["compare", "a", "b"]], ids=" ".join)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_embedded_server_starts_ends_the_server_too(
    offline: CommandLine, arguments: list[str], number: int, code: int
) -> None:
    process = without(offline, "PREFECT_API_URL").start(*arguments)
    server = embedded_server_of(process)
    ended, _, stderr = stop(process, number)
    assert ended == code, stderr
    server.wait(timeout=60)  # a server that is still starting finishes that first


def test_ctrl_c_in_a_terminal_ends_the_command_and_then_its_server(
    config: ExperimentConfig, client: MlflowClient, offline: CommandLine
) -> None:
    """The terminal sends SIGINT to all processes of the group. What Prefect still has to send needs the server."""
    (offline.folder / "long.yaml").write_text(config.to_yaml())
    long = ["--set", "models.k2.iterations=1000000", "--set", "models.k8.iterations=1000000"]
    process = without(offline, "PREFECT_API_URL").start("run", "long.yaml", *long, group=True)
    server = embedded_server_of(process)
    wait_for_fit(process, client)
    os.killpg(process.pid, signal.SIGINT)
    begun = time.monotonic()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert time.monotonic() - begun < 10
    assert "failed to process" not in stderr
    assert not server.is_running()


def test_the_embedded_server_ends_with_a_command_that_is_killed(offline: CommandLine) -> None:
    process = without(offline, "PREFECT_API_URL").start("run", "config.yaml")
    server = embedded_server_of(process)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs([server], timeout=30)
    assert not alive


def embedded_server_of(process: "subprocess.Popen[str]") -> psutil.Process:
    """Return the process of the embedded server once a command has started it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for child in psutil.Process(process.pid).children():
            if "prefect.server.api.server:create_app" in child.cmdline():
                return child
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"no server was started: {process.communicate()}")


def test_a_command_that_inherits_sigint_as_ignored_can_be_interrupted(offline: CommandLine) -> None:
    """A script's background job inherits it so. The command reads a pipe that stays empty."""
    pipe = offline.folder / "pipe.yaml"
    os.mkfifo(pipe)
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = offline.start("check", str(pipe))
    finally:
        signal.signal(signal.SIGINT, handler)
    with pipe.open("w"):  # returns once the command has opened it
        ended, _, stderr = stop(process, signal.SIGINT)
    assert ended == 130, stderr
    assert stderr == "latentlab: interrupted\n"


def test_a_signal_ends_fits_of_many_factors_within_fifteen_seconds(
    client: MlflowClient, command_env: dict[str, str], workdir: Path
) -> None:
    long = ["--set", "models.k50.iterations=100000", "--set", "replicates=1", "--set", "evaluation=null"]
    process = CommandLine(workdir, command_env).start("run", str(ROOT / "configs/quickstart.yaml"), *long)
    wait_for_fit(process, client)
    ended, seconds, stderr = stop(process, signal.SIGTERM)
    assert ended == 143, stderr
    assert seconds < 15
    assert {run.info.status for run in our_runs(client)} == {"KILLED"}
