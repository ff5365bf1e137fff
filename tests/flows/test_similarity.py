"""Neighbours by factors and by predicted scores: one kind is judged, the other described."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.artifacts import MANIFEST, RunFiles
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment


def config_with(config: ExperimentConfig, **changes: object) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**config.model_dump(), **changes})


@pytest.fixture
def commands(copy_of_finished: MlflowClient, workdir: Path, api_url: str) -> CommandLine:
    return command_line(workdir, api_url)


def test_the_other_similarity_is_described_beside_the_verdict(finished: FinishedExperiment) -> None:
    result = finished.outcome.result
    assert result.similarity == "factors"
    described = {row.target: row for row in result.other_similarity}
    assert list(described) == ["users", "user_3", "items", "item_4"]
    assert {row.by for row in described.values()} == {"scores"}
    logged = finished.client.get_run(result.parent_id).data.metrics
    users = described["users"]
    assert logged["overlap/users_by_scores_at_5.k2"] == users.within_a
    assert logged["overlap/users_by_scores_at_5.k2_vs_k8"] == users.between
    assert logged["delta/users_by_scores_at_5.k2_vs_k8"] == users.delta
    assert logged["overlap/users_at_3.k2_vs_k8"] == next(
        row.overlap for row in result.comparison if (row.target, row.depth, row.a, row.b) == ("users", 3, "k2", "k8")
    )


def test_lists_by_scores_are_those_of_the_predicted_scores(finished: FinishedExperiment) -> None:
    fit = next(run for run in finished.outcome.result.runs if run.model == "k8" and run.role == "model")
    files = RunFiles(finished.client, fit.run_id)
    with np.load(files.read("factors.npz")) as factors:
        scores = factors["user_factors"].astype(np.float64) @ factors["item_factors"].T
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    cosine = scores @ scores.T
    frame = pd.read_parquet(files.read("neighbours/users_by_scores.parquet"))
    np.testing.assert_allclose(frame["score"], cosine[frame["index"], frame["neighbour"]], atol=1e-6)
    by_factors = pd.read_parquet(files.read("neighbours/users.parquet"))
    assert not np.allclose(frame["score"], by_factors["score"], atol=0.01)


def test_by_scores_nothing_is_trained_and_the_other_lists_are_judged(
    copy_of_finished: MlflowClient, config: ExperimentConfig, finished: FinishedExperiment
) -> None:
    by_scores = experiment(config_with(config, neighbours={"similarity": "scores"}))
    assert (by_scores.trained, by_scores.reused) == (0, 6)
    result, before = by_scores.result, finished.outcome.result
    assert [answer.target for answer in result.answers] == [answer.target for answer in before.answers]
    assert "by predicted scores" in result.answers[0].sentence
    described = {row.target: row for row in before.other_similarity}
    for answer in result.answers:
        if answer.target in described:
            other = described[answer.target]
            assert (answer.within_a, answer.within_b, answer.between) == pytest.approx(
                (other.within_a, other.within_b, other.between)
            )
    judged = {answer.target: answer for answer in before.answers}
    for row in result.other_similarity:
        assert (row.by, row.delta) == ("factors", pytest.approx(judged[row.target].delta))
    recommendations = [
        next(answer.delta for answer in answers if answer.target == "recommendations")
        for answers in (result.answers, before.answers)
    ]
    assert recommendations[0] == recommendations[1]
    logged = copy_of_finished.get_run(result.parent_id).data.metrics
    assert "overlap/users_by_factors_at_5.k2_vs_k8" in logged
    assert experiment(config).result.parent_id == before.parent_id


def test_similar_lists_what_was_judged_or_what_is_asked_for(commands: CommandLine, config: ExperimentConfig) -> None:
    (commands.folder / "config.yaml").write_text(config_with(config, neighbours={"similarity": "scores"}).to_yaml())
    done: subprocess.CompletedProcess[str] = commands.call("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "by predicted scores" in done.stdout
    assert "Neighbours by factors: described, without a verdict" in done.stdout
    judged, factors, scores = (
        commands.answer("similar", "latest", "--user", "3", *by) for by in ([], ["--by", "factors"], ["--by", "scores"])
    )
    assert judged == scores
    assert (factors["similarity"], scores["similarity"]) == ("factors", "scores")
    assert factors["models"] != scores["models"]
    assert commands.answer("similar", "blocks/k8/0", "--user", "3")["similarity"] == "factors"
    refused = commands.call("similar", "latest", "--user", "3", "--by", "cosine")
    assert refused.returncode == 2
    assert "found --by cosine; expected factors or scores" in refused.stderr
    assert "its role is evaluation" in commands.failure(
        2, "similar", evaluation_run(commands), "--user", "3", "--by", "scores"
    )


def test_a_fit_without_factors_says_what_is_missing(
    commands: CommandLine, copy_of_finished: MlflowClient, finished: FinishedExperiment
) -> None:
    run_id = next(run.run_id for run in finished.outcome.result.runs if run.role == "model")
    remove_from_manifest(copy_of_finished, run_id, "factors.npz", "neighbours/users_by_scores.parquet")
    message = commands.failure(2, "similar", run_id, "--user", "3", "--by", "scores")
    assert "has neither neighbours/users_by_scores.parquet nor factors.npz" in message
    assert "--fresh" in message
    assert commands.answer("similar", run_id, "--user", "3")["similarity"] == "factors"


def evaluation_run(commands: CommandLine) -> str:
    return next(run["run_id"] for run in commands.answer("runs")["runs"] if run["role"] == "evaluation")


def remove_from_manifest(client: MlflowClient, run_id: str, *paths: str) -> None:
    """Leave the run as if it had been completed without these files."""
    manifest = RunFiles(client, run_id).read("users.parquet").with_name(MANIFEST)
    content = json.loads(manifest.read_text())
    content["files"] = [entry for entry in content["files"] if entry["path"] not in paths]
    manifest.write_text(json.dumps(content))
    client.set_tag(run_id, "latentlab.complete", hashlib.sha256(manifest.read_bytes()).hexdigest())
