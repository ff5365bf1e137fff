"""The folder of a project: a name with characters that have a meaning in addresses, and a rename."""

import shutil
from pathlib import Path

from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from tests.command_line import command_line
from tests.flows.small_experiment import write_small_experiment


def test_a_project_runs_in_a_folder_of_any_name_and_is_found_after_a_rename(
    tmp_path: Path, empty_store: Path, api_url: str
) -> None:
    folder, renamed = tmp_path / "50%20of?all=a#b", tmp_path / "renamed"
    folder.mkdir()
    write_small_experiment(folder)
    shutil.copy(empty_store, folder / "mlflow.db")
    made = command_line(folder, api_url).answer("run", "config.yaml")
    assert made["trained"] == 1
    folder.rename(renamed)
    _artifact_repos_cache.clear()  # MLflow's of this process; another process begins with an empty one
    commands = command_line(renamed, api_url)
    verified = commands.call("verify")
    assert verified.returncode == 0, verified.stderr
    assert "2 complete runs" in verified.stdout
    again = commands.answer("run", "config.yaml")
    assert (again["trained"], again["parent_id"]) == (0, made["parent_id"])
    assert commands.answer("recommend", "latest", "--user", "0")["models"]
    assert [path.name for path in tmp_path.iterdir()] == ["renamed"]
