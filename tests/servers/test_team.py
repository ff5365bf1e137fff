"""The set-up of docs/team.md on real servers: PostgreSQL, Prefect, MLflow, a worker."""

import json
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
import yaml

from flows.environment import DEFAULTS
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config

if TYPE_CHECKING:
    from tests.conftest import Stack

from tests.paths import ROOT

SHIPPED = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))

LONG = {
    "name": "long",
    "models": {"k2": {"factors": 2, "iterations": 2}, "k500": {"factors": 500, "iterations": 1_000_000}},
    "replicates": 1,
    "evaluation": None,
}


def eventually(check: Callable[[], Any], seconds: float) -> Any:
    """Return the first true value of `check`; fail after some seconds without one."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)
    return value


def tags(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def artifacts(stack: "Stack", flow_run_id: str) -> dict[str, dict[str, Any]]:
    query = {"artifacts": {"flow_run_id": {"any_": [flow_run_id]}}}
    return {artifact["key"]: artifact for artifact in stack.post(f"{stack.prefect}/artifacts/filter", query)}


def test_every_config_has_a_deployment(stack: "Stack") -> None:
    deployments = stack.post(f"{stack.prefect}/deployments/filter", {})
    assert sorted(deployment["name"] for deployment in deployments) == sorted(["experiment", *SHIPPED])
    for deployment in deployments:
        assert deployment["work_pool_name"] == "latentlab"
        assert deployment["enforce_parameter_schema"]
        assert "latentlab" in deployment["tags"]
        assert deployment["description"]
        (step,) = deployment["pull_steps"]
        assert list(step.values()) == [{"directory": str(ROOT)}]
        if deployment["name"] == "experiment":
            assert deployment["parameters"] == {}
        else:
            expected = load_config(ROOT / "configs" / f"{deployment['name']}.yaml")
            assert ExperimentConfig.model_validate(deployment["parameters"]["config"]).models == expected.models
    pool = requests.get(f"{stack.prefect}/work_pools/latentlab", timeout=60).json()
    assert (pool["type"], pool["concurrency_limit"], pool["status"]) == ("process", 1, "READY")


def test_a_worker_logs_the_same_messages_as_the_command_line() -> None:
    deployment = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["common"]
    env = deployment["work_pool"]["job_variables"]["env"]
    assert env == {key: DEFAULTS[key] for key in env}


def test_the_quickstart_can_be_read_back_from_both_servers(stack: "Stack") -> None:
    (flow_run,) = stack.flow_runs("quickstart")
    assert flow_run["state"]["type"] == "COMPLETED"
    query = {"flow_runs": {"id": {"any_": [flow_run["id"]]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
    names = [task_run["name"] for task_run in stack.post(f"{stack.prefect}/task_runs/filter", query)]
    assert names[:2] == ["download synthetic-100k", "preprocess synthetic-100k"]
    fits = [name.removeprefix("upload ") for name in names if name.startswith("upload ")]
    for fit in fits:
        steps = [names.index(f"{step} {fit}") for step in ("train", "evaluate", "upload")]
        assert steps == sorted(steps), fit
    assert len(set(fits)) == 22
    assert names[-1] == "compare quickstart"
    assert len(names) == 2 + 3 * (2 * 6 + 2 * 5) + 1

    runs = stack.mlflow_runs("quickstart")
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    (parent,) = stack.mlflow_runs("quickstart", "tags.`latentlab.role` = 'parent'")
    assert tags(parent)["prefect.flow_run_id"] == flow_run["id"]
    assert len(stack.mlflow_runs("quickstart", f"tags.`mlflow.parentRunId` = '{parent['info']['run_id']}'")) == 22

    published = artifacts(stack, flow_run["id"])
    published = {key.removesuffix("-quickstart"): artifact for key, artifact in published.items()}
    assert set(published) == {"training", "verdict", "comparison", "lists", "mlflow-run"}
    verdict = tags(parent)["latentlab.verdict"]
    assert verdict in published["verdict"]["data"]
    assert published["verdict"]["description"] == flow_run["state"]["message"]
    assert "k50 and k500" in flow_run["state"]["message"]
    assert set(flow_run["tags"]) == {"latentlab", "synthetic", "experiment:quickstart"}
    address = f"{stack.mlflow}/#/experiments/{parent['info']['experiment_id']}/runs/{parent['info']['run_id']}"
    assert address in published["mlflow-run"]["data"]
    lists = json.loads(published["lists"]["data"])
    assert {row["list of"] for row in lists} == {"user_10", "item_100", "recommend_for_0"}
    assert {row["model"] for row in lists} == {"k50", "k500"}
    assert published["training"]["data"] == 100

    query = {"logs": {"flow_run_id": {"any_": [flow_run["id"]]}}, "limit": 200}
    messages = [record["message"] for record in stack.post(f"{stack.prefect}/logs/filter", query)]
    assert sum(": 15 iterations in " in message for message in messages) == 11, "one line for each fit"


def test_a_deployment_runs_with_other_settings(stack: "Stack") -> None:
    done = stack.sh(stack.commands("Run with other settings"))
    assert done.returncode == 0, done.stdout + done.stderr
    (flow_run,) = stack.flow_runs("quick")
    assert flow_run["state"]["message"].startswith("Two seeds per model cannot settle whether k50 and k500 differ")
    fits = stack.mlflow_runs("quick", "tags.`latentlab.role` != 'parent'")
    params = [{param["key"]: param["value"] for param in run["data"]["params"]} for run in fits]
    assert sorted((each["model"], each["iterations"], each["replicate"]) for each in params) == [
        *(("k50", "15", "0"), ("k50", "15", "1")),
        *(("k500", "20", "0"), ("k500", "20", "1")),
    ]


def test_a_faulty_override_ends_the_flow_run_before_anything_is_trained(stack: "Stack") -> None:
    overrides = """--param 'overrides={"replicas": 3, "models.k50.factors": "many"}'"""
    done = stack.sh(f"prefect deployment run experiment/quickstart --watch {overrides}")
    assert done.returncode == 1
    (flow_run,) = [run for run in stack.flow_runs("quickstart") if run["state"]["type"] == "FAILED"]
    message = flow_run["state"]["message"]
    assert "overrides: replicas: unknown key; did you mean 'replicates'?" in message
    assert "overrides: models.k50.factors: found 'many'; expected a whole number" in message
    deleted = requests.delete(f"{stack.prefect}/flow_runs/{flow_run['id']}", timeout=60)
    assert deleted.ok, "other tests look for the runs of the quickstart"


CHANGING = {
    "name": "changing",
    "dataset": {"name": "file", "path": "ratings.csv"},
    "preprocess": {"min_rating": None},
    "models": {"k1": {"factors": 1, "iterations": 1}, "k12": {"factors": 12, "iterations": 6}},
    "of": "users",
    "replicates": 4,
    "queries": {"users": [], "items": [], "recommend_for": []},
    "evaluation": None,
}


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server to which notifications are sent: its address, and the documents that it was sent."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/services/T0", received
        server.shutdown()


def test_an_automation_notifies_when_a_verdict_changes(
    stack: "Stack", tmp_path: Path, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = webhook
    documented = stack.commands("When a verdict changes")
    command = documented.replace("ml-100k", "changing").replace("https://hooks.example.org/services/T0", url)
    assert command.count("changing") == command.count(url) == 1
    for _ in range(2):  # the second time replaces the automation
        done = stack.sh(command)
        assert done.returncode == 0, done.stderr
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CHANGING))
    found = []
    for users in (6, 40, 40):
        rng = np.random.default_rng(5)
        pairs = [(u, i) for u in range(users) for i in range(40) if rng.random() < (0.7 if u % 2 == i % 2 else 0.1)]
        rows = "".join(f"{user},{item},5\n" for user, item in pairs)
        (tmp_path / "ratings.csv").write_text(f"user,item,rating\n{rows}")
        done = stack.sh("latentlab run config.yaml --json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout)["answers"][0])
    before, after, again = found
    assert before["verdict"] != after["verdict"] == again["verdict"]
    eventually(lambda: received, 60)
    query = {"filter": {"resource": {"id": ["latentlab.experiment.changing"]}}}
    eventually(lambda: len(stack.post(f"{stack.prefect}/events/filter", query)["events"]) == 3, 30)
    time.sleep(3)  # long enough for a second notification, were there one
    (notification,) = received
    subject, sentence, address = notification["text"].splitlines()
    assert subject == f"changing: {before['verdict']} -> {after['verdict']}"
    assert sentence.startswith(after["sentence"])
    assert address.startswith(stack.mlflow)


def test_the_documented_limit_on_a_tag_is_accepted(stack: "Stack") -> None:
    done = stack.sh(stack.commands("Tags and limits"))
    assert done.returncode == 0, done.stderr
    (limit,) = stack.post(f"{stack.prefect}/concurrency_limits/filter", {})
    assert (limit["tag"], limit["concurrency_limit"]) == ("model:k500", 1)
    assert stack.sh("prefect --no-prompt concurrency-limit delete model:k500").returncode == 0


def test_the_documented_filters_match_the_documented_runs(stack: "Stack") -> None:
    page = (ROOT / "docs" / "mlflow.md").read_text()
    filters = re.findall(r"^\| `+ ?((?:tags|params|metrics|attributes)\..*?) ?`+ \|", page, re.MULTILINE)
    counts = {condition: len(stack.mlflow_runs("quickstart", condition)) for condition in filters}
    assert list(counts.values()) == [1, 6, 5, 1, 1, 1, 5, 0], counts


def test_the_command_line_reads_the_quickstart_through_the_server(stack: "Stack", tmp_path: Path) -> None:
    done = stack.sh(stack.commands("Look"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "k50 and k500" in done.stdout
    report = json.loads(done.stdout[done.stdout.rindex("{") :])["report"]
    assert Path(report).read_text().startswith("<!DOCTYPE html>")


def test_the_command_line_reuses_what_the_worker_trained(stack: "Stack", tmp_path: Path) -> None:
    done = stack.sh(f"latentlab run {ROOT}/configs/quickstart.yaml --register team --json", cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["trained"], printed["reused"]) == (0, 22)
    assert printed["registered"] == {"team-k50": "1", "team-k500": "1"}
    parents = stack.mlflow_runs("quickstart", "tags.`latentlab.role` = 'parent'")
    assert [run["info"]["run_id"] for run in parents] == [printed["parent_id"]], "the parent of the deployment's run"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**LONG, "models": {"k": {"factors": 0, "iterations": 1}}}, "0 is less than the minimum of 1"),
        ({**LONG, "replicas": 3}, "replicas"),
        ({"name": "no-models"}, "models"),
    ],
)
def test_the_server_refuses_invalid_values(stack: "Stack", config: dict[str, Any], message: str) -> None:
    done = stack.sh(f"prefect deployment run experiment/experiment -p config='{json.dumps(config)}'")
    assert done.returncode == 1
    assert message in done.stdout + done.stderr


def test_cancelling_stops_training_within_five_seconds(stack: "Stack") -> None:
    started = stack.sh(f"prefect deployment run experiment/experiment -p config='{json.dumps(LONG)}'")
    assert started.returncode == 0, started.stderr

    def statuses() -> dict[str, str]:
        return {run["info"]["run_name"]: run["info"]["status"] for run in stack.mlflow_runs("long")}

    def training() -> bool:
        runs = stack.mlflow_runs("long", "attributes.run_name = 'k500 #0'")
        logged = bool(runs) and any(metric["key"] == "objective" for metric in runs[0]["data"].get("metrics", []))
        return logged and statuses().get("k2 #0", "FINISHED") == "FINISHED"  # either fit may be the first

    eventually(training, 120)
    expected = statuses() | {"k500 #0": "KILLED", "k2 vs k500": "KILLED"}
    (flow_run,) = stack.flow_runs("long")
    done = stack.sh(stack.commands("Cancel").replace("FLOW_RUN_ID", flow_run["id"]))
    assert done.returncode == 0, done.stdout
    eventually(lambda: statuses() == expected, 5)
    eventually(lambda: stack.flow_runs("long")[0]["state"]["type"] == "CANCELLED", 30)


def test_a_tracking_server_that_stops_during_training_loses_nothing(stack: "Stack", tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "stops",
                "models": {"k100": {"factors": 100, "iterations": 600}},
                "replicates": 1,
                "evaluation": None,
                "queries": {"users": [10]},
            }
        )
    )
    command = "latentlab run config.yaml --json > out.json 2> err.txt"
    stack.start("command", command, cwd=tmp_path)
    # A run without metrics is not enough: a server that stops before training fails the fit.
    training = "attributes.run_name = 'k100 #0' and metrics.elapsed_seconds > 0"
    eventually(lambda: stack.mlflow_runs("stops", training), 60)
    stack.stop("mlflow")
    try:
        code = stack.processes.pop("command").wait(200)
        assert code == 5, (tmp_path / "err.txt").read_text()
        assert "what is trained is kept" in (tmp_path / "err.txt").read_text()
        again = stack.sh(command, cwd=tmp_path)
        assert again.returncode == 5, "the server does not answer at the start"
        assert "cannot be used" in (tmp_path / "err.txt").read_text()
    finally:
        stack.start_mlflow()
    done = stack.sh("latentlab run config.yaml --json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "trained by an earlier run" in done.stderr
    runs = stack.mlflow_runs("stops")
    assert sorted((run["info"]["run_name"], run["info"]["status"]) for run in runs) == [
        *(("k100", "FAILED"), ("k100", "FINISHED")),
        *(("k100 #0", "FAILED"), ("k100 #0", "FINISHED")),
    ]
    run_id = next(
        run["info"]["run_id"] for run in runs if "latentlab.complete" in tags(run) and "params" in run["data"]
    )
    history = requests.get(
        f"{stack.mlflow}/api/2.0/mlflow/metrics/get-history",
        {"run_id": run_id, "metric_key": "elapsed_seconds", "max_results": 1000},
        timeout=60,
    ).json()["metrics"]
    assert [metric.get("step", 0) for metric in history] == list(range(1, 601)), "every iteration once"
    (identity,) = {tags(run)["latentlab.identity"] for run in runs if tags(run)["latentlab.role"] == "model"}
    assert not (Path(stack.env["LATENTLAB_HOME"]) / "work" / identity).exists()


def test_a_prefect_server_that_does_not_answer(stack: "Stack", tmp_path: Path) -> None:
    done = stack.sh(
        "PREFECT_CLIENT_MAX_RETRIES=0 PREFECT_API_URL=http://127.0.0.1:9/api "
        f"latentlab run {ROOT}/configs/quickstart.yaml",
        cwd=tmp_path,
    )
    assert done.returncode == 6
    assert "PREFECT_API_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_mlflow_answers_only_to_the_allowed_host_names(stack: "Stack") -> None:
    port = stack.mlflow.rpartition(":")[2]
    refused = requests.get(
        f"{stack.mlflow}/api/2.0/mlflow/experiments/search", headers={"Host": "evil.example"}, timeout=60
    )
    assert refused.status_code == 403
    done = stack.sh(f"MLFLOW_TRACKING_URI=http://127.0.0.1:{port} latentlab runs")
    assert done.returncode == 5, "127.0.0.1 is not among --allowed-hosts"
    assert "cannot be used" in done.stderr
