"""The quickstart with small models, run by `latentlab` and read back from the MLflow store by its other commands."""

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.tracking.store import open_store
from tests.command_line import CommandLine, answer_of, command_line
from tests.paths import ROOT

CONFIG = str(ROOT / "configs/quickstart.yaml")
SMALL = [
    *("--set", "models.k500.factors=64", "--set", "models.k500.iterations=3"),
    *("--set", "replicates=2", "--set", "evaluation.replicates=1"),
]


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> CommandLine:
    return command_line(tmp_path_factory.mktemp("quickstart"), api_url, columns=120)


@pytest.fixture(scope="module")
def quickstart(commands: CommandLine) -> dict[str, Any]:
    """What `run --json` prints: of a process, in a folder without a store."""
    result: dict[str, Any] = answer_of(commands.run("run", CONFIG, *SMALL, "--json"))
    return result


@pytest.fixture
def client(commands: CommandLine, quickstart: dict[str, Any]) -> MlflowClient:
    return open_store(commands.store)


@pytest.fixture
def fit(commands: CommandLine, quickstart: dict[str, Any]) -> dict[str, Any]:
    """What `show --json` prints of one fit."""
    result: dict[str, Any] = commands.answer("show", "quickstart/k50/1")
    return result


def test_every_fit_of_a_first_run_is_trained(quickstart: dict[str, Any]) -> None:
    assert (quickstart["trained"], quickstart["reused"]) == (6, 0)
    assert quickstart["dataset"] == "synthetic-100k"


def test_the_parent_run_holds_the_printed_numbers(quickstart: dict[str, Any], client: MlflowClient) -> None:
    parent = client.get_run(quickstart["parent_id"])
    assert parent.info.status == "FINISHED"
    (between,) = [
        row
        for row in quickstart["comparison"]
        if (row["target"], row["depth"], row["a"], row["b"]) == ("users", 5, "k50", "k500")
    ]
    assert parent.data.metrics["overlap/users_at_5.k50_vs_k500"] == pytest.approx(between["overlap"])
    assert between["chance"] == pytest.approx(5 / 942)
    assert {"summary_users", "accuracy/ndcg_at_10.k50"} <= set(parent.data.metrics)


def test_runs_lists_the_parent_and_its_fits(commands: CommandLine, quickstart: dict[str, Any]) -> None:
    listed = commands.answer("runs")["runs"]
    assert len(listed) == 7
    assert [run["run_id"] for run in listed if run["role"] == "parent"] == [quickstart["parent_id"]]


def test_show_prints_the_result_that_run_printed(commands: CommandLine, quickstart: dict[str, Any]) -> None:
    counts = {"trained", "reused", "registered"}
    assert commands.answer("show", "latest") == {key: quickstart[key] for key in quickstart.keys() - counts}


def test_show_prints_parameters_and_tables_of_a_fit(fit: dict[str, Any]) -> None:
    assert fit["params"]["factors"] == "50"
    assert len(fit["tables"]["queries/user_10.json"]) == 5


def test_similar_prints_the_lists_of_the_comparison(commands: CommandLine, quickstart: dict[str, Any]) -> None:
    similar = commands.answer("similar", "latest", "--user", "10")
    assert similar["models"] == quickstart["queries"][0]["models"]


def test_a_user_is_found_by_the_id_of_the_data_set(
    commands: CommandLine, quickstart: dict[str, Any], fit: dict[str, Any]
) -> None:
    raw_id = str(quickstart["queries"][0]["raw_id"])
    similar = commands.answer("similar", "quickstart/k50/1", "--user", raw_id, "--raw")
    assert similar["index"] == 10
    assert [entry["index"] for entry in similar["models"]["k50 #1"]] == [
        row["index"] for row in fit["tables"]["queries/user_10.json"]
    ]


def test_recommended_items_have_titles(commands: CommandLine, quickstart: dict[str, Any]) -> None:
    recommended = commands.answer("recommend", "latest", "--user", "0", "-n", "3")
    assert all(entry["title"].startswith("The ") for entries in recommended["models"].values() for entry in entries)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "latest"], ["mean per user", "61.407211", "Agreement of lists", "Users like user 10"]),
        (["runs"], ["quickstart", "k50/0", "FINISHED"]),
        (["similar", "latest", "--user", "10"], ["seeds", "100%"]),
    ],
)
@pytest.mark.usefixtures("quickstart")
def test_without_json_tables_are_printed(commands: CommandLine, arguments: list[str], words: list[str]) -> None:
    done = commands.call(*arguments)
    assert done.returncode == 0
    assert all(word in done.stdout for word in words), done.stdout


@pytest.mark.usefixtures("quickstart")
def test_a_second_run_trains_nothing(commands: CommandLine) -> None:
    again = commands.answer("run", CONFIG, *SMALL)
    assert (again["trained"], again["reused"]) == (0, 6)


def test_without_an_address_of_prefect_its_embedded_server_is_used(command_env: dict[str, str], workdir: Path) -> None:
    env = {key: value for key, value in command_env.items() if not key.startswith("PREFECT_API")}
    tiny = ["--set", "replicates=1", "--set", "evaluation=null", "--set", "models.k500.factors=8"]
    done = CommandLine(workdir, env).run("run", CONFIG, *tiny, "--json")
    assert answer_of(done)["trained"] == 2
