"""A fit as an MLflow model: loaded without pickle, served over HTTP, registered once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError
from tasks.tracking import artifacts, search, store

pytestmark = pytest.mark.usefixtures("api_url")


@pytest.fixture
def client(config: ExperimentConfig) -> MlflowClient:
    return store.open_store(store.resolve_uri())


@pytest.fixture
def small(config: ExperimentConfig) -> ExperimentConfig:
    return config.model_copy(update={"replicates": 1, "evaluation": None})


def asked(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["task", "id", "n"])


def load(client: MlflowClient, monkeypatch: pytest.MonkeyPatch, model_uri: str) -> object:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.resolve_uri())
    return mlflow.pyfunc.load_model(model_uri)


def test_it_answers_what_was_compared(
    small: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = experiment(small).result
    run = search.find_run(client, "blocks/k2/0")
    model = load(client, monkeypatch, f"runs:/{run.info.run_id}/model")
    users, items, recommended = result.queries
    found = model.predict(  # type: ignore[attr-defined]
        asked(
            ("similar_users", str(users.raw_id), 5),
            ("similar_items", str(items.raw_id), 4),
            ("recommend", str(recommended.raw_id), 10),
        )
    )
    assert list(found.columns) == ["row", "rank", "id", "title", "score"]
    for row, (query, n) in enumerate(((users, 5), (items, 4), (recommended, 10))):
        expected = [str(entry.raw_id) for entry in sorted(query.models["k2"], key=lambda entry: entry.rank)][:n]
        mine = found[found["row"] == row]
        assert list(mine["id"]) == expected
        assert list(mine["rank"]) == list(range(1, len(expected) + 1))
        assert mine["score"].is_monotonic_decreasing


def test_what_it_is_asked_is_checked(
    small: ExperimentConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment(small)
    model = load(client, monkeypatch, f"runs:/{search.find_run(client, 'blocks/k2/0').info.run_id}/model")
    known = str(pd.read_csv("blocks.csv")["user"][0])
    for rows, message in (
        (asked(("similar_users", "nobody", 5)), r"row 0: found user id 'nobody', which is not among the 40 users"),
        (asked(("recommend", known, 5), ("recomend", known, 5)), r"row 1: found task 'recomend'; expected one of rec"),
        (asked(("recommend", known, 0)), "found n 0; expected 1 to 100"),
        (asked(("recommend", known, 101)), "found n 101"),
    ):
        with pytest.raises(MlflowException, match=message):
            model.predict(rows)  # type: ignore[attr-defined]
    by_default = model.predict(asked(("recommend", known, 5))[["task", "id"]])  # type: ignore[attr-defined]
    assert len(by_default) == 10


def test_it_says_what_it_needs(small: ExperimentConfig, client: MlflowClient) -> None:
    experiment(small)
    run = search.find_run(client, "blocks/k8/0")
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (logged.status, logged.source_run_id) == ("READY", run.info.run_id)
    assert logged.params["factors"] == "8"
    folder = Path(logged.artifact_location.removeprefix("file://"))
    requirements = (folder / "requirements.txt").read_text().split()
    assert all("==" in each for each in requirements)
    assert {each.partition("==")[0] for each in requirements} == {"mlflow", "numpy", "pandas", "pyarrow"}
    assert not list(folder.rglob("*.pkl"))
    manifest = json.loads(
        artifacts.read_artifact(client, run.info.run_id, "factors.npz").with_name("manifest.json").read_text()
    )
    prefix = f"models/{output.model_id}/"
    of_model = {entry["path"].removeprefix(prefix) for entry in manifest["files"] if entry["path"].startswith(prefix)}
    assert of_model == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_registering_twice_makes_one_version(small: ExperimentConfig, client: MlflowClient) -> None:
    first = experiment(small, register_as="mine")
    assert first.registered == {"mine-k2": "1", "mine-k8": "1"}
    assert experiment(small, register_as="mine").registered == first.registered
    anew = experiment(small, fresh=True, register_as="mine")
    assert anew.registered == {"mine-k2": "2", "mine-k8": "2"}
    version = client.get_model_version("mine-k8", "2")
    assert version.run_id == next(run.run_id for run in anew.result.runs if run.model == "k8")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b"])
def test_an_illegal_name_is_refused_before_anything_is_trained(
    small: ExperimentConfig, client: MlflowClient, name: str
) -> None:
    with pytest.raises(ConfigError, match="--register: found"):
        experiment(small, register_as=name)
    assert search.our_runs(client) == []


def test_it_is_served_over_http(small: ExperimentConfig, client: MlflowClient, tmp_path: Path) -> None:
    experiment(small, register_as="served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "MLFLOW_TRACKING_URI": store.resolve_uri(), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    # mlflow starts uvicorn by its name
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/served-k2/1"]
    with (tmp_path / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--port", str(port)],
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                if requests.get(f"{url}/ping", timeout=1).ok:
                    break
            except requests.RequestException:
                time.sleep(0.25)
        known = str(pd.read_csv("blocks.csv")["user"][0])
        good = requests.post(
            f"{url}/invocations", json={"dataframe_records": [{"task": "recommend", "id": known, "n": 3}]}, timeout=30
        )
        assert good.status_code == 200, (tmp_path / "serve.log").read_text()
        assert [row["rank"] for row in good.json()["predictions"]] == [1, 2, 3]
        bad = requests.post(
            f"{url}/invocations", json={"dataframe_records": [{"task": "recommend", "id": "zz", "n": 3}]}, timeout=30
        )
        assert bad.status_code == 400
        assert "found user id 'zz'" in bad.json()["message"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
