"""Heartbeats of open runs."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks.core.process_identity import is_gone
from tasks.tracking.runs import HEARTBEAT, PROCESS

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


def _heard(run: "Run") -> float:
    return float(run.data.tags.get(HEARTBEAT, run.info.start_time / 1000))


def _process(run: "Run") -> dict[str, Any]:
    try:
        return dict(json.loads(run.data.tags[PROCESS]))
    except (KeyError, ValueError, TypeError):
        return {}
