"""`latentlab check`: the precision that can be expected, from an earlier run of the models, and how to make one."""

import shutil
from pathlib import Path

import pytest

from tasks.core.config.experiment import ExperimentConfig, ResampleConfig
from tasks.tracking.results import find_pilot
from tests.command_line import CommandLine, answer_of, command_line
from tests.flows.finished_experiment import FinishedExperiment
from tests.paths import ROOT


@pytest.fixture(scope="module")
def pilot(
    blocks_config: ExperimentConfig, empty_store: Path, api_url: str, tmp_path_factory: pytest.TempPathFactory
) -> FinishedExperiment:
    """Three replicates of the models, without evaluation."""
    folder = tmp_path_factory.mktemp("pilot")
    shutil.copy(empty_store, folder / "mlflow.db")
    config = blocks_config.model_copy(update={"replicates": 3, "evaluation": None})
    (folder / "config.yaml").write_text(config.to_yaml())
    return FinishedExperiment.run(folder, config)


@pytest.fixture
def commands(pilot: FinishedExperiment, closed: str) -> CommandLine:
    """The folder of the pilot; Prefect is down, and not needed."""
    return command_line(pilot.folder, f"{closed}/api", columns=80)


def test_a_pilot_predicts_the_precision_of_more_seeds(commands: CommandLine, pilot: FinishedExperiment) -> None:
    checked = commands.answer("check", "config.yaml", "--set", "replicates=10")
    assert checked["pilot"] == {"run_id": pilot.outcome.result.parent_id, "replicates": 3}
    rows = {row["target"]: row for row in checked["precision"]}
    assert list(rows) == ["user_3", "users", "items", "recommendations"]
    assert (rows["users"]["a"], rows["users"]["b"], rows["users"]["margin"]) == ("k2", "k8", 0.1)
    half_widths = list(rows["users"]["half_widths"].values())
    assert list(rows["users"]["half_widths"]) == ["4", "6", "10", "20"]
    assert half_widths == sorted(half_widths, reverse=True)


def test_the_table_fits_into_80_columns(commands: CommandLine, pilot: FinishedExperiment) -> None:
    text = commands.call("check", "config.yaml").stdout
    table = text.partition("Expected half-width of the 95% interval of Δ, k2 (A) against B\n")[2]
    assert max(map(len, table.splitlines())) <= 80
    header, row = table.splitlines()[0].split(), next(line for line in table.splitlines() if line.startswith("users"))
    assert header == ["lists", "n", "B", "4", "6", "10", "20", "margin", "seeds"]
    assert len(row.split()) == len(header)
    assert f"3 replicates of run {pilot.outcome.result.parent_id}" in " ".join(table.split())


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("name", "elsewhere"),
        ("models.k8.iterations", "7"),
        ("queries.n", "4"),
        ("preprocess.confidence", "binary"),
    ],
)
def test_a_run_of_other_models_lists_or_data_is_no_pilot(commands: CommandLine, key: str, other: str) -> None:
    done = commands.call("check", "config.yaml", "--set", f"{key}={other}")
    assert done.returncode == 0
    assert "precision       unknown: no earlier run of these models with 3 or more replicates.\n" in done.stdout
    assert f"latentlab run config.yaml --set={key}={other} --set replicates=3\n" in done.stdout


def test_two_replicates_are_no_pilot(finished: FinishedExperiment) -> None:
    data_sha256 = finished.outcome.result.data_sha256
    assert find_pilot(finished.client, finished.config, data_sha256) is None


def test_data_whose_digest_is_not_known_are_compared_by_name_and_preprocessing(pilot: FinishedExperiment) -> None:
    config, digest = pilot.config, pilot.outcome.result.data_sha256
    found = find_pilot(pilot.client, config, digest)
    assert found == find_pilot(pilot.client, config)
    assert found is not None
    assert find_pilot(pilot.client, config, "0" * 64) is None
    other = config.preprocess.model_copy(update={"k_core": 2})
    assert find_pilot(pilot.client, config.model_copy(update={"preprocess": other})) is None
    resample = ResampleConfig(strategy="drop_interactions", fraction=0.1)
    assert find_pilot(pilot.client, config.model_copy(update={"resample": resample})) is None
    fewer = config.model_copy(
        update={"replicates": 1, "comparison": config.comparison.model_copy(update={"margin": 0.3})}
    )
    assert find_pilot(pilot.client, fewer, digest) == found


def test_without_a_store_none_is_made(offline: CommandLine) -> None:
    config = str(ROOT / "configs/ml-100k.yaml")
    before = sorted(offline.folder.iterdir())
    text = offline.call("check", config, "--set", "replicates=10").stdout
    assert "precision       unknown: no earlier run" in text
    assert f"latentlab run {config} --set replicates=3\n" in text
    checked = offline.answer("check", config)
    assert (checked["pilot"], checked["precision"]) == (None, [])
    assert sorted(offline.folder.iterdir()) == before


def test_no_experiment_is_made(online: CommandLine) -> None:
    from tasks.tracking.experiments import all_experiments
    from tasks.tracking.store import open_store

    assert "no earlier run" in online.call("check", str(ROOT / "configs/ml-100k.yaml")).stdout
    assert [experiment.name for experiment in all_experiments(open_store(online.store))] == ["Default"]


def test_a_store_that_cannot_be_reached_is_reported_in_one_line(offline: CommandLine, closed: str) -> None:
    commands = offline.with_env(MLFLOW_TRACKING_URI=closed)
    config = str(ROOT / "configs/ml-100k.yaml")
    done = commands.call("check", config)
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("precision")]
    assert line.startswith(f"precision       unknown: the MLflow store {closed} cannot be used: ")
    as_json = commands.call("check", config, "--json")
    assert answer_of(as_json)["pilot"] is None
    assert "cannot be used" in as_json.stderr
