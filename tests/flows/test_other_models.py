"""Models that others trained: their lists and factors are compared as those that were trained here."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.core.comparison.answers import Answer
from tasks.tracking.artifacts import RunFiles
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment


@pytest.fixture
def commands(workdir: Path, empty_store: Path, api_url: str) -> CommandLine:
    shutil.copy(empty_store, workdir / "mlflow.db")
    return command_line(workdir, api_url)


@pytest.fixture(scope="session")
def exported(finished: FinishedExperiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lists and factors of the finished experiment's fits, as another library would write them."""
    folder = tmp_path_factory.mktemp("exported")
    for run in finished.outcome.result.runs:
        if run.role != "model":
            continue
        files, name = RunFiles(finished.client, run.run_id), f"{run.model}-{run.replicate}"
        users, items = (pd.read_parquet(files.read(f"{side}.parquet"))["raw_id"] for side in ("users", "items"))
        neighbours = pd.read_parquet(files.read("neighbours/users.parquet"))
        neighbours["entity"] = users.to_numpy()[neighbours["index"]]
        neighbours["neighbour"] = users.to_numpy()[neighbours["neighbour"]]
        columns = ["entity", "neighbour", "rank", "score"]
        neighbours[columns].sample(frac=1, random_state=1).to_parquet(folder / f"users-{name}.parquet")
        recommended = pd.read_parquet(files.read("recommendations.parquet"))
        recommended["user_id"] = users.to_numpy()[recommended["index"]].astype(float)
        recommended["item_id"] = items.to_numpy()[recommended["item"]]
        recommended[["user_id", "item_id", "rank"]].to_csv(folder / f"recommended-{name}.csv", index=False)
        with np.load(files.read("factors.npz")) as factors:
            order = np.random.default_rng(run.replicate).permutation(len(users))
            np.savez(
                folder / f"factors-{name}.npz",
                user_factors=factors["user_factors"][order],
                item_factors=factors["item_factors"],
                user_ids=users.to_numpy()[order],
                item_ids=items.to_numpy(),
            )
    return folder


def overlaps(answer: "Answer | dict[str, float]") -> list[float]:
    values = answer if isinstance(answer, dict) else vars(answer)
    return [values[key] for key in ("within_a", "within_b", "between", "delta", "p")]


def answer_of(finished: FinishedExperiment, target: str) -> Answer:
    return next(answer for answer in finished.outcome.result.answers if answer.target == target)


def test_lists_give_the_answer_of_the_fits_that_they_come_from(
    commands: CommandLine, exported: Path, finished: FinishedExperiment
) -> None:
    arguments = [f"--lists=k2={exported}/users-k2-*.parquet", f"--lists=k8={exported}/users-k8-*.parquet"]
    margins = ["--margin", "0.3", "--margin-query", "0.4", "--set", "queries.users=[{id: 3}]"]
    with_query = commands.answer(
        "compare", *arguments, "--of", "users", *margins, "--depths", "5,8", "--baseline", "k8"
    )
    assert [(row["a"], row["target"], row["margin"]) for row in with_query["answers"]] == [
        ("k8", "user_3", 0.4),
        ("k8", "users", 0.3),
    ]
    assert {row["depth"] for row in with_query["comparison"]} == {5, 8}
    result = commands.answer("compare", *arguments, "--of", "users", "--name", "nightly", "--json")
    (answer,) = result["answers"]
    assert overlaps(answer) == pytest.approx(overlaps(answer_of(finished, "users")))
    assert (result["dataset"], result["summary"]["users"]) == ("none", finished.outcome.result.summary.users)
    assert [run["content"] for run in result["files"]] == ["40 lists of 39 entries"] * 4
    assert {row["target"] for row in result["comparison"]} == {"users"}
    assert max(len(curve["overlap"]) for curve in result["curves"]) == 39

    again = commands.answer("compare", *arguments, "--of", "users", "--name", "nightly", "--json")
    assert (again["parent_id"], again["runs"]) == (result["parent_id"], result["runs"])
    shown = commands.answer("show", "nightly/k8/1", "--json")
    assert shown["params"]["files"] == f"{exported}/users-k8-1.parquet"
    similar = commands.answer("similar", "nightly", "--user", "3", "-n", "3", "--json")
    assert similar["models"].keys() == {"k2", "k8"}
    assert commands.call("verify").returncode == 0
    refused = commands.call("recommend", "nightly", "--user", "3")
    assert refused.returncode == 2
    assert "has neither recommendations.parquet nor factors.npz" in refused.stderr
    assert "read from a file of other lists" in refused.stderr


