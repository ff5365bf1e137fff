"""Heartbeats of open runs: a process that holds a run tags it every few seconds, and a silent run is taken for dead."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.core.process_identity import has_ended
from tasks.tracking.runs import last_heartbeat, process_of, send_heartbeat

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.tracking.local_reader.types import StoredRun

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
SILENT_SECONDS = 30.0
_LAST_SECONDS = 5.0
"""For a heartbeat that is being sent when the block ends: it would arrive after the end of the run."""


@contextmanager
def heartbeat(client: "MlflowClient", run_id: str) -> Iterator[None]:
    """Send heartbeats of a run during the block. A store that does not answer is not an error here.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                send_heartbeat(client, run_id)
            except Exception as error:
                log.debug("no heartbeat of run %s: %s", run_id, error)

    sender = threading.Thread(target=beat, name=f"heartbeat {run_id}", daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join(_LAST_SECONDS)


def is_alive(run: "StoredRun") -> bool:
    """Return whether the process that holds an open run still runs.

    It does not if its last heartbeat is too old, or at once if it ran on this machine and has ended.
    """
    return time.time() - last_heartbeat(run) < SILENT_SECONDS and not has_ended(process_of(run))
