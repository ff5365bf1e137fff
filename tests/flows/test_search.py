"""`search`: settings chosen on the validation part, the config that it writes, and its runs in MLflow."""

import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from tasks.core.config.load import load_config
from tasks.core.search.result import SearchResult, Tuning
from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store
from tests.command_line import CommandLine, Done, command_line
from tests.test_docs import documented_fields

CONFIG = """\
name: searched
dataset: {{name: file, path: {ratings}}}
preprocess: {{min_rating: 4}}
models:
  k2: {{factors: 2, iterations: 4}}
  k8: {{factors: 8, iterations: 6}}
replicates: 2
snapshots: [2]
queries: {{users: [3]}}
comparison: {{depths: [3]}}
evaluation: {{part: validation, replicates: 1, cutoffs: [5]}}
search:
  models:
    k2: {{regularization: {{low: 0.1, high: 30, log: true}}, alpha: [1, 1.0e+12]}}
    k8: {{iterations: {{low: 2, high: 8}}}}
  metric: ndcg_at_5
  trials: 6
"""


def new_folder(folder: Path, blocks: Path, empty_store: Path, api_url: str) -> CommandLine:
    """Return the command line of a folder with a config that searches, and an empty store."""
    (folder / "c.yaml").write_text(CONFIG.format(ratings=blocks))
    shutil.copy(empty_store, folder / "mlflow.db")
    return command_line(folder, api_url)


@pytest.fixture(scope="module")
def searched(
    blocks: Path, empty_store: Path, api_url: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CommandLine, Done]:
    """A search that was run once, with `--write`. Tests only read it."""
    commands = new_folder(tmp_path_factory.mktemp("searched"), blocks, empty_store, api_url)
    done = commands.call("search", "c.yaml", "--write", "tuned.yaml")
    assert done.returncode == 0, done.stderr
    return commands, done


@pytest.fixture
def commands(tmp_path: Path, blocks: Path, empty_store: Path, api_url: str) -> CommandLine:
    """The same in a folder of one test, not yet run."""
    return new_folder(tmp_path, blocks, empty_store, api_url)


def client_of(commands: CommandLine) -> MlflowClient:
    return open_store(commands.store)


def roles(commands: CommandLine) -> Counter[tuple[str, str]]:
    """Return the number of runs of each role and status."""
    runs = our_runs(client_of(commands))
    return Counter((run.data.tags["latentlab.role"], run.info.status) for run in runs)


def without_seconds(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**tuning, "seconds": 0} for tuning in answer["tunings"]]


def test_the_result_comes_first_as_a_table(searched: tuple[CommandLine, Done]) -> None:
    commands, done = searched
    assert done.stdout.startswith("ndcg_at_5 on the validation part, mean over 2 seeds\nmodel ")
    assert "Best after trials\n" in done.stdout
    assert "k2: a trial failed: the factors are no longer finite" in done.stdout
    runs = our_runs(client_of(commands))
    failed = [
        run.data.tags["latentlab.trial"] for run in runs if run.data.tags.get("latentlab.trial_state") == "failed"
    ]
    said = re.findall(r"search k2: trial (\d+), regularization", " ".join(done.stderr.split()))
    assert sorted(said) == sorted(failed), "a trial has one number everywhere"
    assert done.stdout.endswith("tuned.yaml written; run it with: latentlab run tuned.yaml\n")


def test_a_second_search_trains_nothing_and_gives_the_same(searched: tuple[CommandLine, Done]) -> None:
    commands, _ = searched
    before = roles(commands)
    answer = commands.answer("search", "c.yaml")
    assert answer["trained"] == 0
    assert [tuning["trials"] for tuning in answer["tunings"]] == [6, 6]
    assert roles(commands) == before
    expected = {field.name for record in (SearchResult, Tuning) for field in fields(record)}
    assert expected | {"written"} <= set(documented_fields("`search`"))
    assert answer.keys() | answer["tunings"][0].keys() == expected | {"written"}


