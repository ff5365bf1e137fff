"""`consensus`: the merged lists of each model's seeds, logged with the comparison and registered, once."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig, NeighboursConfig
from tasks.core.errors import ConfigError, TrackingError
from tasks.core.ranking.consensus import consensus
from tasks.core.ranking.lists import Lists
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import artifact
from tasks.tracking.search import our_runs
from tasks.tracking.verify import Problem, Verified, verify_runs
from tests.flows.finished_experiment import FinishedExperiment
from tests.tasks.tracking.helpers import flip

SIZES = {"users": 40, "items": 30, "recommendations": 40}


@pytest.fixture(scope="module")
def registered(finished: FinishedExperiment, tmp_path_factory: pytest.TempPathFactory) -> FinishedExperiment:
    """A copy of the finished experiment, whose consensus is registered. Tests only read it."""
    folder = tmp_path_factory.mktemp("registered")
    finished.copy_to(folder)
    return FinishedExperiment.run(folder, finished.config, register_as="both", consensus=True)


@pytest.fixture
def copy_of_registered(config: ExperimentConfig, copy_of_finished: MlflowClient) -> MlflowClient:
    """A client of a store in which the consensus is registered; a test may change it.

    It is no copy of `registered`: in one process MLflow takes models of equal ids for one, wherever their files are.
    """
    experiment(config, register_as="both", consensus=True)
    return copy_of_finished


def parent_id(client: MlflowClient) -> str:
    (run,) = [run for run in our_runs(client) if run.data.tags["latentlab.role"] == "parent"]
    return str(run.info.run_id)


def models(client: MlflowClient) -> list[LoggedModel]:
    """Return the logged models of the comparison, k2 first."""
    outputs = client.get_run(parent_id(client)).outputs
    logged = [client.get_logged_model(output.model_id) for output in outputs.model_outputs] if outputs else []
    return sorted(logged, key=lambda model: str(model.name))


def stored_lists(files: RunFiles, path: str, column: str, size: int) -> Lists:
    with files.reading(path) as file:
        return Lists.from_frame(pd.read_parquet(file), column, np.arange(size, dtype=np.int32))


def folder_of(model: LoggedModel) -> Path:
    return Path(str(model.artifact_location).removeprefix("file://"))


def verified(client: MlflowClient) -> Verified:
    return Verified.of([], list(verify_runs(client, our_runs(client))))


def test_the_registered_model_returns_the_consensus_of_all_seeds(
    registered: FinishedExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user's and item's first ten entries, by raw ids, with the share of the seeds that list each."""
    assert registered.outcome.registered == {"both-k2": "1", "both-k8": "1"}
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registered.folder / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/both-k8/1")
    client = registered.client
    fits = [run for run in registered.outcome.result.runs if (run.model, run.role) == ("k8", "model")]
    files = [RunFiles(client, run.run_id) for run in fits]
    names = {}
    for side in ("users", "items"):
        with files[0].reading(f"{side}.parquet") as file:
            names[side] = pd.read_parquet(file)["raw_id"].astype(str).to_numpy()
    tasks = {"users": "similar_users", "items": "similar_items", "recommendations": "recommend"}
    for target, task in tasks.items():
        path, column = artifact(target)
        merged = consensus([stored_lists(of_run, path, column, SIZES[target]) for of_run in files])
        frame = merged.frame(column)
        frame = frame[frame["rank"] <= 10]
        asked = names["items" if target == "items" else "users"]
        answer = model.predict(pd.DataFrame({"task": task, "id": asked, "n": 10}))
        titles = [] if task == "similar_users" else ["title"]
        assert list(answer.columns) == ["row", "rank", "id", *titles, "score", "share"]
        listed = names["users" if target == "users" else "items"]
        assert list(answer["id"]) == list(listed[frame[column]])
        np.testing.assert_array_equal(answer[["row", "rank"]], frame[["index", "rank"]])
        np.testing.assert_allclose(answer[["score", "share"]], frame[["score", "share"]])
    # its lists are of several fits, and so are their item factors
    with pytest.raises(MlflowException, match="row 0: found items, and this model is a consensus of lists"):
        model.predict(pd.DataFrame({"task": ["recommend"], "items": [[names["items"][0]]]}))


def test_the_model_is_logged_with_the_comparison(registered: FinishedExperiment) -> None:
    client = registered.client
    k2, k8 = models(client)
    assert (k8.name, k8.status, k8.source_run_id) == ("consensus-k8", "READY", registered.outcome.result.parent_id)
    assert (k8.params["factors"], k8.params["replicates"]) == ("8", "2")
    assert not {"seed", "replicate"} & k8.params.keys()
    assert client.get_model_version("both-k2", "1").run_id == registered.outcome.result.parent_id
    assert Model.load(str(folder_of(k2))).signature.outputs.input_names()[-1] == "share"


def test_the_same_options_register_nothing_new(config: ExperimentConfig, copy_of_registered: MlflowClient) -> None:
    """A parent of another version of latentlab is made anew; the consensus of the same fits stays what it is."""
    before = [model.model_id for model in models(copy_of_registered)]
    again = experiment(config, register_as="both", consensus=True)
    assert again.registered == {"both-k2": "1", "both-k8": "1"}
    copy_of_registered.set_tag(again.result.parent_id, "latentlab.version", "0")
    other = experiment(config, register_as="both", consensus=True)
    assert other.result.parent_id != again.result.parent_id
    assert (other.trained, other.registered) == (0, again.registered)
    outputs = copy_of_registered.get_run(other.result.parent_id).outputs.model_outputs
    assert {output.model_id for output in outputs} == set(before)


