"""Runs that a crash has left open are closed."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.core.training import checkpoint
from tasks.recovery import lock, working_directory
from tasks.recovery.heartbeat import _heard, _process, is_alive
from tasks.tracking import runs
from tasks.tracking.runs import is_complete, run_ref
from tasks.tracking.search import our_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def reconcile(client: "MlflowClient", experiment_ids: Sequence[str] | None = None) -> "list[Run]":
    """Close as FAILED what a crash left RUNNING; the runs that were closed.

    What lies about in our home of fits that are complete is removed, and leases that nobody holds.
    """
    found = our_runs(client, experiment_ids)
    left_open = [run for run in found if run.info.status not in runs.TERMINAL]
    living = [run for run in left_open if is_alive(run)]
    dead = [run for run in left_open if run not in living]
    for run in dead:
        host = _process(run).get("host", "a host that is not known")
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(_heard(run)))
        reason = f"its process on {host} ended without a word; it was last heard of at {when} UTC"
        runs.end_run(client, run.info.run_id, "FAILED", reason)
    complete = {run_ref(run).identity for run in found if is_complete(run)}
    for identity in (working_directory.identities() | checkpoint.identities()) & complete:
        if identity not in {run_ref(run).identity for run in living}:
            discard(identity)
    lock.forget()
    return dead


def discard(identity: str) -> None:
    """Remove from our home what a complete fit no longer needs."""
    working_directory.discard(identity)
    checkpoint.discard(identity)