def test_prefect_shows_the_best_settings_and_the_tags(searched: tuple[CommandLine, Done]) -> None:
    with get_client(sync_client=True) as prefect:
        of_name = FlowRunFilter(name=FlowRunFilterName(any_=["search searched"]))
        flow_runs = prefect.read_flow_runs(flow_run_filter=of_name)
        task_runs = prefect.read_task_runs(flow_run_filter=of_name)
    states = [str(flow_run.state.message) for flow_run in flow_runs if flow_run.state]
    best = (
        r"Best on the validation part: k2: ndcg_at_5 0\.\d{4} with regularization .+, alpha .+; k8: .+ iterations \d\."
    )
    assert states
    assert all(re.fullmatch(best, message) for message in states), states
    assert {tuple(flow_run.tags) for flow_run in flow_runs} == {("experiment:searched",)}
    models = {run.name: set(run.tags) for run in task_runs if "role:search" in run.tags}
    assert {"model:k2", "experiment:searched", "role:search"} in models.values()


def test_the_written_config_has_what_was_found_and_runs(searched: tuple[CommandLine, Done]) -> None:
    commands, _ = searched
    k2, k8 = commands.answer("search", "c.yaml")["tunings"]
    tuned, original = (load_config(commands.folder / name) for name in ("tuned.yaml", "c.yaml"))
    assert tuned.search is None
    assert tuned.evaluation is not None
    assert tuned.evaluation.part == "test"
    assert tuned.tuned is not None
    assert tuned.tuned.settings == ("regularization", "alpha", "iterations")
    assert tuned.tuned.by == "c.yaml"
    assert tuned.models == {
        name: model.model_copy(update=found["settings"])
        for (name, model), found in zip(original.trained.items(), (k2, k8), strict=True)
    }
    assert tuned.seed == original.seed
    done = commands.call("run", "tuned.yaml")
    assert done.returncode == 0, done.stderr
    assert "No runs yet" not in commands.call("runs").stdout
    assert commands.answer("show", "searched")["tuning"], "a search is not taken for a comparison"


def test_an_existing_file_is_not_overwritten(commands: CommandLine) -> None:
    message = commands.failure(2, "search", "c.yaml", "--write", "c.yaml")
    assert message == "--write: c.yaml exists, and is not overwritten; name a new file\n"


@pytest.mark.parametrize("written", ["nowhere/t.yaml", "c.yaml/t.yaml"])
def test_a_file_that_cannot_be_written_is_refused_before_the_search(commands: CommandLine, written: str) -> None:
    folder, _ = written.split("/")
    message = commands.failure(3, "search", "c.yaml", "--write", written)
    assert f"--write: {written} cannot be written: {folder} is no folder that can be written to" in message
    assert not roles(commands), "nothing was searched"


def test_a_config_without_search_is_refused(commands: CommandLine) -> None:
    assert "search: is missing" in commands.failure(2, "search", "c.yaml", "--set", "search=null")


def test_trials_are_nested_runs_and_their_study_is_not_in_mlflows_database(searched: tuple[CommandLine, Done]) -> None:
    commands, _ = searched
    runs = our_runs(client_of(commands))
    (parent,) = [run for run in runs if run.data.tags["latentlab.role"] == "search"]
    trials = [run for run in runs if run.data.tags["latentlab.role"] == "trial"]
    assert len(trials) == 12
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    states = Counter((run.data.tags["latentlab.trial_state"], run.info.status) for run in trials)
    assert states["complete", "FINISHED"] > 0
    assert states["failed", "FAILED"] > 0
    failed = next(run for run in trials if run.info.status == "FAILED")
    assert "no longer finite" in failed.data.tags["latentlab.reason"]
    complete = next(run for run in trials if run.data.tags["latentlab.trial_state"] == "complete")
    assert {"regularization", "alpha", "iterations", "model", "seeds"} <= complete.data.params.keys()
    along = client_of(commands).get_metric_history(complete.info.run_id, "ndcg_at_5")
    assert [metric.step for metric in along] == [2, int(complete.data.params["iterations"])]
    assert complete.data.metrics["final/ndcg_at_5"] == along[-1].value
    best = client_of(commands).get_metric_history(parent.info.run_id, "best/k8")
    assert [metric.step for metric in best] == [1, 2, 3, 4, 5, 6]
    with closing(sqlite3.connect(commands.folder / "mlflow.db")) as store:
        tables = {name for (name,) in store.execute("select name from sqlite_master where type = 'table'")}
    assert "studies" not in tables
    assert len(list((commands.folder / "home" / "searches").glob("*.db"))) == 2


