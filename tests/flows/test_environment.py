"""Settings that the command inherits, and settings of Prefect that it makes itself."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from flows import environment
from tests.command_line import CommandLine
from tests.paths import ROOT


def without(commands: CommandLine, *names: str) -> CommandLine:
    """Return the same without some environment variables."""
    return replace(commands, env={name: value for name, value in commands.env.items() if name not in names})


def test_a_run_needs_no_proxy_and_no_backend_of_a_notebook(online: CommandLine) -> None:
    commands = without(online, "PREFECT_API_URL", "NO_PROXY", "no_proxy").with_env(
        HTTP_PROXY="http://127.0.0.1:9",
        HTTPS_PROXY="http://127.0.0.1:9",
        ALL_PROXY="socks5://127.0.0.1:9",
        MPLBACKEND="module://matplotlib_inline.backend_inline",
    )
    done = commands.run("run", "config.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trained"] == 1


@pytest.mark.parametrize(
    ("inherited", "expected"),
    [
        (None, "127.0.0.1,localhost"),
        ("corp.example, localhost", "corp.example,localhost,127.0.0.1"),
        ("*", "*"),
    ],
)
def test_this_machine_is_never_reached_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, inherited: str | None, expected: str
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    if inherited:
        monkeypatch.setenv("NO_PROXY", inherited)
    environment.set_defaults()
    assert os.environ["NO_PROXY"] == expected


@pytest.mark.parametrize(
    ("command", "variable", "value", "code"),
    [
        ("verify", "MLFLOW_LOGGING_LEVEL", "bogus", 5),
        ("run config.yaml", "PREFECT_LOGGING_LEVEL", "LOUD", 6),
    ],
)
def test_a_setting_that_a_library_refuses_is_named(
    offline: CommandLine, command: str, variable: str, value: str, code: int
) -> None:
    done = offline.with_env(**{variable: value}).run(*command.split())
    assert done.returncode == code, done.stderr
    assert f"{variable}={value}: " in done.stderr.splitlines()[-1]
    assert "a bug" not in done.stderr


def test_a_broken_profile_is_a_failure_of_prefect(offline: CommandLine) -> None:
    home = Path(offline.env["PREFECT_HOME"])
    home.mkdir()
    (home / "profiles.toml").write_text('active = "local\n')
    done = offline.run("run", "config.yaml")
    assert done.returncode == 6, done.stderr
    assert "latentlab: Prefect failed: TOMLDecodeError" in done.stderr.splitlines()[-1]
    assert "profile in PREFECT_HOME" in done.stderr


WORKER = f"""\
import json, logging
from prefect.flows import load_flow_from_entrypoint
flow = load_flow_from_entrypoint({str(ROOT / "flows/experiment.py")!r} + ":experiment", use_placeholder_flow=False)
from prefect import settings
from tasks.core.config.load import load_config
print(json.dumps({{
    "analytics": settings.PREFECT_SERVER_ANALYTICS_ENABLED.value(),
    "seconds": settings.PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value(),
    "flow_run": str(flow(load_config("config.yaml"), return_state=True).state_details.flow_run_id),
}}))
"""


def test_a_worker_which_imports_prefect_first_gets_the_same_settings(online: CommandLine) -> None:
    """The worker's process loads the flow by its entrypoint, after Prefect has read its settings."""
    commands = without(online, *environment.DEFAULTS)
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=commands.folder,
        env=commands.env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["analytics"], printed["seconds"]) == (False, 120)
    query = {"logs": {"flow_run_id": {"any_": [printed["flow_run"]]}}, "limit": 200}
    logs = requests.post(f"{online.env['PREFECT_API_URL']}/logs/filter", json=query, timeout=60).json()
    assert sum(": 2 iterations in " in record["message"] for record in logs) == 1, "each message once"
