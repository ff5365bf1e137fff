"""compose.yaml without containers: Compose reads it, and each service's command runs as it stands on this machine."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.conftest import Stack, require
from tests.paths import ROOT
from tests.serving import on_all_cores, refused_port

PASSWORD = "chosen-by-the-team"


def compose(**variables: str) -> subprocess.CompletedProcess[str]:
    """Let Compose read the file with these variables, over those of the example."""
    require(shutil.which("docker-compose"), "docker-compose")
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["docker-compose", "--env-file", ".env.example", "config"],
        cwd=ROOT,
        env={**env, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    done = compose(POSTGRES_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout)["services"])


def test_compose_reads_the_file(services: dict[str, Any]) -> None:
    assert set(services) == {"database", "mlflow-database", "prefect", "mlflow", "deploy", "worker"}
    for name, service in services.items():
        assert set(service.get("depends_on", {})) < set(services), name
        assert ("healthcheck" in service) == (name in {"database", "prefect", "mlflow"}), name


def test_a_password_has_to_be_chosen() -> None:
    done = compose()
    assert done.returncode != 0
    assert "copy .env.example to .env and choose a password" in done.stderr


def test_the_example_of_the_environment_has_all_variables_and_no_password() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    used = {name.partition(":")[0] for name in _interpolated((ROOT / "compose.yaml").read_text())}
    assert set(variables) == used
    assert variables["POSTGRES_PASSWORD"] == ""
    ignored = subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_the_ports_are_open_to_this_machine_only_unless_set(services: dict[str, Any]) -> None:
    def hosts(services: dict[str, Any]) -> set[str]:
        ports = [port for service in services.values() for port in service.get("ports", [])]
        # a mapping in newer versions of Compose
        return {port["host_ip"] if isinstance(port, dict) else port.partition(":")[0] for port in ports}

    assert hosts(services) == {"127.0.0.1"}
    opened = compose(POSTGRES_PASSWORD=PASSWORD, BIND_ADDRESS="0.0.0.0")
    assert hosts(yaml.safe_load(opened.stdout)["services"]) == {"0.0.0.0"}


def test_mlflow_answers_to_the_names_that_the_others_use(services: dict[str, Any]) -> None:
    named = yaml.safe_load(compose(POSTGRES_PASSWORD=PASSWORD, SERVER_NAME="ml.example.org").stdout)["services"]
    words = _words(named["mlflow"]["command"])
    allowed = words[words.index("--allowed-hosts") + 1].split(",")
    assert named["worker"]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://") in allowed
    assert "ml.example.org:5000" in allowed


@dataclass
class Machine:
    """Runs services of the file as processes of this machine, with ports, folders and databases of the tests' own."""

    stack: Stack
    services: dict[str, Any]
    replaced: dict[str, str]

    def command(self, name: str, words: list[str] | None = None) -> str:
        """Return a service's command, or that of its health check, with its environment."""
        service = self.services[name]
        # a container inherits no variable of the machine; the path and the port are those of this one
        own = {name: self.stack.env[name] for name in ("PATH", "PGPORT", "HOME")}
        environment = {**own, **service.get("environment", {})}
        variables = [f"{key}={value}" for key, value in environment.items()]
        text = shlex.join(["env", "--ignore-environment", *variables, *(words or _words(service["command"]))])
        return re.sub("|".join(map(re.escape, self.replaced)), lambda found: self.replaced[found[0]], text)

    def run(self, name: str) -> None:
        """Run a service that ends, as Compose does before those that depend on it."""
        done = self.stack.sh(self.command(name))
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str) -> None:
        """Start a service, and wait until its health check passes."""
        with on_all_cores():
            self.stack.start(name, self.command(name), cwd=ROOT)
        if test := self.services[name].get("healthcheck", {}).get("test"):
            assert test[0] == "CMD"
            check = self.command(name, test[1:])
            healthy = self.stack.sh(f"for try in $(seq 90); do {check} 2> /dev/null && exit; sleep 1; done; exit 1")
            assert healthy.returncode == 0, (self.stack.folder / f"{name}.log").read_text()[-3000:]


@pytest.fixture(scope="module")
def machine(
    postgres: dict[str, str], services: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The PostgreSQL of the other tests stands for the service `database`, with two databases of its own."""
    folder = tmp_path_factory.mktemp("compose")
    stack = Stack(folder, prefect="", mlflow="", env={**postgres, "HOME": str(folder)}, ports={})
    prefect_port, mlflow_port = str(refused_port()), str(refused_port())
    replaced = {
        "@database:5432/prefect": f"@localhost:{postgres['PGPORT']}/composed",
        "@database:5432/mlflow": f"@localhost:{postgres['PGPORT']}/composed-mlflow",
        "PGHOST=database": "PGHOST=localhost",
        "--dbname prefect": "--dbname composed",
        "createdb mlflow": "createdb composed-mlflow",
        "--word-regexp mlflow": "--word-regexp composed-mlflow",
        "://prefect:4200": f"://localhost:{prefect_port}",
        "://mlflow:5000": f"://localhost:{mlflow_port}",
        "4200": prefect_port,
        "5000": mlflow_port,
        "0.0.0.0": "127.0.0.1",
        "/var/lib/latentlab": str(folder),
    }
    created = stack.sh("createdb composed")  # as the image of PostgreSQL does with POSTGRES_DB
    assert created.returncode == 0, created.stderr
    machine = Machine(stack, services, replaced)
    try:
        yield machine
    finally:
        for name in reversed(list(stack.processes)):
            stack.stop(name)


def test_each_service_runs_as_it_stands(machine: Machine, services: dict[str, Any]) -> None:
    """In the order of `depends_on`. The one-time services are run twice: `docker compose up` runs them each time."""
    stack = machine.stack
    ready = stack.sh(machine.command("database", services["database"]["healthcheck"]["test"][1:]))
    assert ready.returncode == 0, ready.stdout + ready.stderr
    for _ in range(2):
        machine.run("mlflow-database")
    machine.start("prefect")
    machine.start("mlflow")
    for _ in range(2):
        machine.run("deploy")
    machine.start("worker")
    api = f"http://localhost:{machine.replaced['4200']}/api"
    overrides = {"name": "composed", "replicates": 1, "evaluation": None, "models.k500.iterations": 1}
    started = stack.sh(
        f"PREFECT_API_URL={api} prefect deployment run experiment/quickstart --watch "
        f"--param {shlex.quote('overrides=' + json.dumps(overrides))}"
    )
    log = (stack.folder / "worker.log").read_text()[-3000:]
    assert started.returncode == 0, started.stdout + started.stderr + log
    mlflow = f"http://localhost:{machine.replaced['5000']}/api/2.0/mlflow"
    answer = requests.get(f"{mlflow}/experiments/get-by-name", {"experiment_name": "composed"}, timeout=60)
    assert answer.ok, answer.text
    assert list(Path(machine.replaced["/var/lib/latentlab"]).glob("artifacts/*")), "artifacts pass through the server"
    assert list(Path(machine.replaced["/var/lib/latentlab"]).glob("home/*")), "the home is the worker's volume"


def _words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else list(command)


def _interpolated(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("${")[1:]]