def test_commands_that_read_runs_ignore_trials(searched: tuple[CommandLine, Done]) -> None:
    commands, _ = searched
    listed = {row["role"] for row in commands.answer("runs")["runs"]}
    assert "trial" not in listed
    assert "search" in listed
    assert commands.call("verify").returncode == 0
    assert commands.answer("reconcile") == {"closed": []}


def test_a_search_has_no_report(searched: tuple[CommandLine, Done]) -> None:
    commands, _ = searched
    (run_id,) = {row["run_id"] for row in commands.answer("runs")["runs"] if row["role"] == "search"}
    done = commands.call("report", run_id)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"run {run_id} has no report: its role is search; name a comparison" in done.stderr


def finished_in(home: Path) -> int:
    """Return the number of finished trials in all studies of a home."""
    count = 0
    for path in (home / "searches").glob("*.db"):
        with closing(sqlite3.connect(path)) as study:
            query = "select count(*) from trials where state in ('COMPLETE', 'PRUNED')"
            try:
                count += study.execute(query).fetchone()[0]
            except sqlite3.OperationalError:  # its tables are being made
                continue
    return count


def started(commands: CommandLine, trials: int) -> "subprocess.Popen[str]":
    """Start a search in a process, and return it once some trials are finished."""
    process = commands.start("search", "c.yaml", "--set", "search.trials=12", "--json")
    while finished_in(commands.folder / "home") < trials:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def test_a_search_that_was_killed_resumes_and_finds_the_same(
    commands: CommandLine, tmp_path_factory: pytest.TempPathFactory, blocks: Path, empty_store: Path, api_url: str
) -> None:
    for trials in (4, 15):  # in the search of the first model, and in that of the second
        process = started(commands, trials)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = finished_in(commands.folder / "home")
    assert 15 <= finished < 24
    answer = commands.answer("search", "c.yaml", "--set", "search.trials=12")
    assert answer["trained"] == 24 - finished
    other = new_folder(tmp_path_factory.mktemp("other"), blocks, empty_store, api_url)
    undisturbed = other.answer("search", "c.yaml", "--set", "search.trials=12")
    assert undisturbed["trained"] == 24
    assert without_seconds(answer) == without_seconds(undisturbed)
    runs = our_runs(client_of(commands))
    assert Counter(run.data.tags["latentlab.role"] for run in runs)["search"] == 1, "the run was opened again"
    logged = Counter(
        (run.data.tags["latentlab.model"], run.data.tags["latentlab.trial"])
        for run in runs
        if "latentlab.trial_state" in run.data.tags
    )
    assert len(logged) == 24
    assert set(logged.values()) == {1}
    assert not [run for run in runs if run.info.status == "RUNNING"]


def test_ctrl_c_ends_a_search_with_one_message_and_leaves_nothing_open(commands: CommandLine) -> None:
    process = started(commands, 4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "latentlab: interrupted"
    assert "Traceback" not in err
    assert not [run for run in our_runs(client_of(commands)) if run.info.status == "RUNNING"]
    assert roles(commands)["search", "KILLED"] == 1
    assert commands.answer("search", "c.yaml", "--set", "search.trials=6")["trained"] <= 9
    assert roles(commands)["search", "FINISHED"] == 1
