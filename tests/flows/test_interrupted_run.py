"""SIGINT to the process of a flow: runs under way are KILLED, and KeyboardInterrupt reaches the caller."""

from collections import Counter

import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.reporting.progress import listening
from tasks.tracking.search import our_runs
from tests.flows.listeners import Recording, interrupt, wait_until

ONE_SEED = {"replicates": 1, "evaluation": None}


def statuses(client: MlflowClient) -> Counter[str]:
    """Return the number of runs of each status, the parent among them."""
    return Counter(run.info.status for run in our_runs(client))


@pytest.mark.parametrize(
    ("part", "fit", "done", "changes", "finished", "killed"),
    [
        ("train {}", 2, 3, {}, 2, 2),
        ("lists of {}", 1, 1, ONE_SEED, 1, 2),  # of the last fit: no other one trains meanwhile
        ("lists of item-knn", 5, 1, {}, 6, 1),
    ],
    ids=["training", "lists", "references"],
)
@pytest.mark.usefixtures("api_url")
def test_an_interrupt_kills_the_runs_under_way(
    config: ExperimentConfig,
    client: MlflowClient,
    part: str,
    fit: int,
    done: int,
    changes: dict[str, object],
    finished: int,
    killed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One fit trains at a time. Those before the fit that is interrupted, counted from 0, are finished first."""
    monkeypatch.setattr("tasks.held_out.run_beside_fits", lambda *_: False)  # as with large data: nothing else runs
    interrupted: list[str] = []

    def on_step(label: str, done_now: int) -> None:
        fits = recording.trained
        if not interrupted and len(fits) > fit and label == part.format(fits[fit]) and done_now >= done:
            interrupted.append(label)
            wait_until(lambda: statuses(client)["FINISHED"] == finished)
            interrupt()

    recording = Recording(on_step)
    one_at_a_time = ExperimentConfig.model_validate({**config.model_dump(), "execution": {"workers": 1}, **changes})
    with pytest.raises(BaseException) as raised, listening(recording):  # noqa: PT011
        experiment(one_at_a_time)
    assert raised.type is KeyboardInterrupt
    assert statuses(client) == {"FINISHED": finished, "KILLED": killed}