def test_models_that_change_their_names_or_their_files_are_other_runs(commands: CommandLine, exported: Path) -> None:
    def compared(**patterns: str) -> tuple[dict[str, float], list[tuple[str, int]]]:
        options = [f"--lists={model}={exported}/users-{pattern}.parquet" for model, pattern in patterns.items()]
        result = commands.answer("compare", *options, "--of", "users")
        within = {
            row["a"]: row["overlap"] for row in result["comparison"] if row["a"] == row["b"] and row["depth"] == 5
        }
        return within, [(run["model"], run["replicate"]) for run in result["runs"]]

    before, runs = compared(a="k2-*", b="k8-*")
    assert runs == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    swapped, runs = compared(a="k8-*", b="k2-*")
    assert (swapped["a"], swapped["b"]) == (before["b"], before["a"])
    assert runs == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    renamed, runs = compared(former="k2-*", b="k8-*")
    assert (renamed["former"], renamed["b"]) == (before["a"], before["b"])
    assert compared(a="k2-1", b="k8-*")[1] == [("a", 0), ("b", 0), ("b", 1)]
    assert compared(a="k2-[01]", b="k8-*")[1] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_factors_give_the_answers_of_the_fits_that_they_come_from(
    commands: CommandLine, exported: Path, finished: FinishedExperiment, blocks: Path
) -> None:
    arguments = [f"--factors=k2={exported}/factors-k2-*.npz", f"--factors=k8={exported}/factors-k8-*.npz"]
    with_data = commands.answer("compare", *arguments, "--interactions", str(blocks), "--name", "a", "--json")
    assert [answer["target"] for answer in with_data["answers"]] == ["users", "items", "recommendations"]
    for answer in with_data["answers"]:
        # orders of equal cosines and scores aside, which depend on the order of the rows
        assert overlaps(answer) == pytest.approx(overlaps(answer_of(finished, answer["target"])), abs=0.02)
    assert with_data["data_sha256"] == finished.outcome.result.data_sha256
    without = commands.answer("compare", *arguments, "--name", "b", "--json")
    assert [answer["target"] for answer in without["answers"]] == ["users", "items"]
    assert {row["target"] for row in without["other_similarity"]} == {"users", "items"}


def test_models_of_both_kinds_in_one_config(
    commands: CommandLine, exported: Path, finished: FinishedExperiment, blocks: Path
) -> None:
    (commands.folder / "config.yaml").write_text(
        f"""\
name: mixed
of: recommendations
dataset: {{name: file, path: {blocks}}}
preprocess: {{min_rating: null}}
models:
  k2: {{factors: 2, iterations: 4}}
  other: {{lists: "{exported}/recommended-k8-*.csv"}}
replicates: 2
queries: {{recommend_for: [0], recommend_n: 3}}
comparison: {{depths: [3, 10]}}
"""
    )
    result = commands.answer("run", "config.yaml", "--json")
    assert (result["trained"], [run["model"] for run in result["files"]]) == (2, ["other", "other"])
    assert result["data_sha256"] == finished.outcome.result.data_sha256
    assert [answer["target"] for answer in result["answers"]] == ["recommendations", "recommend_for_0"]
    rows = {
        (row["a"], row["b"], row["depth"]): row["overlap"]
        for row in result["comparison"]
        if row["target"] == "recommendations"
    }
    known = {
        (row.a, row.b, row.depth): row.overlap
        for row in finished.outcome.result.comparison
        if row.target == "recommendations"
    }
    assert rows["other", "other", 10] == pytest.approx(known["k8", "k8", 10])
    report = Path(commands.answer("report", "mixed", "--json")["report"]).read_text()
    assert "recommended-k8-1.csv" in report
    assert "models are read from files" in report


