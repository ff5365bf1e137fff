"""MLflow experiments: created once, found by name, and reported if they were deleted."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.core.errors import TrackingError
from tasks.tracking.experiments import check_name, find_experiment, open_experiment
from tasks.tracking.reading.named_run import find_run


def test_an_experiment_is_created_once_with_its_artifacts_in_the_folder_of_the_store(
    client: MlflowClient, uri: str, tmp_path: Path, experiment_id: str
) -> None:
    assert open_experiment(client, uri, "blocks") == experiment_id
    assert find_experiment(client, "blocks") == experiment_id
    assert client.get_experiment(experiment_id).artifact_location == (tmp_path / "mlartifacts" / "blocks").as_uri()


def test_a_deleted_experiment_is_reported_with_the_command_that_restores_it(
    client: MlflowClient, uri: str, experiment_id: str
) -> None:
    client.delete_experiment(experiment_id)
    expected = rf"'blocks' was deleted; restore it \(mlflow experiments restore --experiment-id {experiment_id}\)"
    with pytest.raises(TrackingError, match=expected):
        open_experiment(client, uri, "blocks")
    assert find_experiment(client, "blocks") is None
    with pytest.raises(TrackingError, match="there is no experiment 'blocks'"):
        find_run(client, "blocks")


def test_the_artifacts_of_an_experiment_whose_name_is_a_path_stay_beside_the_store(
    client: MlflowClient, uri: str, tmp_path: Path
) -> None:
    name = "/Users/someone@example.org/ml-100k"
    experiment = client.get_experiment(open_experiment(client, uri, name))
    expected = tmp_path / "mlartifacts" / "Users" / "someone@example.org" / "ml-100k"
    assert experiment.artifact_location == expected.as_uri()


@pytest.mark.parametrize("workspace", ["databricks", "databricks://profile"])
def test_a_workspace_takes_absolute_paths_alone(client: MlflowClient, workspace: str) -> None:
    expected = f"store {workspace} does not take the experiment name 'blocks': it is not an absolute path"
    with pytest.raises(TrackingError, match=expected):
        check_name(client, workspace, "blocks")
    check_name(client, workspace, "/Shared/blocks")
