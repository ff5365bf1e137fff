"""What a team would have, as real processes: PostgreSQL, Prefect's and MLflow's servers, a worker.

Their commands are those of docs/team.md, with ports, databases and folders of the tests' own.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.paths import ROOT
from tests.serving import wait_for


def pytest_configure(config: pytest.Config) -> None:
    """Each of several workers has cores of its own: fits of two tests at a time would take turns on the same ones."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        own = cores[int(worker.removeprefix("gw")) :: count]
        if own:
            os.sched_setaffinity(0, own)


def pytest_itemcollected(item: pytest.Item) -> None:
    """What shares servers runs on one worker; marked before xdist looks for marks."""
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    if folder not in {"core", "benchmarks", "faults"}:
        group = "stack" if folder in {"servers", "browser"} else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
        if group == "stack":
            item.add_marker(pytest.mark.timeout(900))  # the first of them starts everything


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that short tests fill the end of both workers' time."""
    items.sort(key=lambda item: ("kill_9" not in item.name, "faults" not in item.path.parts))


def require(installed: object, what: str) -> None:
    """Skip a test for which something is not installed. CI must have everything."""
    if not installed:
        if os.environ.get("CI"):
            pytest.fail(f"no {what}; CI runs this test")
        pytest.skip(f"no {what} on this machine")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def block(heading: str) -> str:
    """The commands below a heading of docs/team.md."""
    text = (ROOT / "docs" / "team.md").read_text()
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, heading
    (found,) = re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass
class Stack:
    """The servers, and how to reach them."""

    folder: Path
    prefect: str
    mlflow: str
    env: dict[str, str]
    ports: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def commands(self, heading: str) -> str:
        """The documented commands with this stack's ports; what CI has installed already is left out."""
        kept = [line for line in block(heading).splitlines() if not line.startswith("pip install")]
        text = "\n".join(kept)
        for documented, own in self.ports.items():
            text = text.replace(documented, own)
        return text

    def sh(self, text: str, *, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run commands in a shell, as a person would."""
        return subprocess.run(
            ["bash", "-e", "-c", text], cwd=cwd, env=self.env, capture_output=True, text=True, timeout=timeout
        )

    def start(self, name: str, text: str, *, cwd: Path | None = None) -> None:
        """Start a documented server; its output goes to a file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["bash", "-c", text],
                cwd=cwd or self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        """End a server and what it started."""
        process = self.processes.pop(name)
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sent)
                process.wait(15)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def start_mlflow(self) -> None:
        self.start("mlflow", self.commands("MLflow's server"))
        self.wait(f"{self.mlflow}/health", "mlflow")

    def wait(self, url: str, name: str) -> None:
        wait_for(url, self.folder / f"{name}.log")

    def post(self, url: str, content: dict[str, Any]) -> Any:
        """Ask one of the HTTP APIs."""
        answer = requests.post(url, json=content, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def flow_runs(self, name: str) -> list[dict[str, Any]]:
        """Flow runs of a name from Prefect's API, the latest first."""
        asked = {"flow_runs": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_DESC"}
        return list(self.post(f"{self.prefect}/flow_runs/filter", asked))

    def mlflow_runs(self, experiment: str, condition: str = "") -> list[dict[str, Any]]:
        """Runs of an experiment from MLflow's API; none before there is the experiment."""
        api = f"{self.mlflow}/api/2.0/mlflow"
        found = requests.get(f"{api}/experiments/get-by-name", {"experiment_name": experiment}, timeout=60)
        if not found.ok:
            return []
        ids = [found.json()["experiment"]["experiment_id"]]
        asked = {"experiment_ids": ids, "filter": condition, "max_results": 1000}
        return list(self.post(f"{api}/runs/search", asked).get("runs", []))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything started, deployed, and one quickstart run to its end."""
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    require(postgres, "PostgreSQL")
    pytest.importorskip("psycopg")
    folder = tmp_path_factory.mktemp("stack")
    prefect_port, mlflow_port, database_port = (str(free_port()) for _ in range(3))
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "LATENTLAB_", "PYTEST_"))}
    stack = Stack(
        folder=folder,
        prefect=f"http://localhost:{prefect_port}/api",
        mlflow=f"http://localhost:{mlflow_port}",
        env={
            **clean,
            "PATH": f"{Path(sys.executable).parent}:{postgres[-1]}:{os.environ['PATH']}",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "LATENTLAB_HOME": str(folder / "home"),
            "PGHOST": "localhost",
            "PGPORT": database_port,
            "PGUSER": "latentlab",
            "COLUMNS": "200",
        },
        ports={"4200": prefect_port, "5000": mlflow_port, "5432": database_port, "0.0.0.0": "127.0.0.1"},
    )
    # PostgreSQL does not run as root
    data = Path(f"/tmp/latentlab-pg-{database_port}")
    who = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    control = [*who, str(postgres[-1] / "pg_ctl"), "--pgdata", str(data)]
    initialise = "--username=latentlab --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8"
    subprocess.run([*control, "init", "-o", initialise], check=True, capture_output=True, cwd="/tmp")
    options = f"-p {database_port} -c listen_addresses=localhost -c unix_socket_directories={data} -c fsync=off"
    start = [*control, "start", "--wait", "-l", str(data / "log"), "-o", options]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
    try:
        for line in stack.commands("Databases").splitlines():
            made = stack.sh(line)
            assert made.returncode == 0, made.stderr
        stack.start("prefect-server", stack.commands("Prefect's server"))
        stack.start("mlflow", stack.commands("MLflow's server"))
        stack.wait(f"{stack.prefect}/health", "prefect-server")
        stack.wait(f"{stack.mlflow}/health", "mlflow")
        for line in stack.commands("On every machine that deploys, works or looks").splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            stack.env[name] = value
        deployed = stack.sh(stack.commands("Pool and deployments"))
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        stack.start("worker", stack.commands("Worker"))
        ran = stack.sh(stack.commands("Run"), timeout=600)
        log = (folder / "worker.log").read_text()[-5000:]
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:] + log
        yield stack
    finally:
        for name in reversed(list(stack.processes)):
            stack.stop(name)
        subprocess.run([*control, "stop", "--mode=immediate"], capture_output=True, cwd="/tmp", check=False)
        shutil.rmtree(data, ignore_errors=True)


def rows(table: Any) -> list[dict[str, Any]]:
    """A Prefect table artifact's rows."""
    return list(json.loads(table) if isinstance(table, str) else table)
