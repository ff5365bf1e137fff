"""What Prefect keeps of a flow run: its final state, tags, artifacts and event."""

import contextlib
import itertools
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from prefect import tags

from flows.compare import compare
from flows.experiment import Outcome, experiment
from flows.publish import artifact_key
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, DataError
from tasks.tracking.store import resolve_uri
from tests.flows.finished_experiment import OWN_VARIABLES
from tests.flows.prefect_api import Api


@pytest.fixture
def api(api_url: str) -> Api:
    return Api(api_url)


@dataclass(frozen=True)
class Weeks:
    """An experiment that was run in each of three weeks: the data change after the first, and the verdict with them."""

    outcomes: list[Outcome]
    flow_runs: list[dict[str, Any]]


CONFIG = {
    "name": "Each_Week",
    "dataset": {"name": "file", "path": "ratings.csv"},
    "preprocess": {"min_rating": None},
    "models": {"k1": {"factors": 1, "iterations": 1}, "k12": {"factors": 12, "iterations": 5}},
    "of": "users",
    "replicates": 2,
    "snapshots": [1],
    "queries": {"users": [], "items": [], "recommend_for": []},
    "comparison": {"depths": [5]},
    "evaluation": None,
}


def write_ratings(path: Path, users: int) -> None:
    """Write ratings by two groups with a taste of their own. Of six users, each has the other five as neighbours."""
    rng = np.random.default_rng(5)
    pairs = [(u, i) for u in range(users) for i in range(40) if rng.random() < (0.7 if u % 2 == i % 2 else 0.1)]
    path.write_text("user,item,rating\n" + "".join(f"{user},{item},5\n" for user, item in pairs))


