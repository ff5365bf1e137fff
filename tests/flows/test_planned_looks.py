"""Planned looks: seeds are trained until the answer is decided, also across an interrupt, and the answer is kept."""

from typing import Any

import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.sequential import plan_looks
from tasks.core.planning.runs import PARENT
from tasks.reporting.progress import listening
from tasks.tracking.runs import is_complete
from tasks.tracking.search import our_runs
from tests.flows.listeners import Recording, interrupt

pytestmark = pytest.mark.usefixtures("api_url")

TESTS = 3
"""All users, all items and all recommendations, with one model besides the baseline."""


def with_looks(config: ExperimentConfig, looks: list[int], **changes: Any) -> ExperimentConfig:
    """Return an experiment whose primary endpoint is all users, without evaluation."""
    base = {**config.model_dump(), "queries": {}, "evaluation": None, "replicates": {"looks": looks}}
    execution = {"workers": 1, "isolate": False, "system_metrics": False}
    return ExperimentConfig.model_validate({**base, "execution": execution, **changes})


@pytest.fixture
def different(config: ExperimentConfig) -> ExperimentConfig:
    """Two models that differ by construction, by more than the margin; four seeds can show nothing, and six can."""
    return with_looks(config, [4, 6, 8], comparison={"depths": [3], "margin": 0.01})


@pytest.fixture
def equal(config: ExperimentConfig) -> ExperimentConfig:
    """Two models of the same settings, and a margin below which no difference is shown to be."""
    models = {name: config.models["k2"].model_dump() for name in ("k2", "same")}
    return with_looks(config, [5, 6], models=models, comparison={"depths": [3], "margin": 0.001})


def parents(client: MlflowClient) -> list[str]:
    """Return the ids of the complete comparisons."""
    return [
        run.info.run_id for run in our_runs(client) if run.data.tags["latentlab.role"] == PARENT and is_complete(run)
    ]


def test_training_stops_at_the_first_look_that_decides(different: ExperimentConfig, client: MlflowClient) -> None:
    outcome = experiment(different)
    result = outcome.result
    assert (outcome.trained, outcome.reused, result.replicates) == (12, 0, 6)
    assert result.look == plan_looks([4, 6, 8], tests=TESTS)[1]
    assert (result.answers[0].target, result.answers[0].verdict) == ("users", "different-meaningfully")
    assert result.warnings[0].startswith("Training stopped at planned look 2 of 3 (4, 6 and 8 seeds per model), with 6")
    assert "4, 6 or 8 seeds per model" in client.get_run(result.parent_id).data.tags["mlflow.note.content"]
    again = experiment(different)
    assert (again.trained, again.reused, again.result) == (0, 12, result)
    assert parents(client) == [result.parent_id]


def test_a_killed_run_takes_the_same_looks_and_reuses_its_fits(equal: ExperimentConfig, client: MlflowClient) -> None:
    """The interrupt comes after the first look, which does not decide, in the last of the fits that it asks for."""

    def on_step(label: str, done: int) -> None:
        if label == "train same #5":
            interrupt()

    with pytest.raises(KeyboardInterrupt), listening(Recording(on_step)):
        experiment(equal)
    assert parents(client) == []
    outcome = experiment(equal)
    # the upload of k2 #5, which is trained before, may not have been complete at the interrupt
    assert (outcome.trained, outcome.reused) in [(1, 11), (2, 10)]
    assert outcome.result.replicates == 6
    assert outcome.result.look == plan_looks([5, 6], tests=TESTS)[1]
    fixed = experiment(ExperimentConfig.model_validate({**equal.model_dump(), "replicates": 6}))
    assert (fixed.trained, fixed.result.look) == (0, None)
    assert [row.p for row in fixed.result.answers] == [row.p for row in outcome.result.answers]
