"""Fits that leave out interactions: `resample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.resample import resampled
from tasks.core.models import als
from tasks.core.planning.runs import MODEL
from tasks.reporting.result import Result
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import artifact, read_factors
from tasks.tracking.search import our_runs
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment

BEYOND = "beyond what the seed and a random 2% of the interactions change"
FEW, MANY = 0.02, 0.8
"""With the first fraction, nobody is lost; with the second, some users and items are."""


def dropping(config: ExperimentConfig, name: str, fraction: float, **changes: Any) -> ExperimentConfig:
    """Return the experiment on the blocks with fits that leave out interactions."""
    resample = {"strategy": "drop_interactions", "fraction": fraction}
    return ExperimentConfig.model_validate({**config.model_dump(), "name": name, "resample": resample, **changes})


@dataclass(frozen=True)
class Done:
    """Experiments in one folder: `blocks` on all interactions, `few` and `many`."""

    folder: Path
    few: FinishedExperiment
    many: FinishedExperiment
    commands: CommandLine

    @property
    def interactions(self) -> Interactions:
        """What all of them are about."""
        (path,) = (self.folder / ".latentlab" / "interactions").glob("*.npz")
        return Interactions.load(path)

    def dropped(self, experiment: FinishedExperiment) -> list[tuple[str, np.ndarray]]:
        """Return the label of each fit for lists, and the dense matrix that it is fitted to."""
        fits = [run for run in experiment.outcome.result.runs if run.role == MODEL]
        matrices = []
        for fit in fits:
            seed = int(experiment.client.get_run(fit.run_id).data.params["seed"])
            kept = resampled(self.interactions.matrix, experiment.config.resample, seed=seed)
            matrices.append((f"{fit.model} #{fit.replicate}", kept.toarray()))
        return matrices


@pytest.fixture(scope="module")
def done(finished: FinishedExperiment, api_url: str, tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("resample")
    finished.copy_to(folder)
    few = FinishedExperiment.run(folder, dropping(finished.config, "few", FEW))
    # the queries of the blocks are lost, too
    many = FinishedExperiment.run(folder, dropping(finished.config, "many", MANY, queries={}, evaluation=None))
    return Done(folder, few, many, command_line(folder, api_url).with_env(LATENTLAB_HOME=str(folder / ".latentlab")))


def test_only_fits_for_lists_leave_out_interactions_each_its_own(done: Done) -> None:
    assert (done.few.outcome.trained, done.few.outcome.reused) == (6, 0)
    for run in done.few.outcome.result.runs:
        stored = done.few.client.get_run(run.run_id)
        expected = "(strategy drop_interactions, fraction 0.02)" if run.role == MODEL else "none"
        assert stored.data.params["resample"] == expected
        note = "without a random 2% of the interactions" in stored.data.tags["mlflow.note.content"]
        assert note == (run.role == MODEL)
    matrices = dict(done.dropped(done.few))
    assert len({matrix.tobytes() for matrix in matrices.values()}) == 4
    run = next(run for run in done.few.outcome.result.runs if run.role == MODEL)
    factors = read_factors(RunFiles(done.few.client, run.run_id))
    seed = int(done.few.client.get_run(run.run_id).data.params["seed"])
    kept = resampled(done.interactions.matrix, done.few.config.resample, seed=seed)
    fitted = als.fit(kept, done.few.config.models[run.model], seed=seed)
    np.testing.assert_array_equal(factors.users, fitted.users)


def test_no_user_gets_what_was_left_out_of_a_fit_recommended(done: Done) -> None:
    liked = done.interactions.matrix.toarray() > 0
    for run in done.few.outcome.result.runs:
        if run.role == MODEL:
            path, column = artifact("recommendations")
            listed = pd.read_parquet(RunFiles(done.few.client, run.run_id).read(path))
            assert not liked[listed["index"], listed[column]].any()


def test_texts_say_what_the_difference_is_beyond(done: Done) -> None:
    result, client = done.few.outcome.result, done.few.client
    assert all(BEYOND in answer.sentence for answer in result.answers)
    tags = client.get_run(result.parent_id).data.tags
    assert BEYOND in tags["mlflow.note.content"]
    assert "2 seeds per model, each fitted without its own random 2% of the inter" in tags["latentlab.description"]
    report = RunFiles(client, result.parent_id).read("report.html").read_text()
    assert BEYOND in report
    assert "seed variance" not in report
    assert " ".join(done.commands.call("show", "few").stdout.split()).count(BEYOND) == 2  # the answer, single users


def test_the_disagreement_of_the_data_is_shown_beside_that_of_the_seed(
    done: Done, finished: FinishedExperiment
) -> None:
    """Nobody is lost, so that the answers on all interactions have the overlaps of the seed alone."""
    result, client = done.few.outcome.result, done.few.client
    assert result.lost == {"users": 0, "items": 0}
    overlaps = [
        {answer.target: {answer.a: answer.within_a, answer.b: answer.within_b} for answer in one.answers}
        for one in (finished.outcome.result, result)
    ]
    assert [(row.model, row.target, row.n, row.runs) for row in result.data_noise] == [
        (model, target, n, 2)
        for model in ("k2", "k8")
        for target, n in (("users", 5), ("items", 5), ("recommendations", 10))
    ]
    metrics = client.get_run(result.parent_id).data.metrics
    for row in result.data_noise:
        assert row.seed_only == pytest.approx(overlaps[0][row.target][row.model])
        assert row.seed_and_data == pytest.approx(overlaps[1][row.target][row.model])
        assert metrics[f"data_noise/{row.target}_at_{row.n}.{row.model}"] == row.of_data
    assert any(row.of_data > 0 for row in result.data_noise)
    files = RunFiles(client, result.parent_id)
    assert "data_noise.json" in files.entries
    assert 'id="data-noise"' in files.read("report.html").read_text()
    shown = done.commands.call("show", "few").stdout
    assert "How much of the disagreement within a model is the data's" in shown
    assert Result.from_json(result.to_json()) == result
    assert finished.outcome.result.data_noise == []
    assert "is the data's" not in done.commands.call("show", "blocks").stdout


def test_running_again_trains_and_compares_nothing(done: Done) -> None:
    before = len(our_runs(done.few.client))
    again = FinishedExperiment.run(done.folder, done.few.config).outcome
    assert (again.trained, again.reused, again.result) == (0, 6, done.few.outcome.result)
    assert len(our_runs(done.few.client)) == before


def test_what_one_run_lost_is_left_out_of_the_lists_of_all(done: Done) -> None:
    result, client = done.many.outcome.result, done.many.client
    matrices = done.dropped(done.many)
    lost: dict[str, dict[int, str]] = {"users": {}, "items": {}}
    for label, matrix in matrices:
        for side, axis in (("users", 1), ("items", 0)):
            for index in np.flatnonzero(~matrix.any(axis=axis)):
                lost[side].setdefault(int(index), label)
    assert all(lost.values())
    assert result.lost == {side: len(runs) for side, runs in lost.items()}
    metrics = client.get_run(result.parent_id).data.metrics
    assert {side: metrics[f"lost/{side}"] for side in lost} == result.lost
    warning = f"one of the runs has none of their interactions: {result.lost['users']} user"
    assert any(warning in clause for clause in result.warnings)
    stored = pd.read_parquet(RunFiles(client, result.parent_id).read("lost.parquet"))
    for side, runs in lost.items():
        of_side = stored[stored["side"] == side]
        assert dict(zip(of_side["index"], of_side["run"], strict=True)) == runs
    user, run = next(iter(lost["users"].items()))
    message = done.commands.failure(3, "similar", "many", "--user", str(user))
    assert f"user {user} has no interaction in {run}, which was" in message
    kept = next(index for index in range(40) if index not in lost["users"])
    for answer in (
        done.commands.answer("similar", "many", "--user", str(kept), "-n", "40"),
        done.commands.answer("similar", "many", "--user", str(kept), "-n", "40", "--consensus"),
    ):
        listed = {entry["index"] for entries in answer["models"].values() for entry in entries}
        assert listed
        assert listed.isdisjoint(lost["users"])
    item = next(iter(lost["items"]))
    recommended = done.commands.answer("recommend", "many", "--user", str(kept), "-n", "30")
    assert item not in {entry["index"] for entries in recommended["models"].values() for entry in entries}


def test_a_lost_query_ends_before_anything_is_trained(done: Done, tmp_path: Path) -> None:
    stored = pd.read_parquet(RunFiles(done.many.client, done.many.outcome.result.parent_id).read("lost.parquet"))
    user, run = stored.loc[stored["side"] == "users", ["index", "run"]].iloc[0]
    config = dropping(done.many.config, "lost", MANY, queries={"users": [int(user)]}, evaluation=None)
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    for command in ("check", "run"):
        message = done.commands.failure(3, command, str(tmp_path / "config.yaml"))
        assert f"queries.users: found {user}, which has no interaction in {run}: that run is fitted without" in message
    assert {run.data.tags["latentlab.role"] for run in our_runs(done.many.client)} == {"parent", "model", "evaluation"}
    assert done.many.client.get_experiment_by_name("lost") is None


def test_models_that_leave_out_other_fractions_are_not_compared(done: Done) -> None:
    assert (
        "few/k2 is fitted without a random 2% of the interactions, blocks/k8 to all interactions; expected models that "
        "leave out the same fraction; run one of the configs again with the resample of the other"
    ) in done.commands.failure(2, "compare", "few/k2", "blocks/k8")
    assert "many/k8 without a random 80%" in done.commands.failure(2, "compare", "few/k2", "many/k8")


def test_compare_leaves_out_what_the_compared_runs_lost(done: Done) -> None:
    compared = done.commands.answer("compare", "many/k8", "many/k2")
    result = done.many.outcome.result
    assert (compared["lost"], compared["dropped_fraction"]) == (result.lost, MANY)
    assert {(row["model"], row["target"]): row["seed_only"] for row in compared["data_noise"]} == {
        (row.model, row.target): pytest.approx(row.seed_only) for row in result.data_noise
    }
    own = {answer.target: answer.delta for answer in result.answers}
    assert {answer["target"]: answer["delta"] for answer in compared["answers"]} == pytest.approx(own)


def test_the_table_appears_once_the_fits_on_all_interactions_are_there(done: Done) -> None:
    """Also if they have another name; nothing is trained for it."""
    config = dropping(done.few.config, "later", FEW, seed=5, evaluation=None)
    first = FinishedExperiment.run(done.folder, config).outcome
    assert (first.trained, first.result.data_noise) == (4, [])
    alone = ExperimentConfig.model_validate({**config.model_dump(), "name": "alone", "resample": None})
    assert FinishedExperiment.run(done.folder, alone).outcome.trained == 4
    second = FinishedExperiment.run(done.folder, config).outcome
    assert (second.trained, len(second.result.data_noise)) == (0, 6)
    assert FinishedExperiment.run(done.folder, config).outcome.result == second.result


def test_planned_looks_and_the_consensus_leave_out_what_the_runs_lost(done: Done) -> None:
    settings = done.many.config.models["k2"].model_dump()
    changes = {
        "models": {"a": settings, "b": settings},
        "replicates": {"looks": [4, 5]},
        "queries": {},
        "comparison": {"depths": [3]},
        "evaluation": None,
    }
    config = dropping(done.many.config, "looks", MANY, **changes)
    looked = FinishedExperiment.run(done.folder, config, register_as="resampled", consensus=True)
    result, client = looked.outcome.result, looked.client
    assert result.look is not None
    lost = pd.read_parquet(RunFiles(client, result.parent_id).read("lost.parquet"))
    assert dict(lost.groupby("side").size()) == result.lost
    users = set(lost["index"][lost["side"] == "users"])
    outputs = client.get_run(result.parent_id).outputs.model_outputs
    for output in outputs:
        folder = Path(str(client.get_logged_model(output.model_id).artifact_location).removeprefix("file://"))
        (file,) = folder.rglob("neighbours_users.parquet")
        neighbours = pd.read_parquet(file)
        assert len(neighbours)
        assert users.isdisjoint([*neighbours["index"], *neighbours["neighbour"]])
    assert len(outputs) == 2
