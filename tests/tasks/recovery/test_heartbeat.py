"""Which open runs are taken for alive."""

import json
import time
from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from tasks.core.process_identity import this_process
from tasks.recovery import heartbeat
from tasks.recovery.heartbeat import SILENT_SECONDS, is_alive

OTHER_MACHINE = json.dumps({**this_process(), "machine": "another", "host": "far", "pid": 1})


def seconds_ago(seconds: float) -> str:
    return f"{time.time() - seconds:.0f}"


def test_a_run_of_this_process_is_alive(client: MlflowClient, open_run: Callable[..., str]) -> None:
    assert is_alive(client.get_run(open_run()))


def test_a_run_whose_process_has_ended_is_dead_at_once(
    client: MlflowClient, open_run: Callable[..., str], ended_process: str
) -> None:
    assert not is_alive(client.get_run(open_run(process=ended_process)))


@pytest.mark.parametrize(("silent", "alive"), [(SILENT_SECONDS - 10, True), (SILENT_SECONDS + 10, False)])
def test_a_run_of_another_machine_is_dead_after_a_long_silence(
    client: MlflowClient, open_run: Callable[..., str], silent: float, alive: bool
) -> None:
    run_id = open_run(process=OTHER_MACHINE, heartbeat=seconds_ago(silent))
    assert is_alive(client.get_run(run_id)) is alive


def test_heartbeats_are_sent_during_the_block_and_not_after_it(
    client: MlflowClient, open_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    run_id = open_run(heartbeat="1", process="")
    with heartbeat.heartbeat(client, run_id):
        time.sleep(0.5)
        assert is_alive(client.get_run(run_id))
    client.set_tag(run_id, "latentlab.heartbeat", "1")
    time.sleep(0.3)
    assert not is_alive(client.get_run(run_id))
