"""Which open runs are taken for alive."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.core.process_identity import this_process
from tasks.recovery import heartbeat
from tasks.recovery.heartbeat import SILENT_SECONDS, is_alive
from tasks.tracking.runs import last_heartbeat, start_run

OTHER_MACHINE = {**this_process(), "machine": "another", "host": "far", "pid": 1}
SILENT = [(SILENT_SECONDS - 10, True), (SILENT_SECONDS + 10, False)]


def held(process: dict[str, Any], silent: float) -> dict[str, str]:
    """Return the tag of a run whose process has been silent for some seconds."""
    return {"process": json.dumps({**process, "heartbeat": time.time() - silent})}


def held_by_earlier_version(process: dict[str, Any], silent: float) -> dict[str, str]:
    """Return the two tags of a run that a process of an earlier version holds."""
    return {"process": json.dumps(process), "heartbeat": f"{time.time() - silent:.0f}"}


def test_a_run_of_this_process_is_alive(client: MlflowClient, open_run: Callable[..., str]) -> None:
    assert is_alive(client.get_run(open_run()))


def test_a_run_whose_process_has_ended_is_dead_at_once(
    client: MlflowClient, open_run: Callable[..., str], ended_process: str
) -> None:
    assert not is_alive(client.get_run(open_run(process=ended_process)))


@pytest.mark.parametrize("tags", [held, held_by_earlier_version])
@pytest.mark.parametrize(("silent", "alive"), SILENT)
def test_a_run_of_another_machine_is_dead_after_a_long_silence(
    client: MlflowClient, open_run: Callable[..., str], tags: Callable[..., dict[str, str]], silent: float, alive: bool
) -> None:
    run_id = open_run(**tags(OTHER_MACHINE, silent))
    assert is_alive(client.get_run(run_id)) is alive


def test_a_run_of_an_earlier_version_lives_as_long_as_its_process(
    client: MlflowClient, open_run: Callable[..., str], ended_process: str
) -> None:
    alive = open_run(**held_by_earlier_version(this_process(), 0))
    dead = open_run(**held_by_earlier_version(json.loads(ended_process), 0))
    assert is_alive(client.get_run(alive))
    assert not is_alive(client.get_run(dead))


def test_a_run_that_two_versions_have_held_is_judged_by_the_last_one(
    client: MlflowClient, open_run: Callable[..., str]
) -> None:
    of_earlier = open_run(**held_by_earlier_version(OTHER_MACHINE, 2 * SILENT_SECONDS))
    client.set_tag(of_earlier, "latentlab.process", held(OTHER_MACHINE, 0)["process"])
    assert is_alive(client.get_run(of_earlier))


def test_one_tag_says_which_process_holds_a_run_and_when_it_last_said_so(client: MlflowClient) -> None:
    run = client.get_run(start_run(client, "0", "new", tags={}))
    assert last_heartbeat(run) == pytest.approx(time.time(), abs=5)
    of_process = [tag for tag in run.data.tags if tag in ("latentlab.process", "latentlab.heartbeat")]
    assert of_process == ["latentlab.process"]


def test_heartbeats_are_sent_during_the_block_and_not_after_it(
    client: MlflowClient, open_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    silent = held(OTHER_MACHINE, 2 * SILENT_SECONDS)["process"]
    run_id = open_run(process=silent)
    with heartbeat.heartbeat(client, run_id):
        time.sleep(0.5)
        assert is_alive(client.get_run(run_id))
    client.set_tag(run_id, "latentlab.process", silent)
    time.sleep(0.3)
    assert not is_alive(client.get_run(run_id))