@pytest.fixture(scope="module")
def weeks(api_url: str, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Weeks:
    folder = tmp_path_factory.mktemp("weeks")
    shutil.copy(empty_store, folder / "mlflow.db")
    config = ExperimentConfig.model_validate(CONFIG)
    env = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    outcomes = []
    with contextlib.chdir(folder), mock.patch.dict(os.environ, env, clear=True):
        for users in (6, 40, 40):
            write_ratings(folder / "ratings.csv", users)
            with tags("weekly"):
                outcomes.append(experiment(config, overrides={"replicates": 4, "models.k12.iterations": 6}))
    return Weeks(outcomes, Api(api_url).flow_runs("Each_Week")[::-1])


def test_the_caller_of_a_flow_gets_its_outcome(weeks: Weeks) -> None:
    assert all(isinstance(outcome, Outcome) for outcome in weeks.outcomes)
    assert [(outcome.trained, outcome.reused) for outcome in weeks.outcomes] == [(8, 0), (8, 0), (0, 8)]


def test_the_final_state_carries_the_answer(weeks: Weeks) -> None:
    for flow_run, outcome in zip(weeks.flow_runs, weeks.outcomes, strict=True):
        assert flow_run["state"]["type"] == "COMPLETED"
        assert flow_run["state"]["message"] == outcome.result.sentence
    assert "k1 and k12" in weeks.flow_runs[0]["state"]["message"]


def test_overrides_replace_keys_of_the_config(weeks: Weeks) -> None:
    assert weeks.outcomes[0].result.replicates == 4
    assert weeks.outcomes[0].result.models["k12"]["iterations"] == 6


def test_an_override_of_the_name_renames_the_flow_run(weeks: Weeks, api: Api) -> None:
    with pytest.raises(DataError):
        experiment(ExperimentConfig.model_validate(CONFIG), overrides={"name": "renamed", "dataset.path": "none.csv"})
    (flow_run,) = api.flow_runs("renamed")
    assert "experiment:renamed" in flow_run["tags"]


def test_faults_of_overrides_end_the_flow_run_before_anything_is_done(workdir: Path, api: Api) -> None:
    config = ExperimentConfig.model_validate({**CONFIG, "name": "faulty"})
    with pytest.raises(ConfigError, match="overrides: replicas: unknown key; did you mean 'replicates'"):
        experiment(config, overrides={"replicas": 3})
    assert "did you mean 'replicates'" in api.flow_runs("faulty")[0]["state"]["message"]
    assert list(workdir.iterdir()) == []


def test_flow_and_task_runs_carry_tags(weeks: Weeks, api: Api) -> None:
    flow_run = weeks.flow_runs[0]
    assert flow_run["tags"] == ["experiment:Each_Week", "weekly"]
    task_runs = {run["name"]: set(run["tags"]) for run in api.of_flow_run("task_runs", flow_run)}
    common = {"experiment:Each_Week", "weekly"}
    assert task_runs["preprocess file"] == task_runs["compare Each_Week"] == common
    fits = {
        f"{step} {model} #{n}": model
        for step in ("train", "evaluate", "upload")
        for model in ("k1", "k12")
        for n in range(4)
    }
    assert {name: task_runs[name] for name in fits} == {
        name: {*common, f"model:{model}", "role:model"} for name, model in fits.items()
    }


def test_a_concurrency_limit_on_a_tag_holds_for_fits(workdir: Path, empty_store: Path, api: Api) -> None:
    """One slot for the model k12: its steps never overlap, although two fits train at a time."""
    limit = api.post("/v2/concurrency_limits/", name="tag:model:k12", limit=1)
    shutil.copy(empty_store, workdir / "mlflow.db")
    write_ratings(workdir / "ratings.csv", 40)
    execution = {"workers": 2, "isolate": False, "system_metrics": False}
    try:
        experiment(ExperimentConfig.model_validate({**CONFIG, "name": "limited", "execution": execution}))
    finally:
        api.client.delete(f"/v2/concurrency_limits/{limit['id']}").raise_for_status()
    runs = api.of_flow_run("task_runs", api.flow_runs("limited")[0])
    spans = sorted((run["start_time"], run["end_time"]) for run in runs if "model:k12" in run["tags"])
    assert len(spans) == 6
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_artifacts_belong_to_one_experiment(weeks: Weeks, api: Api) -> None:
    published = {artifact["key"]: artifact for artifact in api.of_flow_run("artifacts", weeks.flow_runs[0])}
    keys = {kind: artifact_key(kind, "Each_Week") for kind in ("verdict", "comparison", "training")}
    assert set(published) == set(keys.values())
    assert published[keys["verdict"]]["description"] == weeks.outcomes[0].result.sentence
    history = api.post("/artifacts/filter", artifacts={"key": {"any_": [keys["verdict"]]}}, sort="CREATED_DESC")
    assert len(history) == 3


def test_keys_of_artifacts_fit_prefects_rule_and_differ_as_the_names_do() -> None:
    assert artifact_key("verdict", "ml-100k") == "verdict-ml-100k"
    names = ["ml-100k", "ML-100k", "ml_100k", "Ml_100k", "ml-100K"]
    keys = [artifact_key("verdict", name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(re.fullmatch("verdict-ml-100k(-[0-9a-f]{8})?", key) for key in keys)


def test_a_verdict_is_an_event_that_says_whether_it_changed(weeks: Weeks, api: Api) -> None:
    events = api.verdicts("Each_Week", 3)
    assert {event["event"] for event in events} == {"latentlab.verdict"}
    first, second, third = (event["resource"] for event in events)
    verdicts = [outcome.result.answers[0].verdict for outcome in weeks.outcomes]
    assert [resource["latentlab.verdict"] for resource in (first, second, third)] == verdicts
    assert verdicts[0] != verdicts[1] == verdicts[2]
    assert "latentlab.verdict.changed" not in first, "there is none before it"
    assert (second["latentlab.verdict.previous"], second["latentlab.verdict.changed"]) == (verdicts[0], "true")
    assert (third["latentlab.verdict.previous"], third["latentlab.verdict.changed"]) == (verdicts[1], "false")
    answer = weeks.outcomes[1].result.answers[0]
    payload = events[1]["payload"]
    assert (payload["sentence"], payload["delta"], payload["p"]) == (
        weeks.outcomes[1].result.sentence,
        answer.delta,
        answer.p,
    )
    related = {resource["prefect.resource.id"] for resource in events[0]["related"]}
    assert {f"prefect.flow-run.{weeks.flow_runs[0]['id']}", "prefect.tag.experiment:Each_Week"} <= related


def test_compare_has_the_answer_as_its_final_state(copy_of_finished: object, api: Api) -> None:
    result = compare("blocks/k2", "blocks/k8", resolve_uri())
    flow_run = api.flow_runs("blocks/k2 against blocks/k8")[0]
    assert flow_run["state"]["message"] == result.sentence
    assert flow_run["tags"] == ["experiment:blocks"]
    assert all("experiment:blocks" in run["tags"] for run in api.of_flow_run("task_runs", flow_run))
