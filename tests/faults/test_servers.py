"""Servers that stop while the command uses them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.recovery.reconcile import reconcile
from tasks.tracking.runs import run_ref
from tasks.tracking.search import our_runs
from tests.faults.conftest import start_prefect
from tests.faults.workspace import CONFIG, Digests, Workspace, ended, one_line, wait_until
from tests.serving import refused_port, start_server


@pytest.mark.long
def test_a_prefect_server_that_stops_during_training(workspace: Workspace, expected: Digests, tmp_path: Path) -> None:
    port, folder = refused_port(), tmp_path / "prefect"
    folder.mkdir()
    shared = workspace.env["PREFECT_API_URL"]
    server = start_prefect(folder, port)
    try:
        models = {"k8": {"factors": 8, "iterations": 60}, "k2": {"factors": 2, "iterations": 30_000}}
        workspace.configure(models=models, execution={**CONFIG["execution"], "workers": 1})
        workspace.env |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_CLIENT_MAX_RETRIES": "1"}
        process = workspace.start()
        k2_is_open = (
            "select count(*) from runs join tags on runs.run_uuid = tags.run_uuid "
            "where status = 'RUNNING' and key = 'latentlab.model' and value = 'k2'"
        )
        wait_until(workspace.increases(k2_is_open), process)
    finally:
        server.kill()
        server.wait()
    workspace.check_failure(ended(process, timeout=200), 6, "Prefect's API cannot be used", "check PREFECT_API_URL")
    assert "RUNNING" not in {run.info.status for run in our_runs(workspace.client)}
    workspace.env["PREFECT_API_URL"] = shared
    workspace.configure()
    again = workspace.run()
    assert again.returncode == 0, again.stderr
    assert workspace.digests().keys() >= expected.keys()


@pytest.mark.long
def test_an_mlflow_server_that_stops_during_an_upload(workspace: Workspace, expected: Digests) -> None:
    port = refused_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", workspace.store, "--workers", "1"]
    command += ["--artifacts-destination", str(workspace.folder / "mlartifacts")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    env = {**workspace.env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    def start() -> subprocess.Popen[bytes]:
        return start_server(command, workspace.folder, env, f"{url}/health")

    def stop(server: subprocess.Popen[bytes]) -> None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

    server = start()
    try:
        workspace.env["MLFLOW_TRACKING_URI"] = url.replace("127", "me:hunter2@127")
        process = workspace.start()
        wait_until(workspace.appears("mlartifacts/*/*/artifacts/factors.npz"), process)
        stop(server)
        done = ended(process, timeout=250)
        server = start()
        workspace.check_failure(done, 5, "what is trained is kept")
        assert "hunter2" not in done.stderr
        # the next start closes the runs that could not be closed without the server
        again = workspace.run()
        assert again.returncode == 0, again.stderr
        printed = json.loads(again.stdout)
        assert printed["trained"] + printed["reused"] == 6
        assert "trained by an earlier run; it is uploaded now" in one_line(again.stderr)
        assert {run.info.status for run in our_runs(workspace.client)} == {"FINISHED", "FAILED"}
    finally:
        stop(server)
    complete = [run for run in workspace.complete_runs() if run_ref(run).identity in expected]
    assert len(complete) == len(expected)
    assert reconcile(workspace.client) == []
