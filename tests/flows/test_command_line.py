"""`latentlab` from outside, on the embedded data, read back from the real MLflow store."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.tracking import search, store
from tests.paths import ROOT

QUICK = [
    *("--set", "models.k500.factors=64", "--set", "models.k500.iterations=3"),
    *("--set", "replicates=2", "--set", "evaluation.replicates=1"),
]


def latentlab(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)


def answer(*arguments: str, env: dict[str, str]) -> Any:
    done = latentlab(*arguments, "--json", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def quickstart(command_env: dict[str, str]) -> dict[str, Any]:
    """The embedded data set, run for real with small models."""
    result: dict[str, Any] = answer("run", str(ROOT / "configs/quickstart.yaml"), *QUICK, env=command_env)
    return result


def test_the_quickstart_is_read_back_from_mlflow(
    quickstart: dict[str, Any], workdir: Path, command_env: dict[str, str]
) -> None:
    assert (quickstart["trained"], quickstart["reused"]) == (6, 0)
    client = store.open_store(f"sqlite:///{workdir / 'mlflow.db'}")
    parent = client.get_run(quickstart["parent_id"])
    assert parent.info.status == "FINISHED"
    (between,) = [
        row
        for row in quickstart["comparison"]
        if (row["target"], row["depth"], row["a"], row["b"]) == ("users", 5, "k50", "k500")
    ]
    assert parent.data.metrics["overlap.users_at_5.k50_vs_k500"] == pytest.approx(between["overlap"])
    assert between["chance"] == pytest.approx(5 / 942)
    assert {"summary_users", "ndcg_at_10.k50"} <= set(parent.data.metrics)

    assert len(answer("runs", env=command_env)["runs"]) == 7
    shown = answer("show", "latest", env=command_env)
    assert shown == {key: value for key, value in quickstart.items() if key not in {"trained", "reused", "registered"}}
    one = answer("show", "quickstart/k50/1", env=command_env)
    assert one["params"]["factors"] == "50"
    assert len(one["tables"]["queries/user_10.json"]) == 5

    similar = answer("similar", "latest", "--user", "10", env=command_env)
    assert similar["models"] == quickstart["queries"][0]["models"]
    raw = answer("similar", "quickstart/k50/1", "--user", str(similar["raw_id"]), "--raw", env=command_env)
    assert raw["index"] == 10
    assert [entry["index"] for entry in raw["models"]["k50 #1"]] == [
        row["index"] for row in one["tables"]["queries/user_10.json"]
    ]
    recommended = answer("recommend", "latest", "--user", "0", "-n", "3", env=command_env)
    assert all(entry["title"].startswith("The ") for entries in recommended["models"].values() for entry in entries)

    again = answer("run", str(ROOT / "configs/quickstart.yaml"), *QUICK, env=command_env)
    assert (again["trained"], again["reused"]) == (0, 6)


def test_a_person_reads_tables(quickstart: dict[str, Any], command_env: dict[str, str]) -> None:
    assert quickstart["dataset"] == "synthetic-100k"
    for arguments, words in {
        ("show", "latest"): ("mean per user", "61.407211", "Agreement of lists", "Users like user 10"),
        ("runs",): ("quickstart", "k50/0", "FINISHED"),
        ("similar", "latest", "--user", "10"): ("seeds", "100%"),
    }.items():
        done = latentlab(*arguments, env=command_env)
        assert done.returncode == 0
        assert all(word in done.stdout for word in words), done.stdout


def test_the_embedded_server_is_enough(command_env: dict[str, str], workdir: Path) -> None:
    env = {key: value for key, value in command_env.items() if not key.startswith("PREFECT_API")}
    tiny = ["--set", "replicates=1", "--set", "evaluation=null", "--set", "models.k500.factors=8"]
    done = answer("run", str(ROOT / "configs/quickstart.yaml"), *tiny, env=env)
    assert done["trained"] == 2


def test_help_needs_nothing_heavy(command_env: dict[str, str]) -> None:
    heavy = ("prefect", "mlflow", "pandas", "scipy", "numpy")
    code = f"import sys, flows.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=command_env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_check_prints_config_work_and_memory(command_env: dict[str, str]) -> None:
    found = answer("check", str(ROOT / "configs/ml-100k.yaml"), env=command_env)
    assert (found["fits"], found["iterations"]) == (30, 15 * (15 + 1500))
    assert found["config"]["models"]["k500"]["alpha"] == 1.0
    assert found["gflop"] > 1000
    text = latentlab("check", str(ROOT / "configs/ml-100k.yaml"), env=command_env).stdout
    assert "22,725 iterations" in text
    assert "smallest p      4.3e-05 after Holm over 4 tests, with 10 replicates\n" in text


def test_check_says_where_no_result_could_be_significant(command_env: dict[str, str]) -> None:
    few = ("--set", "replicates=4")
    text = latentlab("check", str(ROOT / "configs/ml-100k.yaml"), *few, env=command_env).stdout
    assert (
        "smallest p      0.11 after Holm over 4 tests, with 4 replicates: nothing can be significant; 5 would" in text
    )
    one = ("--set", "replicates=1")
    text = latentlab("check", str(ROOT / "configs/ml-100k.yaml"), *one, env=command_env).stdout
    assert "smallest p      none: a test needs two models with two replicates each" in text


def test_sigterm_kills_the_runs_and_says_143(command_env: dict[str, str], workdir: Path) -> None:
    long = ["--set", "models.k50.iterations=100000", "--set", "replicates=1", "--set", "evaluation=null"]
    command = [sys.executable, "-m", "flows", "run", str(ROOT / "configs/quickstart.yaml"), *long]
    process = subprocess.Popen(command, env=command_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    client = None
    for _ in range(600):
        time.sleep(0.2)
        if (workdir / "mlflow.db").exists() and client is None:
            client = store.open_store(f"sqlite:///{workdir / 'mlflow.db'}")
        if client is not None and any(run.info.run_name == "k50 #0" for run in search.our_runs(client)):
            break
    time.sleep(1)
    process.terminate()
    started = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert time.monotonic() - started < 15
    assert process.returncode == 143, stderr
    assert client is not None
    assert {run.info.status for run in search.our_runs(client)} == {"KILLED"}
