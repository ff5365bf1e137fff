"""Lists of a sample of users and items: `neighbours.sample`."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from flows.experiment import Outcome, experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.planning.runs import listed_entities
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.store import resolve_uri
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment

USERS, ITEMS, SAMPLE = 40, 30, 12


def sampled(config: ExperimentConfig, size: int | None = SAMPLE, **changes: object) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**config.model_dump(), "neighbours": {"sample": size}, **changes})


@pytest.fixture
def outcome(client: MlflowClient, config: ExperimentConfig) -> Outcome:
    """The experiment on the blocks with lists of 12 users and 12 items, and of the queries."""
    return experiment(sampled(config))


def test_only_the_sample_and_the_queries_have_lists(
    client: MlflowClient, config: ExperimentConfig, outcome: Outcome
) -> None:
    entities = listed_entities(sampled(config), USERS, ITEMS)
    assert {3, 0} <= set(entities["users"].rows.tolist())
    assert outcome.result.sample == {"users": SAMPLE, "items": SAMPLE}
    assert f"12 of {USERS} users and 12 of {ITEMS} items" in " ".join(outcome.result.warnings)
    for run in outcome.result.runs:
        if run.role == "model":
            files = RunFiles(client, run.run_id)
            for path in ("neighbours/users.parquet", "neighbours/users_by_scores.parquet", "recommendations.parquet"):
                assert set(pd.read_parquet(files.read(path))["index"]) == set(entities["users"].rows.tolist())
            assert set(pd.read_parquet(files.read("neighbours/items.parquet"))["index"]) == set(
                entities["items"].rows.tolist()
            )
            stored = pd.read_parquet(files.read("sample.parquet"))
            assert stored["index"][stored["side"] == "users"].tolist() == entities["users"].rows.tolist()


def test_the_lists_are_those_of_the_whole_experiment(
    outcome: Outcome, finished: FinishedExperiment, config: ExperimentConfig
) -> None:
    """Candidates are all users and items, so that the queries' lists and answers are the same."""
    whole = finished.outcome.result
    for query, of_all in zip(outcome.result.queries, whole.queries, strict=True):
        # blocks of other sizes round otherwise, and with two factors many cosines are equal but for rounding
        entries, expected = query.models["k8"], of_all.models["k8"]
        assert [entry.index for entry in entries] == [entry.index for entry in expected]
        assert [entry.score for entry in entries] == pytest.approx([entry.score for entry in expected])
    means = ("users", "items", "recommendations")
    deltas, of_whole = (
        [answer.delta for answer in result.answers if answer.target in means] for result in (outcome.result, whole)
    )
    assert deltas != of_whole  # of 12 users and items, and of all
    chances = [
        {(row.target, row.depth): row.chance for row in result.comparison if row.target in ("users", "items")}
        for result in (outcome.result, whole)
    ]
    assert chances[0] == chances[1]


def test_another_sample_and_all_entities_are_compared_without_training(
    client: MlflowClient, config: ExperimentConfig, outcome: Outcome, finished: FinishedExperiment
) -> None:
    larger = experiment(sampled(config, 20))
    assert (larger.trained, larger.result.sample) == (0, {"users": 20, "items": 20})
    whole = experiment(sampled(config, None))
    assert (whole.trained, whole.result.sample) == (0, {})
    assert whole.result.answers == finished.outcome.result.answers
    assert whole.result.matrices == finished.outcome.result.matrices
    again = experiment(sampled(config))
    assert (again.trained, again.result.parent_id) == (0, outcome.result.parent_id)


def test_neighbours_of_others_are_computed_when_they_are_asked_for(
    outcome: Outcome, finished: FinishedExperiment, config: ExperimentConfig, workdir: Path, api_url: str
) -> None:
    commands, whole = command_line(workdir, api_url), command_line(finished.folder, api_url)
    rows = listed_entities(sampled(config), USERS, ITEMS)["users"].rows.tolist()
    other = str(next(user for user in range(USERS) if user not in rows))
    for by in ("factors", "scores"):
        lists = [one.answer("similar", "blocks", "--user", other, "--by", by)["models"] for one in (commands, whole)]
        # with two factors many cosines are equal but for rounding
        sampled_ids, whole_ids = ([entry["index"] for entry in models["k8"]] for models in lists)
        assert sampled_ids == whole_ids
    message = commands.failure(2, "recommend", "blocks", "--user", other)
    assert f"has no recommendations for user {other}" in message
    assert "add the user to queries.recommend_for" in message


@pytest.mark.parametrize("consensus", [False, True])
def test_a_registered_model_refuses_who_is_not_in_the_sample(
    client: MlflowClient, config: ExperimentConfig, outcome: Outcome, consensus: bool
) -> None:
    """An answer without entries would look like that of a user without neighbours."""
    registered = experiment(sampled(config), register_as="lists", consensus=consensus)
    assert registered.trained == 0
    mlflow.set_tracking_uri(resolve_uri())
    model = mlflow.pyfunc.load_model("models:/lists-k8/1")
    rows = listed_entities(sampled(config), USERS, ITEMS)["users"].rows.tolist()
    raw_ids = pd.read_csv(config.dataset.path)["user"].unique()
    known, other = (str(raw_ids[next(u for u in range(USERS) if (u in rows) == wanted)]) for wanted in (True, False))
    assert len(model.predict(pd.DataFrame([("similar_users", known, 5)], columns=["task", "id", "n"]))) == 5
    with pytest.raises(MlflowException, match=f"user id '{other}' is not among the {len(rows)} users whose lists were"):
        model.predict(pd.DataFrame([("similar_users", other, 5)], columns=["task", "id", "n"]))


def test_a_sample_that_includes_all_is_no_sample(client: MlflowClient, config: ExperimentConfig) -> None:
    """There are 40 users and 30 items."""
    entities = listed_entities(sampled(config, 30), USERS, ITEMS)
    assert (entities["users"].n_drawn, entities["items"].are_all) == (30, True)


def test_a_sample_beyond_the_entities_is_refused_before_anything_is_trained(online: CommandLine) -> None:
    message = online.failure(2, "run", "config.yaml", "--set", "neighbours.sample=8")
    assert "neighbours.sample: found 8; the data have 4 users and 7 items" in message
    assert online.answer("runs")["runs"] == []
