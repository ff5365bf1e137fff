"""What a crash has left behind: open runs are closed, and files that nothing needs are removed."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.recovery import lock
from tasks.recovery.heartbeat import is_alive
from tasks.recovery.working_directory import working_directories
from tasks.tracking.runs import ENDED, end_run, is_complete, last_heartbeat, process_of, run_ref
from tasks.tracking.search import our_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.tracking.local_reader.types import StoredRun


def reconcile(client: "MlflowClient", experiment_ids: Sequence[str] | None = None) -> "list[StoredRun]":
    """Close as FAILED the open runs whose process has died, and remove leftover local files.

    Removed are the working directories of complete fits, unless a process trains the fit again or still compares it,
    and lock files that no process holds.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_ids : sequence of str, optional
        All experiments by default.

    Returns
    -------
    list of StoredRun
        The runs that were closed.
    """
    runs = our_runs(client, experiment_ids)
    open_runs = [run for run in runs if run.info.status not in ENDED]
    alive = [run for run in open_runs if is_alive(run)]
    # read again: the process may have ended a run as FINISHED, and then itself, since all runs were read
    dead = [run for run in open_runs if run not in alive and client.get_run(run.info.run_id).info.status not in ENDED]
    for run in dead:
        host = process_of(run).get("host", "an unknown host")
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(last_heartbeat(run)))
        end_run(client, run.info.run_id, "FAILED", f"the process on {host} died; its last heartbeat was at {when} UTC")
    alive_ids = {run.info.run_id for run in alive}
    complete = [run for run in runs if is_complete(run)]
    # a fit's files are read once more by the comparison that its parent run stands for
    compared = [run for run in complete if run.data.tags.get("mlflow.parentRunId") in alive_ids]
    needed = {run_ref(run).identity for run in (*alive, *compared)}
    unneeded = {run_ref(run).identity for run in complete} - needed
    for directory in working_directories():
        if directory.identity in unneeded:
            directory.remove()
    lock.remove_unused()
    return dead
