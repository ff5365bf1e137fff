"""Models that Spark trains beside one of implicit, by the real command: results, and failures with one message each."""

import json
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from mlflow import MlflowClient

from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store
from tests.command_line import CommandLine, answer_of, command_line
from tests.conftest import require, require_package
from tests.serving import refused_port

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

MODEL = {"factors": 4, "iterations": 3, "regularization": 0.05}
CONFIG: dict[str, Any] = {
    "name": "blocks",
    "dataset": {"name": "file", "path": "blocks.csv"},
    "preprocess": {"min_rating": None},
    "models": {"here": MODEL, "there": {**MODEL, "engine": "spark", "blocks": 2}},
    "replicates": 2,
    "queries": {"users": [3], "items": [4], "recommend_for": [0]},
    "comparison": {"depths": [3, 10]},
    "evaluation": {"replicates": 1, "cutoffs": [5]},
    "execution": {"spark": {"master": "local[2]"}, "system_metrics": False},
}
FEW = ("--set", "replicates=1", "--set", "evaluation=null")
"""One fit of each model."""
LONG = (*FEW, "--set", "models.there.iterations=5000")


@pytest.fixture
def spark(tmp_path: Path, blocks: Path, empty_store: Path, api_url: str) -> CommandLine:
    """The config in a folder of its own, with an empty store."""
    require_package("pyspark")
    require(shutil.which("java"), "java")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    shutil.copy(blocks, tmp_path / "blocks.csv")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return command_line(tmp_path, api_url)


def client_of(commands: CommandLine) -> MlflowClient:
    return open_store(commands.store)


def statuses(commands: CommandLine) -> set[str]:
    return {run.info.status for run in our_runs(client_of(commands))}


def java_of(commands: CommandLine, process: "subprocess.Popen[str]") -> psutil.Process:
    """Return Spark's process once it trains."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        # Spark's own: that of the other fits is too short
        if any((commands.folder / "home").glob("work/*/checkpoints/*")):
            children = psutil.Process(process.pid).children(recursive=True)
            return next(child for child in children if child.name() == "java")
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"Spark did not start: {process.communicate()}")


def gone(process: psutil.Process, seconds: float = 20) -> bool:
    with suppress(psutil.NoSuchProcess):
        process.wait(seconds)
    return not process.is_running()


def test_a_model_of_spark_is_compared_with_one_of_implicit(spark: CommandLine) -> None:
    done = spark.run("run", "config.yaml", "--json")
    result = answer_of(done)  # nothing but JSON on stdout
    assert "Stage" not in done.stderr
    assert [run["model"] for run in result["runs"]] == ["here", "here", "there", "there", "here", "there"]
    assert {answer["verdict"] for answer in result["answers"]} & {"too-few-seeds", "inconclusive", None}
    (remark,) = [each for each in result["remarks"] if "Spark MLlib" in each]
    assert "there is trained by Spark MLlib (engine: spark): another model, not a faster one" in remark
    assert [record["model"] for record in result["convergence"]] == ["here"]
    accuracy = {entry["model"]: entry["mean"] for entry in result["accuracy"] if entry["metric"] == "ndcg_at_5"}
    assert accuracy["there"] == pytest.approx(accuracy["here"], rel=0.3)
    runs = our_runs(client_of(spark))
    assert {run.info.status for run in runs} == {"FINISHED"}
    params = {run.data.tags.get("latentlab.model"): run.data.params for run in runs}
    assert params["there"]["engine"] == "spark"
    assert params["there"]["blocks"] == "2"
    assert not {"solver", "orientation", "acceleration", "stop"} & params["there"].keys()
    assert params["here"]["engine"] == "implicit"
    of_spark = [run for run in runs if run.data.tags.get("latentlab.model") == "there"]
    for run in of_spark:
        steps = client_of(spark).get_metric_history(run.info.run_id, "elapsed_seconds")
        assert [step.step for step in steps] == [1, 2, 3]
        assert [step.step for step in client_of(spark).get_metric_history(run.info.run_id, "objective")] == [3]
    assert list((spark.folder / "home" / "work").glob("*")) == []
    again = spark.answer("run", "config.yaml")
    assert (again["trained"], again["reused"]) == (0, 6)
    folded = spark.answer("recommend", "blocks/there/0", "--items", "0,2")
    assert folded["confidence"] == 5.0


def test_check_says_what_a_model_of_spark_is(spark: CommandLine) -> None:
    done = spark.call("check", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "another model, not a faster one" in " ".join(done.stdout.split())
    assert "6 fits" in done.stdout


def without_java(commands: CommandLine) -> CommandLine:
    """Return the commands with a PATH of this Python's folder alone."""
    env = {name: value for name, value in commands.env.items() if name != "JAVA_HOME"}
    folder = commands.folder / "bin"
    folder.mkdir()
    return CommandLine(commands.folder, {**env, "PATH": str(folder)})


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_java_is_said(spark: CommandLine, command: str) -> None:
    message = without_java(spark).failure(2, command, "config.yaml", "--json")
    assert "needs Java 17 or later, and found no `java` on PATH; install Java 17" in message
    assert statuses(spark) == set()


def test_a_java_that_is_too_old_is_said(spark: CommandLine) -> None:
    commands = without_java(spark)
    java = commands.folder / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    message = commands.failure(2, "run", "config.yaml", "--json")
    assert f"needs Java 17 or later, and {java} is Java 11" in message
    message = commands.with_env(JAVA_HOME=str(commands.folder / "none")).failure(2, "run", "config.yaml", "--json")
    assert f"{commands.folder}/none/bin/java of JAVA_HOME cannot be run" in message
    assert statuses(spark) == set()