def test_check_reads_the_files_and_refuses_what_a_run_refuses(commands: CommandLine, exported: Path) -> None:
    shutil.copytree(exported, commands.folder / "lists")
    (commands.folder / "config.yaml").write_text(
        "name: x\nof: users\nmodels:\n"
        "  k2: {lists: 'lists/users-k2-*.parquet'}\n  k8: {lists: 'lists/users-k8-*.parquet'}\n"
        "queries: {users: [{id: 7}]}\n"
    )
    done = commands.call("check", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "compared        40 users\n" in done.stdout
    assert "file            k8 #1: 40 lists of 39 entries in lists/users-k8-1.parquet\n" in done.stdout
    assert "40 users have lists in all runs." in done.stdout
    assert "smallest p      0.667 after Holm over 2 tests, with 2 replicates" in done.stdout
    assert "fits" not in done.stdout
    checked = commands.answer("check", "config.yaml")
    assert checked["fits"] == 0
    assert [run["model"] for run in checked["files"]] == ["k2", "k2", "k8", "k8"]

    frame = pd.read_parquet(commands.folder / "lists" / "users-k8-1.parquet")
    frame[frame["entity"] != 7].to_parquet(commands.folder / "lists" / "users-k8-1.parquet")
    for command in ("check", "run"):
        message = commands.failure(2, command, "config.yaml")
        assert "has no list in some of the runs that are read from files" in message
    assert commands.finished_runs() == 0


def test_accuracy_of_lists_on_a_test_file(commands: CommandLine, exported: Path) -> None:
    lists = pd.read_csv(exported / "recommended-k8-0.csv")
    best = lists[lists["rank"] == 1]
    test = pd.DataFrame({"user": best["user_id"].astype(int), "item": best["item_id"], "rating": 5})
    pd.concat([test, test[:3]]).to_csv(commands.folder / "test.csv", index=False)
    arguments = [f"--lists={model}={exported}/recommended-{model}-*.csv" for model in ("k8", "k2")]
    command = ["compare", *arguments, "--of", "recommendations", "--test", "test.csv", "-n", "5", "--json"]
    assert "overlap: drop counts repeated lines" in commands.failure(3, *command)
    sets = ["--set=evaluation.cutoffs=[5]", "--set=evaluation.split.overlap=drop"]
    result = commands.answer(*command, *sets)
    accuracy = {(row["model"], row["metric"]): row for row in result["accuracy"]}
    assert accuracy["k8", "recall_at_5"]["replicates"] == 2
    assert 0.5 < accuracy["k8", "recall_at_5"]["mean"] <= 1
    assert ("k8", "auc") not in accuracy
    assert result["reference_accuracy"] == []
    assert set(result["left_out"].values()) == {"there are no interactions to learn from"}
    assert (result["held_out"]["test_interactions"], result["held_out"]["test_repeated"]) == (len(best), 3)
    assert "Test file: 3 repeated lines left out by evaluation.split.overlap drop." in result["remarks"]
    # run 0 of k8 recommends the test item of every user first
    per_run = [
        commands.answer("show", run["run_id"], "--json")["metrics"]["recall_at_5"]
        for run in result["runs"]
        if (run["role"], run["model"], run["replicate"]) == ("evaluation", "k8", 0)
    ]
    assert per_run == [1.0]


def test_single_runs_are_described(commands: CommandLine, exported: Path) -> None:
    arguments = [f"--lists={model}={exported}/users-{model}-0.parquet" for model in ("k2", "k8")]
    done = commands.call("compare", *arguments, "--of", "users")
    assert done.returncode == 0, done.stderr
    assert "described and not tested" in " ".join(done.stdout.split())
    assert "give 4 files of each model or more" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--lists=a={}/users-k2-*.parquet"], 2, "of: is missing: say what the files list"),
        (["--lists=a={}/nothing-*.csv", "--of=users"], 2, "no file matches"),
        (["--lists=a={}/users-k2-0.parquet", "--of=user"], 2, "did you mean 'users'"),
        (["--lists=a", "--of=users"], 2, "expected MODEL=PATTERN"),
        (["--factors=a={}/factors-k*.npz"], 3, "expected runs of one model, which have equal k"),
        (["--factors=a={}/factors-k2-*.npz", "--of=recommendations"], 2, "so they need the interactions"),
        (["--lists=a={}/users-k2-*.parquet", "--of=users", "-n", "50"], 2, "the longest list of"),
        (["--lists=a={}/users-k2-*.parquet", "--of=users", "--test=x.csv"], 2, "lists of users have no accuracy"),
        (["--lists=a={}/users-k2-*.parquet", "--of=users", "--depths=5,x"], 2, "comparison.depths"),
        (["k2", "k8", "--lists=a={}/users-k2-*.parquet", "--of=users"], 2, "either runs or files"),
        ([], 2, "expected two models A and B"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    options: list[str], code: int, message: str, commands: CommandLine, exported: Path
) -> None:
    before = json.loads(commands.call("runs", "--json").stdout)["runs"]
    done = commands.call("compare", *(option.format(exported) for option in options))
    assert (done.returncode, done.stdout) == (code, "")
    assert message in " ".join(done.stderr.split())
    assert json.loads(commands.call("runs", "--json").stdout)["runs"] == before == []


def test_files_cannot_be_registered(commands: CommandLine, exported: Path) -> None:
    (commands.folder / "config.yaml").write_text(
        f"name: x\nof: users\nmodels:\n  a: {{lists: '{exported}/users-k2-*.parquet'}}\n"
    )
    done = commands.call("run", "config.yaml", "--register", "name")
    assert done.returncode == 2
    assert "no logged model" in done.stderr


def test_other_configs_keep_their_digest(finished: FinishedExperiment) -> None:
    config = finished.outcome.result.config_sha256
    assert config == finished.config.digest()
