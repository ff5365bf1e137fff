"""SIGINT to the process of a flow: runs under way are KILLED, and KeyboardInterrupt reaches the caller."""

from collections import Counter

import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.reporting.progress import listening
from tasks.tracking.search import our_runs
from tests.flows.listeners import AtStep, interrupt, wait_until

pytestmark = pytest.mark.usefixtures("api_url")


def statuses(client: MlflowClient) -> Counter[str]:
    """Return the number of runs of each status, the parent among them."""
    return Counter(run.info.status for run in our_runs(client))


@pytest.mark.parametrize(
    ("label", "done", "changes", "finished", "killed"),
    [
        ("train k8 #0", 3, {}, 2, 2),
        ("lists of k8 #0", 1, {"replicates": 1, "evaluation": None}, 1, 2),  # it is the last fit: no other one trains
        ("lists of item-knn", 1, {}, 6, 1),
    ],
    ids=["training", "lists", "references"],
)
def test_an_interrupt_kills_the_runs_under_way(
    config: ExperimentConfig,
    client: MlflowClient,
    label: str,
    done: int,
    changes: dict[str, object],
    finished: int,
    killed: int,
) -> None:
    """One fit trains at a time, and those before the interrupted one are finished first."""

    def act() -> None:
        wait_until(lambda: statuses(client)["FINISHED"] == finished)
        interrupt()

    one_at_a_time = ExperimentConfig.model_validate({**config.model_dump(), "execution": {"workers": 1}, **changes})
    with pytest.raises(BaseException) as raised, listening(AtStep(label, done, act)):  # noqa: PT011
        experiment(one_at_a_time)
    assert raised.type is KeyboardInterrupt
    assert statuses(client) == {"FINISHED": finished, "KILLED": killed}
