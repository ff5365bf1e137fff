"""Which runs are read, which run a name means, and which runs are closed at the end of a flow run."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.core.errors import TrackingError
from tasks.core.planning.runs import EVALUATION, PARENT
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.experiments import open_experiment
from tasks.tracking.local_reader.reader import open_reader
from tasks.tracking.reading.named_run import find_run, split_name
from tasks.tracking.runs import log_use, start_run, supersede
from tasks.tracking.search import close_open_runs, complete_runs, our_runs, search_runs
from tests.tasks.tracking.helpers import Fit


def ended_parent(client: MlflowClient, experiment_id: str, status: str = "FINISHED", *, end: int) -> str:
    """Make a comparison's run with uploaded files, which ended at `end` (ms)."""
    tags = {"latentlab.role": PARENT, "latentlab.complete": "sha256", "latentlab.identity": "k2 and k8"}
    run_id = start_run(client, experiment_id, "k2 vs k8", tags=tags)
    client.set_terminated(run_id, status, end)
    return run_id


# Which runs are read


def test_complete_runs_are_read_by_identity(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    run_ids = {"first": fit("first"), "second": fit("second", role=EVALUATION)}
    runs = complete_runs(client, experiment_id)
    assert {identity: ref.run_id for identity, ref in runs.items()} == run_ids


def test_a_finished_run_without_the_tag_is_not_read(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    run_id = fit(uploaded=False)
    assert complete_runs(client, experiment_id) == {}
    with pytest.raises(TrackingError, match=f"run {run_id} is not complete; run its config again"):
        RunFiles(client, run_id).read("factors.npz")
    with pytest.raises(TrackingError, match="no complete run 'k2/0'"):
        find_run(client, "blocks/k2/0")


@pytest.mark.parametrize("status", [None, "FAILED", "KILLED"])
def test_an_uploaded_run_that_is_not_finished_is_not_read(
    client: MlflowClient, fit: Fit, experiment_id: str, status: str | None
) -> None:
    fit(status=status)
    assert complete_runs(client, experiment_id) == {}


def test_a_superseded_run_is_not_read(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    old, new = fit(end=1000), fit(end=2000)
    supersede(client, [old], by=new)
    assert complete_runs(client, experiment_id)["same"].run_id == new
    assert find_run(client, "blocks/k2/0").info.run_id == new


@pytest.mark.parametrize("ends", [(1000, 2000), (2000, 1000)])
def test_of_two_complete_runs_of_one_identity_the_one_that_ended_first_is_read(
    client: MlflowClient, fit: Fit, experiment_id: str, ends: tuple[int, int]
) -> None:
    by_end = {end: fit(end=end) for end in ends}
    assert complete_runs(client, experiment_id)["same"].run_id == by_end[1000]
    assert client.get_run(by_end[2000]).data.tags["latentlab.superseded"] == by_end[1000]
    assert "latentlab.superseded" not in client.get_run(by_end[1000]).data.tags


def test_of_runs_that_ended_at_the_same_time_the_smallest_run_id_is_read(
    client: MlflowClient, fit: Fit, experiment_id: str
) -> None:
    run_ids = [fit(end=1000) for _ in range(4)]
    assert complete_runs(client, experiment_id)["same"].run_id == min(run_ids)


def test_runs_of_another_experiment_or_program_are_not_read(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str
) -> None:
    fit()
    elsewhere = open_experiment(client, uri, "elsewhere")
    client.create_run(elsewhere)
    assert complete_runs(client, elsewhere) == {}
    assert [run.info.experiment_id for run in our_runs(client)] == [experiment_id]


# Closing runs


def test_closing_ends_only_the_open_runs_of_that_flow_run(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    """Closing again ends nothing: the run keeps its first reason."""
    run_ids = [fit(status=None), fit(), fit(status=None, flow_run_id="flow-2")]

    def statuses_and_reasons() -> list[tuple[str, str | None]]:
        runs = [client.get_run(run_id) for run_id in run_ids]
        return [(run.info.status, run.data.tags.get("latentlab.reason")) for run in runs]

    expected = [("KILLED", "interrupted"), ("FINISHED", None), ("RUNNING", None)]
    close_open_runs(client, experiment_id, "flow-1", status="KILLED", reason="interrupted")
    assert statuses_and_reasons() == expected
    close_open_runs(client, experiment_id, "flow-1", status="KILLED", reason="again")
    assert statuses_and_reasons() == expected


# RUN on the command line


def test_a_run_is_found_by_its_id(client: MlflowClient, fit: Fit) -> None:
    run_id = fit(uploaded=False, status=None)
    assert find_run(client, run_id).info.run_id == run_id


def test_a_run_is_found_by_experiment_model_and_replicate(client: MlflowClient, fit: Fit) -> None:
    run_ids = {(model, n): fit(f"{model}{n}", model=model, replicate=n) for model in ("k2", "k8") for n in (0, 1)}
    fit("held out", model="k2", replicate=1, role=EVALUATION)
    for (model, replicate), run_id in run_ids.items():
        assert find_run(client, f"blocks/{model}/{replicate}").info.run_id == run_id
    assert find_run(client, "blocks/k8").info.run_id == run_ids["k8", 0]


def test_an_experiment_means_its_latest_finished_comparison(client: MlflowClient, experiment_id: str) -> None:
    latest, _ = ended_parent(client, experiment_id, end=2000), ended_parent(client, experiment_id, end=1000)
    ended_parent(client, experiment_id, "FAILED", end=3000)
    assert find_run(client, "blocks").info.run_id == latest


def test_latest_is_the_comparison_that_finished_last_in_any_experiment(
    client: MlflowClient, uri: str, experiment_id: str, fit: Fit
) -> None:
    ended_parent(client, experiment_id, end=1000)
    latest = ended_parent(client, open_experiment(client, uri, "other"), end=2000)
    fit(end=3000)
    run = find_run(client, "latest")
    assert (run.info.run_id, run.data.tags["latentlab.role"]) == (latest, PARENT)


def test_the_latest_is_chosen_without_reading_every_run(
    client: MlflowClient, uri: str, experiment_id: str, fit: Fit
) -> None:
    """Superseded comparisons are passed over; one that was asked for again is the latest."""

    class Counting(MlflowClient):
        runs = 0

        def search_runs(self, *args: Any, **options: Any) -> Any:
            page = super().search_runs(*args, **options)
            self.runs += len(page)
            return page

    for number in range(5):
        fit(str(number))
    ids = [ended_parent(client, experiment_id, end=1000 * number) for number in range(1, 5)]
    supersede(client, ids[3:], by=ids[2])
    counting = Counting(uri, uri)
    assert find_run(counting, "latest").info.run_id == ids[2]
    log_use(client, ids[0])
    assert find_run(counting, "latest").info.run_id == ids[0]
    assert counting.runs <= 16


def test_experiments_beyond_mlflows_page_are_read(
    client: MlflowClient, experiment_id: str, fit: Fit, tmp_path: Path
) -> None:
    """A page has 1,000 experiments, the latest first."""
    run_id, parent = fit(), ended_parent(client, experiment_id, end=1000)
    rows = [(f"later {number}", "", "active", 2**43, 2**43, "default") for number in range(1001)]
    columns = "name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace"
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store, store:
        store.executemany(f"INSERT INTO experiments ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
    assert {run.info.run_id for run in our_runs(client)} == {run_id, parent}
    assert find_run(client, "latest").info.run_id == parent
    with pytest.raises(TrackingError, match=r"blocks, later 0, .*, and 983 more"):
        find_run(client, "bloks")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latest", "no finished experiment yet"),
        ("f" * 32, f"there is no run {'f' * 32}; `latentlab runs` lists them"),
        ("bloks", "there is no experiment 'bloks'; experiments here: blocks"),
        ("bloks/k2/0", "there is no experiment 'bloks'"),
        ("", "there is no experiment ''"),
        ("blocks", "blocks has no finished comparison; run its config"),
        ("blocks/", "blocks has no finished comparison"),
        ("blocks/k9/0", "blocks has no complete run 'k9/0'; it has k2/0"),
        ("blocks/k2/1", "blocks has no complete run 'k2/1'; it has k2/0"),
        ("blocks/k2/x", "blocks has no complete run 'k2/x'"),
        ("blocks/k2/-1", "blocks has no complete run 'k2/-1'"),
        ("blocks/k2/0/0", "blocks has no complete run 'k2/0/0'"),
    ],
)
def test_the_error_of_a_run_that_does_not_exist_lists_those_that_do(
    client: MlflowClient, fit: Fit, text: str, message: str
) -> None:
    fit()
    with pytest.raises(TrackingError) as raised:
        find_run(client, text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["it's", 'a"b', "%", "`", "a = 'b' or 1", "ü", "blocks/k2/²"])
def test_special_characters_are_part_of_a_name_that_does_not_exist(client: MlflowClient, fit: Fit, text: str) -> None:
    fit()
    with pytest.raises(TrackingError):
        find_run(client, text)


def test_an_experiment_that_was_renamed_to_a_name_with_slashes_is_found(
    client: MlflowClient, fit: Fit, experiment_id: str
) -> None:
    parent, run_id = ended_parent(client, experiment_id, end=1000), fit(end=2000)
    client.rename_experiment(experiment_id, "team/old/movies")
    for text, expected in (("", parent), ("/k2", run_id), ("/k2/0", run_id)):
        assert find_run(client, f"team/old/movies{text}").info.run_id == expected
    with pytest.raises(TrackingError, match=r"there is no experiment 'team'; experiments here: .*team/old/movies"):
        find_run(client, "team/movies/k2")


def test_the_experiment_before_the_first_slash_precedes_one_with_a_slash(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str
) -> None:
    run_id = fit()
    ended_parent(client, open_experiment(client, uri, "blocks/k2"), end=1000)
    assert find_run(client, "blocks/k2").info.run_id == run_id


@pytest.mark.parametrize("through_mlflow", [True, False])
def test_a_run_that_starts_while_pages_are_read_repeats_no_other(
    client: MlflowClient, uri: str, experiment_id: str, through_mlflow: bool
) -> None:
    before = {start_run(client, experiment_id, str(number), tags={}) for number in range(5)}
    reader = client if through_mlflow else open_reader(uri)
    assert reader is not None
    runs = search_runs(reader, [experiment_id], page_size=2)
    run_ids = [next(runs).info.run_id]
    start_run(client, experiment_id, "meanwhile", tags={})
    run_ids += [run.info.run_id for run in runs]
    assert sorted(run_ids) == sorted(before)


def test_the_name_of_an_experiment_may_be_a_path(client: MlflowClient, uri: str) -> None:
    ids = {name: open_experiment(client, uri, name) for name in ("/Users/me@example.org/ml", "team/ml")}
    for text, expected in (
        ("/Users/me@example.org/ml", ("/Users/me@example.org/ml", "")),
        ("/Users/me@example.org/ml/k2", ("/Users/me@example.org/ml", "k2")),
        ("/Users/me@example.org/ml/k2/0", ("/Users/me@example.org/ml", "k2/0")),
        ("team/ml/k2", ("team/ml", "k2")),
        ("nothing/k2/0", ("nothing", "k2/0")),
    ):
        assert split_name(client, text) == (ids.get(expected[0]), *expected)
    with pytest.raises(TrackingError, match=r"no experiment '/Users/you@example\.org/ml'; experiments here: /Users/me"):
        find_run(client, "/Users/you@example.org/ml")
