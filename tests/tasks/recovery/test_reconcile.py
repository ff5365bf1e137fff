"""What a crash has left behind: which runs are closed, which files are removed, and what is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from tasks.core.files import write_text
from tasks.recovery.reconcile import reconcile
from tasks.recovery.working_directory import WorkingDirectory, working_directories
from tasks.tracking.experiments import open_experiment


def status(client: MlflowClient, run_id: str) -> str:
    return str(client.get_run(run_id).info.status)


def closed(client: MlflowClient) -> list[str]:
    return [str(run.info.run_id) for run in reconcile(client)]


def test_a_run_that_is_alive_is_left_alone(client: MlflowClient, open_run: Callable[..., str]) -> None:
    run_id = open_run()
    assert closed(client) == []
    assert status(client, run_id) == "RUNNING"


def test_a_run_whose_process_has_ended_is_closed_as_failed_with_the_reason(
    client: MlflowClient, open_run: Callable[..., str], ended_process: str
) -> None:
    alive, dead = open_run(), open_run(process=ended_process)
    assert closed(client) == [dead]
    assert (status(client, alive), status(client, dead)) == ("RUNNING", "FAILED")
    assert "died; its last heartbeat was at" in client.get_run(dead).data.tags["latentlab.reason"]


def test_a_run_that_has_ended_keeps_its_status(
    client: MlflowClient, open_run: Callable[..., str], ended_process: str
) -> None:
    run_id = open_run(process=ended_process)
    client.set_terminated(run_id, "KILLED")
    assert closed(client) == []
    assert status(client, run_id) == "KILLED"


def test_a_run_that_its_process_finished_after_it_was_listed_stays_finished(
    client: MlflowClient, uri: str, open_run: Callable[..., str], ended_process: str
) -> None:
    """The process has ended, too, when it is looked for: the run would become FAILED, and be read by nobody."""
    run_id = open_run(process=ended_process, complete="x")

    class Late(MlflowClient):
        """A client whose list of runs is old when it arrives."""

        def search_runs(self, *args: Any, **options: Any) -> Any:
            runs = super().search_runs(*args, **options)
            super().set_terminated(run_id, "FINISHED")
            return runs

    assert reconcile(Late(uri, uri)) == []
    assert status(client, run_id) == "FINISHED"


def test_runs_of_other_programs_are_left_alone(client: MlflowClient, uri: str, tmp_path: Path) -> None:
    run = client.create_run(open_experiment(client, uri, tmp_path.name), start_time=1)
    assert closed(client) == []
    assert status(client, run.info.run_id) == "RUNNING"


def test_files_of_complete_fits_are_removed_unless_a_process_trains_or_compares_the_fit(
    client: MlflowClient, open_run: Callable[..., str], ended_process: str
) -> None:
    alive, dead = open_run(identity="of an experiment"), open_run(identity="of another", process=ended_process)
    for identity, parent in {"compared": alive, "abandoned": dead}.items():
        run_id = open_run(complete="x", identity=identity)
        client.set_tag(run_id, "mlflow.parentRunId", parent)
        client.set_terminated(run_id, "FINISHED")
    client.set_terminated(open_run(complete="x", identity="complete"), "FINISHED")
    client.set_terminated(open_run(complete="x", identity="retrained"), "FINISHED")
    open_run(identity="retrained")
    client.set_terminated(open_run(identity="failed"), "FAILED")
    for identity in ("complete", "retrained", "failed", "elsewhere", "compared", "abandoned"):
        directory = WorkingDirectory(identity)
        write_text(directory.factors, "factors")
        write_text(directory.checkpoints / "3.npz", "a checkpoint")
    reconcile(client)
    assert {directory.identity for directory in working_directories()} == {
        "retrained",
        "failed",
        "elsewhere",
        "compared",
    }
