"""Comparisons that were made before with fewer seeds are named by the answer; a stored answer keeps what it said."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from flows.compare import compare
from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.results import earlier_looks
from tasks.tracking.store import resolve_uri
from tests.flows.finished_experiment import FinishedExperiment
from tests.tasks.tracking.helpers import artifact_folder, flip

pytestmark = pytest.mark.usefixtures("api_url")


def with_replicates(config: ExperimentConfig, replicates: int) -> ExperimentConfig:
    return config.model_copy(update={"replicates": replicates, "evaluation": None})


def test_a_comparison_with_fewer_seeds_is_named_and_one_with_the_same_seeds_is_not(
    finished: FinishedExperiment, copy_of_finished: MlflowClient, workdir: Path
) -> None:
    """Two seeds cannot be significant: they are recorded, and no reason for a warning."""
    config = with_replicates(finished.config, 3)
    result = experiment(config).result
    (look,) = result.earlier_looks
    assert (look.run_id, look.replicates) == (finished.outcome.result.parent_id, 2)
    assert look.smallest_p == finished.outcome.result.smallest_p
    assert "compared before" not in " ".join(result.warnings)
    # the same runs again, in another comparison and in one that is stored
    other = config.model_copy(update={"queries": config.queries.model_copy(update={"n": 4})})
    assert experiment(other).result.earlier_looks == [look]
    assert experiment(with_replicates(finished.config, 2)).result.earlier_looks == []
    assert experiment(config).result == result
    assert compare("blocks/k8", "blocks/k2", resolve_uri()).earlier_looks == [look]
    # with other settings of a model these are other models
    models = {**config.models, "k8": config.models["k8"].model_copy(update={"iterations": 7})}
    assert experiment(config.model_copy(update={"models": models})).result.earlier_looks == []
    # superseded by fits of the same identities: it was seen nevertheless
    fresh = experiment(config, fresh=True).result
    assert fresh.parent_id != result.parent_id
    assert fresh.earlier_looks == [look]


def test_adding_seeds_to_a_comparison_that_could_be_significant_is_a_warning(
    config: ExperimentConfig, client: MlflowClient
) -> None:
    first = experiment(with_replicates(config, 5)).result
    assert first.earlier_looks == []
    second = experiment(with_replicates(config, 6)).result
    assert [look.run_id for look in second.earlier_looks] == [first.parent_id]
    (warning,) = [warning for warning in second.warnings if "compared before" in warning]
    assert "before with 5 seeds" in warning
    assert "in up to 10% of cases with 2 looks, instead of 5%" in warning
    assert warning in client.get_run(second.parent_id).data.tags["mlflow.note.content"]


def test_an_earlier_comparison_that_cannot_be_read_is_passed_over(
    finished: FinishedExperiment, copy_of_finished: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    result = finished.outcome.result
    fewer = [run for run in result.runs if run.role == "model" and run.replicate == 0]
    experiment_id = copy_of_finished.get_run(result.parent_id).info.experiment_id
    more = [*result.runs, *(type(run)("new", run.model, 2, run.role, f"{run.model} 2") for run in fewer)]
    assert len(earlier_looks(copy_of_finished, experiment_id, more, result.data_sha256)) == 1
    assert earlier_looks(copy_of_finished, experiment_id, more, "other data") == []
    assert earlier_looks(copy_of_finished, experiment_id, fewer, result.data_sha256) == []
    flip(artifact_folder(copy_of_finished, result.parent_id) / "result.json")
    assert earlier_looks(copy_of_finished, experiment_id, more, result.data_sha256) == []
    assert "whether it compared the same models before is not known" in caplog.text
