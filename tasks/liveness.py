"""Which open runs are alive: the process that holds a run says so every few seconds, and one gone silent is closed.

A run carries who holds it (`latentlab.process`) and when that was last heard of (`latentlab.heartbeat`, seconds since
1970). It is dead once nothing was heard for a while, or at once where its process was of this machine and is gone.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks import lease, staging, tracking
from tasks.core import checkpoint
from tasks.core.process import is_gone
from tasks.runs import is_complete, our_runs, run_ref
from tasks.tracking import HEARTBEAT, PROCESS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
SILENT_SECONDS = 30.0


@contextmanager
def alive(client: "MlflowClient", run_id: str) -> Iterator[None]:
    """Say, while the block runs, that the run is alive. A store that does not answer is not an error here."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                client.set_tag(run_id, HEARTBEAT, f"{time.time():.0f}")
            except Exception as error:
                log.debug("no heartbeat of run %s: %s", run_id, error)

    threading.Thread(target=beat, name=f"heartbeat {run_id}", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def is_alive(run: "Run") -> bool:
    """Whether the process that holds an open run goes on."""
    return time.time() - _heard(run) < SILENT_SECONDS and not is_gone(_process(run))


def reconcile(client: "MlflowClient", experiment_ids: Sequence[str] | None = None) -> "list[Run]":
    """Close as FAILED what a crash left RUNNING; the runs that were closed.

    What lies about in our home of fits that are complete is removed, and leases that nobody holds.
    """
    found = our_runs(client, experiment_ids)
    left_open = [run for run in found if run.info.status not in tracking.TERMINAL]
    living = [run for run in left_open if is_alive(run)]
    dead = [run for run in left_open if run not in living]
    for run in dead:
        host = _process(run).get("host", "a host that is not known")
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(_heard(run)))
        reason = f"its process on {host} ended without a word; it was last heard of at {when} UTC"
        tracking.end_run(client, run.info.run_id, "FAILED", reason)
    complete = {run_ref(run).identity for run in found if is_complete(run)}
    for identity in (staging.identities() | checkpoint.identities()) & complete:
        if identity not in {run_ref(run).identity for run in living}:
            discard(identity)
    lease.forget()
    return dead


def discard(identity: str) -> None:
    """Remove from our home what a complete fit no longer needs."""
    staging.discard(identity)
    checkpoint.discard(identity)


def _heard(run: "Run") -> float:
    return float(run.data.tags.get(HEARTBEAT, run.info.start_time / 1000))


def _process(run: "Run") -> dict[str, Any]:
    try:
        return dict(json.loads(run.data.tags[PROCESS]))
    except (KeyError, ValueError, TypeError):
        return {}
