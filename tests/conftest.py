"""Order and grouping of the tests, and the servers of a team: PostgreSQL, Prefect, MLflow, a worker.

The servers are started by the commands of docs/team.md, with ports, databases and folders of the tests' own.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.paths import ROOT
from tests.serving import on_all_cores, refused_port, wait_for


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several pytest workers cores of its own, so that fits of two tests do not compete for one.

    Processes may write bytecode: tests start the command more than a hundred times.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    worker, count = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        own = cores[int(worker.removeprefix("gw")) :: count]
        if own:
            os.sched_setaffinity(0, own)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group tests that share servers, which then run on one worker. xdist looks for the marks later."""
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    if folder not in {"core", "benchmarks", "faults"}:
        in_stack = folder == "servers" or "stack" in getattr(item, "fixturenames", ())
        group = "stack" if in_stack else "report" if folder == "browser" else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
        if in_stack:
            item.add_marker(pytest.mark.timeout(900))  # the first of them starts everything


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tests that take longest: short ones then fill the end of both workers' time."""
    items.sort(key=lambda item: ("kill_9" not in item.name, "faults" not in item.path.parts))


def require(installed: object, what: str) -> None:
    """Skip a test for which something is not installed. CI must have everything."""
    if not installed:
        if os.environ.get("CI"):
            pytest.fail(f"no {what}; CI runs this test")
        pytest.skip(f"no {what} on this machine")


def require_package(name: str) -> None:
    """Skip a test for which a package is not installed, see `require`."""
    require(find_spec(name), name)


def block(heading: str) -> str:
    """Return the commands below a heading of docs/team.md."""
    text = (ROOT / "docs" / "team.md").read_text()
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, heading
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    return str(commands)


@dataclass
class Stack:
    """The servers, and their addresses."""

    folder: Path
    prefect: str
    mlflow: str
    env: dict[str, str]
    ports: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def commands(self, heading: str) -> str:
        """Return the documented commands with the ports of these servers, without installations."""
        text = "\n".join(line for line in block(heading).splitlines() if not line.startswith("pip install"))
        for documented, own in self.ports.items():
            text = text.replace(documented, own)
        return text

    def sh(self, text: str, *, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run commands in a shell, as a person would."""
        return subprocess.run(
            ["bash", "-e", "-c", text], cwd=cwd, env=self.env, capture_output=True, text=True, timeout=timeout
        )

    def start(self, name: str, text: str, *, cwd: Path | None = None) -> None:
        """Start a documented server, which writes its output to a file."""
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
        """End a server and the processes that it started."""
        process = self.processes.pop(name)
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sent)
                process.wait(15)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def start_mlflow(self) -> None:
        with on_all_cores():
            self.start("mlflow", self.commands("MLflow's server"))
        self.wait(f"{self.mlflow}/health", "mlflow")

    def wait(self, url: str, name: str) -> None:
        wait_for(url, self.folder / f"{name}.log")

    def post(self, url: str, content: dict[str, Any]) -> Any:
        """Send a request to one of the HTTP APIs."""
        answer = requests.post(url, json=content, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def flow_runs(self, name: str) -> list[dict[str, Any]]:
        """Return the flow runs of a name from Prefect's API, the latest first."""
        query = {"flow_runs": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_DESC"}
        return list(self.post(f"{self.prefect}/flow_runs/filter", query))

    def mlflow_runs(self, experiment: str, condition: str = "") -> list[dict[str, Any]]:
        """Return the runs of an experiment from MLflow's API; none if the experiment does not exist."""
        api = f"{self.mlflow}/api/2.0/mlflow"
        answer = requests.get(f"{api}/experiments/get-by-name", {"experiment_name": experiment}, timeout=60)
        if not answer.ok:
            return []
        ids = [answer.json()["experiment"]["experiment_id"]]
        query = {"experiment_ids": ids, "filter": condition, "max_results": 1000}
        return list(self.post(f"{api}/runs/search", query).get("runs", []))


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, str]]:
    """A PostgreSQL server without databases; the variables that lead to it and to its commands."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    require(binaries, "PostgreSQL")
    port = str(refused_port())
    # PostgreSQL does not run as root
    data = Path(f"/tmp/latentlab-pg-{port}")
    who = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    control = [*who, str(binaries[-1] / "pg_ctl"), "--pgdata", str(data)]
    initialise = "--username=latentlab --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8"
    subprocess.run([*control, "init", "-o", initialise], check=True, capture_output=True, cwd="/tmp")
    options = f"-p {port} -c listen_addresses=localhost -c unix_socket_directories={data} -c fsync=off"
    start = [*control, "start", "--wait", "-l", str(data / "log"), "-o", options]
    try:
        with on_all_cores():
            subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
        path = f"{Path(sys.executable).parent}:{binaries[-1]}:{os.environ['PATH']}"
        yield {"PATH": path, "PGHOST": "localhost", "PGPORT": port, "PGUSER": "latentlab"}
    finally:
        subprocess.run([*control, "stop", "--mode=immediate"], capture_output=True, cwd="/tmp", check=False)
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(postgres: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the servers and a worker, deploy all configs, and run the quickstart to its end."""
    require_package("psycopg")
    folder = tmp_path_factory.mktemp("stack")
    prefect_port, mlflow_port = str(refused_port()), str(refused_port())
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "LATENTLAB_", "PYTEST_"))}
    stack = Stack(
        folder=folder,
        prefect=f"http://localhost:{prefect_port}/api",
        mlflow=f"http://localhost:{mlflow_port}",
        env={
            **clean,
            **postgres,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",  # by default a worker looks for runs every 10 s
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "LATENTLAB_HOME": str(folder / "home"),
            "COLUMNS": "200",
        },
        ports={"4200": prefect_port, "5000": mlflow_port, "5432": postgres["PGPORT"], "0.0.0.0": "127.0.0.1"},
    )
    try:
        for line in stack.commands("Databases").splitlines():
            created = stack.sh(line)
            assert created.returncode == 0, created.stderr
        with on_all_cores():
            stack.start("prefect-server", stack.commands("Prefect's server"))
        stack.start_mlflow()
        stack.wait(f"{stack.prefect}/health", "prefect-server")
        for line in stack.commands("Environment of every client").splitlines():
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