def test_the_consensus_of_a_sample_has_its_lists_and_is_another_version(
    config: ExperimentConfig, copy_of_registered: MlflowClient
) -> None:
    """The fits are the same, and have the lists of all."""
    sampled = experiment(
        config.model_copy(update={"neighbours": NeighboursConfig(sample=10)}), register_as="both", consensus=True
    )
    assert (sampled.trained, sampled.registered) == (0, {"both-k2": "2", "both-k8": "2"})
    source = copy_of_registered.get_model_version("both-k2", "2").source.removeprefix("file://")
    listed = pd.read_parquet(Path(source) / "artifacts/neighbours_users.parquet")["index"]
    assert 10 <= listed.nunique() <= 12  # and the queries
    assert len(pd.read_parquet(Path(source) / "artifacts/users.parquet")) == 40


def test_single_runs_and_their_consensus_are_versions_of_one_registered_model(
    config: ExperimentConfig, copy_of_registered: MlflowClient
) -> None:
    assert experiment(config, register_as="both").registered == {"both-k2": "2", "both-k8": "2"}
    assert experiment(config, register_as="both", consensus=True).registered == {"both-k2": "1", "both-k8": "1"}


def test_verify_hashes_the_files_of_a_consensus(copy_of_registered: MlflowClient) -> None:
    """The comparison's own manifest is what it was before."""
    k2, k8 = models(copy_of_registered)
    intact = verified(copy_of_registered)
    assert intact.problems == []
    flip(folder_of(k2) / "artifacts/neighbours_users.parquet")
    (folder_of(k2) / "artifacts/items.parquet").unlink()
    (folder_of(k8) / "new.txt").write_text("not in the manifest")
    found = verified(copy_of_registered)
    assert found.files == intact.files
    place = parent_id(copy_of_registered)
    assert sorted((problem.path, problem.problem) for problem in found.problems if problem.place == place) == sorted(
        [
            (f"models/{k2.model_id}/artifacts/neighbours_users.parquet", "damaged"),
            (f"models/{k2.model_id}/artifacts/items.parquet", "missing"),
            (f"models/{k8.model_id}/new.txt", "extra"),
        ]
    )
    assert len(found.problems) == 3


def test_a_manifest_that_was_changed_to_agree_with_a_damaged_file_is_reported(copy_of_registered: MlflowClient) -> None:
    model = models(copy_of_registered)[0]
    manifest = folder_of(model) / "manifest.json"
    files = json.loads(manifest.read_text())["files"]
    manifest.write_text(json.dumps({"files": files[1:]}))
    path = f"models/{model.model_id}/manifest.json"
    assert verified(copy_of_registered).problems == [Problem(parent_id(copy_of_registered), path, "damaged")]


def test_what_a_killed_registration_leaves_is_not_complete_and_is_completed_by_the_next(
    config: ExperimentConfig, copy_of_finished: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends before each call of MLflow that writes, in turn."""
    calls = (
        "create_logged_model",
        "log_model_artifacts",
        "set_logged_model_tags",
        "finalize_logged_model",
        "log_outputs",
        "create_registered_model",
        "create_model_version",
    )
    experiment_id = copy_of_finished.get_run(parent_id(copy_of_finished)).info.experiment_id
    ids = set()
    for call in calls:
        with monkeypatch.context() as killed:
            killed.setattr(MlflowClient, call, interrupted)
            with pytest.raises(KeyboardInterrupt):
                experiment(config, register_as="both", consensus=True)
        left = copy_of_finished.search_logged_models([experiment_id], filter_string="name = 'consensus-k2'")
        ids |= {model.model_id for model in left}
        finished_before = calls.index(call) > calls.index("finalize_logged_model")
        assert [model.status for model in left] == ["READY" if finished_before else "PENDING"] * len(ids)
        assert copy_of_finished.search_model_versions("name = 'both-k2'") == []
        assert verified(copy_of_finished).problems == []
    assert len(ids) == 1
    assert experiment(config, register_as="both", consensus=True).registered == {"both-k2": "1", "both-k8": "1"}
    assert {model.model_id for model in models(copy_of_finished)} > ids
    assert verified(copy_of_finished).problems == []


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_damaged_list_of_a_seed_is_no_part_of_a_consensus(
    config: ExperimentConfig, copy_of_finished: MlflowClient
) -> None:
    run = next(run for run in our_runs(copy_of_finished) if run.data.tags.get("latentlab.role") == "model")
    flip(Path(str(run.info.artifact_uri).removeprefix("file://")) / "neighbours/items.parquet")
    with pytest.raises(TrackingError, match=r"neighbours/items.parquet has sha256 .* train it again with --fresh"):
        experiment(config, register_as="both", consensus=True)
    with pytest.raises(MlflowException, match="not found"):
        copy_of_finished.get_registered_model("both-k2")


@pytest.mark.parametrize(
    ("replicates", "name", "message"),
    [
        (1, "mine", "--consensus: found 1 replicate of each model; expected at least 2, whose lists are merged; raise"),
        (2, None, "--consensus: found no --register; expected --register NAME"),
    ],
)
@pytest.mark.usefixtures("api_url")
def test_a_consensus_that_cannot_be_registered_is_refused_before_anything_is_trained(
    config: ExperimentConfig, client: MlflowClient, replicates: int, name: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(config.model_copy(update={"replicates": replicates}), register_as=name, consensus=True)
    assert our_runs(client) == []