def test_a_missing_pyspark_is_said(spark: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tasks.core.models.spark.installation.version", version)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    message = spark.failure(2, "run", "config.yaml", "--json")
    assert message == (
        "`engine: spark` needs pyspark, which is not installed; install it with: pip install --editable '.[spark]'\n"
    )


def test_a_process_without_a_session_says_where_to_start_one(spark: CommandLine) -> None:
    message = spark.failure(2, "run", "config.yaml", "--json", "--set", "execution.spark=null", run=spark.run)
    assert "this process has none; say where to start one, such as execution.spark.master=local[2]" in message
    assert statuses(spark) == set()


def test_a_confidence_of_1_in_the_data_is_refused_before_anything_is_trained(spark: CommandLine) -> None:
    ratings = (spark.folder / "blocks.csv").read_text().replace(",5", ",1", 1)
    (spark.folder / "blocks.csv").write_text(ratings)
    message = spark.failure(2, "run", "config.yaml", "--json")
    assert "models.there.alpha: found a confidence alpha·c of 1" in message
    assert statuses(spark) == set()


@pytest.mark.parametrize(("sample", "remedy"), [("null", "set neighbours.sample"), ("5", "needed; lower factors")])
def test_what_the_driver_cannot_hold_is_refused_with_the_remedy(
    spark: CommandLine, monkeypatch: pytest.MonkeyPatch, sample: str, remedy: str
) -> None:
    monkeypatch.setattr("tasks.core.planning.spark.free_memory", lambda: 100 << 20)
    sampled = ("--set", f"neighbours.sample={sample}")
    messages = {spark.failure(2, command, "config.yaml", "--json", *sampled) for command in ("check", "run")}
    (message,) = messages
    assert "this machine is Spark's driver: it needs 1." in message
    assert "0.1 GiB free" in message
    assert remedy in message if sample == "null" else "neighbours.sample" not in message
    assert statuses(spark) == set()


def test_a_master_that_does_not_answer_leaves_no_run_open(spark: CommandLine) -> None:
    master = f"execution.spark.master=spark://127.0.0.1:{refused_port()}"
    begun = time.monotonic()
    done = spark.run("run", "config.yaml", "--json", "--set", master)
    assert done.returncode == 6, done.stderr
    assert time.monotonic() - begun < 120
    assert done.stdout == ""
    assert done.stderr.count("latentlab: ") == 1
    assert "does not answer" in done.stderr.partition("latentlab: ")[2]
    assert statuses(spark) == {"FINISHED", "FAILED"}


def test_the_death_of_sparks_process_is_a_failed_fit_and_the_next_run_completes(spark: CommandLine) -> None:
    process = spark.start("run", "config.yaml", "--json", *LONG)
    java_of(spark, process).kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert out == ""
    assert "Spark's own process ended" in err.partition("latentlab: ")[2]
    assert "Traceback" not in err, err
    assert statuses(spark) == {"FINISHED", "FAILED"}
    assert spark.run("run", "config.yaml", "--json", *FEW).returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_spark_ends_with_the_command(spark: CommandLine, number: signal.Signals, code: int) -> None:
    process = spark.start("run", "config.yaml", "--json", *LONG)
    java = java_of(spark, process)
    process.send_signal(number)
    begun = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert time.monotonic() - begun < 10
    assert gone(java)
    if number != signal.SIGKILL:  # whose runs the next command closes
        assert statuses(spark) == {"FINISHED", "KILLED"}


SESSION = """\
import json, os, sys
from pyspark.sql import SparkSession
from flows import api
spark = SparkSession.builder.master("local[2]").config("spark.driver.host", "127.0.0.1").config(
    "spark.driver.bindAddress", "127.0.0.1").config("spark.ui.enabled", "false").getOrCreate()
api.run("config.yaml", {"execution.spark": None, "name": "own", "replicates": 1, "evaluation": None})
assert spark.range(3).count() == 3, "the session is still the caller's"
"""


def test_the_session_of_the_process_trains_the_same_factors(spark: CommandLine) -> None:
    """As in a notebook on Databricks."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION], cwd=spark.folder, env=spark.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert spark.run("run", "config.yaml", "--json", *FEW).returncode == 0
    digests: dict[str, set[str]] = {}
    for run in our_runs(client_of(spark)):
        if run.data.tags["latentlab.role"] != "parent":
            path = Path(run.info.artifact_uri.removeprefix("file://")) / "manifest.json"
            files = {entry["path"]: entry["sha256"] for entry in json.loads(path.read_text())["files"]}
            digests.setdefault(run.data.tags["latentlab.identity"], set()).add(files["factors.npz"])
    assert len(digests) == 2
    assert all(len(of_identity) == 1 for of_identity in digests.values())


def test_nothing_of_spark_is_imported_without_a_model_of_it(spark: CommandLine) -> None:
    code = """
import sys
from flows.cli.app import app
try:
    app(["check", "config.yaml", "--set", "models={here: {factors: 2, iterations: 3}}", "--set", "execution={}"])
except SystemExit as ended:
    assert ended.code == 0
assert not {"pyspark", "py4j"} & sys.modules.keys()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=spark.folder, env=spark.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
