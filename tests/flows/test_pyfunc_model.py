"""A fit as an MLflow model: loaded without pickle, asked by raw ids, and served over HTTP."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from flows.cli.look_up.new_user import recommend_for_items
from tasks.tracking.artifacts import MANIFEST, RunFiles
from tasks.tracking.reading.named_run import find_run
from tasks.tracking.verify import verify_runs
from tests.conftest import require, require_package
from tests.flows.finished_experiment import FinishedExperiment
from tests.serving import refused_port


@pytest.fixture(scope="module")
def one_seed(finished: FinishedExperiment, tmp_path_factory: pytest.TempPathFactory) -> FinishedExperiment:
    """The comparison of the first seeds alone, with registered models: its lists are those of one fit."""
    folder = tmp_path_factory.mktemp("one-seed")
    finished.copy_to(folder)
    config = finished.config.model_copy(update={"replicates": 1, "evaluation": None})
    return FinishedExperiment.run(folder, config, register_as="served")


@pytest.fixture(scope="module")
def client(one_seed: FinishedExperiment) -> MlflowClient:
    return one_seed.client


@pytest.fixture
def environment(one_seed: FinishedExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow refuses every pickle, and its store is that of the experiment."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{one_seed.folder / 'mlflow.db'}")


@pytest.fixture
def run(client: MlflowClient) -> Run:
    """The run of the first fit of k2."""
    return find_run(client, "blocks/k2/0")


@pytest.fixture
def model(run: Run, environment: None) -> PyFuncModel:
    return mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")


@pytest.fixture
def user_id(one_seed: FinishedExperiment) -> str:
    """The raw id of a user."""
    return str(pd.read_csv(str(one_seed.config.dataset.path))["user"][0])


def requested(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """Return rows as the input of the model."""
    return pd.DataFrame(rows, columns=["task", "id", "n"])


def test_the_lists_are_those_that_were_compared(one_seed: FinishedExperiment, model: PyFuncModel) -> None:
    users, items, recommended = one_seed.outcome.result.queries
    lists = model.predict(
        requested(
            ("similar_users", str(users.raw_id), 5),
            ("similar_items", str(items.raw_id), 4),
            ("recommend", str(recommended.raw_id), 10),
        )
    )
    assert list(lists.columns) == ["row", "rank", "id", "title", "score"]
    for row, (query, n) in enumerate(((users, 5), (items, 4), (recommended, 10))):
        expected = [str(entry.raw_id) for entry in sorted(query.models["k2"], key=lambda entry: entry.rank)][:n]
        entries = lists[lists["row"] == row]
        assert list(entries["id"]) == expected
        assert list(entries["rank"]) == list(range(1, len(expected) + 1))
        assert entries["score"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("similar_users", "nobody", 5)], r"row 0: found user id 'nobody', which is not among the 40 users"),
        ([("recommend", "USER", 5), ("recomend", "USER", 5)], r"row 1: found task 'recomend'; expected one of rec"),
        ([("recommend", "USER", 0)], "found n 0; expected 1 to 100"),
        ([("recommend", "USER", 101)], "found n 101"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(
    model: PyFuncModel, user_id: str, rows: list[tuple[str, str, int]], message: str
) -> None:
    with pytest.raises(MlflowException, match=message):
        model.predict(requested(*((task, entity.replace("USER", user_id), n) for task, entity, n in rows)))


def new_user(*items: object, **columns: object) -> pd.DataFrame:
    """Return the input of a user who is not in the data and has some items."""
    return pd.DataFrame({"task": ["recommend"], "items": [[str(item) for item in items]], **columns})


@pytest.fixture
def item_ids(client: MlflowClient, run: Run) -> list[str]:
    """The raw ids of all items."""
    return pd.read_parquet(RunFiles(client, run.info.run_id).read("items.parquet"))["raw_id"].astype(str).tolist()


def test_a_new_user_gets_what_the_command_recommends(
    client: MlflowClient, run: Run, model: PyFuncModel, item_ids: list[str]
) -> None:
    owned = [item_ids[index] for index in (4, 7, 10)]
    lists = model.predict(new_user(*owned, n=[6]))
    (entries,) = recommend_for_items(client, run, owned, n=6, raw=True).models.values()
    assert list(lists["id"]) == [str(entry.raw_id) for entry in entries]
    assert list(lists["rank"]) == [1, 2, 3, 4, 5, 6]
    assert list(lists["score"]) == pytest.approx([entry.score for entry in entries], abs=1e-5)
    assert not set(lists["id"]) & set(owned)


def test_new_and_known_users_can_be_rows_of_one_request(model: PyFuncModel, user_id: str, item_ids: list[str]) -> None:
    rows = [("recommend", user_id, 3, None), ("recommend", None, 4, item_ids[:2])]
    lists = model.predict(pd.DataFrame(rows, columns=["task", "id", "n", "items"]))
    assert lists["row"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert lists[lists["row"] == 1]["id"].tolist() == model.predict(new_user(*item_ids[:2], n=[4]))["id"].tolist()


def test_a_user_who_has_all_items_but_one_is_recommended_that_one(model: PyFuncModel, item_ids: list[str]) -> None:
    assert model.predict(new_user(*item_ids[:-1]))["id"].tolist() == item_ids[-1:]
    assert model.predict(new_user(*item_ids)).empty


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"items": [["nothing"]]}, "row 0: found item id 'nothing', which is not among the 30 items"),
        (
            {"items": [["ITEM", "ITEM"]]},
            r"row 0: found items \['[0-9]+', '[0-9]+'\]; expected one id or more, each once",
        ),
        ({"items": [[]]}, r"row 0: found items \[\]; expected one id or more"),
        ({"items": [["ITEM"]], "n": [101]}, "found n 101"),
        ({"items": [["ITEM"]], "id": ["USER"]}, "row 0: found both id and items; expected an id, or items"),
        ({"n": [3]}, "row 0: found no id; expected an id, or items"),
        ({"items": [["ITEM"]], "task": ["similar_items"]}, "found items for task 'similar_items'"),
    ],
)
def test_a_new_user_who_cannot_be_folded_in_is_refused(
    model: PyFuncModel, user_id: str, item_ids: list[str], columns: dict[str, list[object]], message: str
) -> None:
    text = json.dumps({"task": ["recommend"], **columns}).replace("ITEM", item_ids[0]).replace("USER", user_id)
    with pytest.raises(MlflowException, match=message):
        model.predict(pd.DataFrame(json.loads(text)))


def test_users_have_no_titles(model: PyFuncModel, user_id: str, item_ids: list[str]) -> None:
    users = requested(("similar_users", user_id, 2))
    assert list(model.predict(users).columns) == ["row", "rank", "id", "score"]
    both = model.predict(pd.concat([users, requested(("similar_items", item_ids[0], 2))]))
    assert both["title"].tolist() == [None, None, "", ""]


def test_arrays_have_one_row_for_each_row_of_the_input(model: PyFuncModel, user_id: str, item_ids: list[str]) -> None:
    rows = requested(("recommend", user_id, 3), ("similar_users", user_id, 2), ("similar_items", item_ids[0], 4))
    rows.index = pd.Index([7, 5, 6])
    arrays, entries = model.predict(rows, params={"arrays": True}), model.predict(rows)
    assert arrays.index.tolist() == [7, 5, 6]
    assert list(arrays.columns) == ["id", "title", "score"]
    assert arrays["id"].tolist() == entries.groupby("row")["id"].agg(list).tolist()
    assert arrays["score"].tolist() == entries.groupby("row")["score"].agg(list).tolist()
    assert [len(titles) for titles in arrays["title"]] == [3, 0, 4]


def test_arrays_of_a_user_without_recommendations_are_empty(model: PyFuncModel, item_ids: list[str]) -> None:
    arrays = model.predict(new_user(*item_ids), params={"arrays": True})
    assert arrays.to_dict("records") == [{"id": [], "title": [], "score": []}]


@pytest.mark.filterwarnings("ignore")  # pyspark's own
def test_the_lists_are_columns_of_a_spark_frame(
    model: PyFuncModel, run: Run, user_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/mlflow.md shows."""
    require_package("pyspark")
    require(shutil.which("java"), "java")
    from pyspark.sql import SparkSession, functions

    local = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[1]").config("spark.sql.warehouse.dir", str(tmp_path))
    for key, value in local.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        rows = requested(("recommend", user_id, 3), ("similar_users", user_id, 2))
        lists = mlflow.pyfunc.spark_udf(
            spark,
            f"runs:/{run.info.run_id}/model",
            result_type="id array<string>, score array<double>",
            env_manager="local",
            params={"arrays": True},
        )
        requests = spark.createDataFrame(rows)
        answered = requests.withColumn("list", lists(functions.struct("task", "id", "n"))).toPandas()
    finally:
        spark.stop()
    expected = model.predict(rows, params={"arrays": True})
    assert [list(row["id"]) for row in answered["list"]] == expected["id"].tolist()
    assert [list(row["score"]) for row in answered["list"]] == expected["score"].tolist()


def test_ten_entries_are_returned_by_default(model: PyFuncModel, user_id: str) -> None:
    assert len(model.predict(requested(("recommend", user_id, 5))[["task", "id"]])) == 10


def test_the_logged_model_names_its_run_params_and_requirements(client: MlflowClient) -> None:
    run = find_run(client, "blocks/k8/0")
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (logged.status, logged.source_run_id) == ("READY", run.info.run_id)
    assert logged.params["factors"] == "8"
    requirements = (folder_of(client, run) / "requirements.txt").read_text().split()
    assert all("==" in requirement for requirement in requirements)
    names = {requirement.partition("==")[0] for requirement in requirements}
    assert names == {"mlflow", "numpy", "pandas", "pyarrow"}


def test_the_manifest_of_the_run_lists_the_files_of_the_model_and_none_is_a_pickle(
    client: MlflowClient, run: Run
) -> None:
    folder = folder_of(client, run)
    assert not list(folder.rglob("*.pkl"))
    manifest = json.loads(RunFiles(client, run.info.run_id).read("factors.npz").with_name(MANIFEST).read_text())
    prefix = f"models/{folder.parent.name}/"
    paths = [entry["path"] for entry in manifest["files"]]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {path.removeprefix(prefix) for path in paths if path.startswith("models/")} == files


@pytest.mark.usefixtures("environment")
def test_verify_passes_over_what_loading_a_registered_model_leaves_beside_its_code(
    client: MlflowClient, run: Run
) -> None:
    mlflow.pyfunc.load_model("models:/served-k2/1")
    assert {path.name for path in folder_of(client, run).iterdir()} > {"__pycache__", "registered_model_meta"}
    assert [check.problems for check in verify_runs(client, [run])] == [[]]


def folder_of(client: MlflowClient, run: Run) -> Path:
    """Return where the files of a run's logged model are."""
    (output,) = run.outputs.model_outputs
    return Path(client.get_logged_model(output.model_id).artifact_location.removeprefix("file://"))


@pytest.fixture
def address(environment: None, tmp_path: Path) -> Iterator[str]:
    """The address at which `mlflow models serve` serves the registered model."""
    port = refused_port()
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # MLflow starts uvicorn by name
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
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/ping"):
            assert time.monotonic() < deadline, (tmp_path / "serve.log").read_text()
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(url: str) -> bool:
    """Return whether a server answers at an address."""
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def test_the_model_is_served_over_http(address: str, user_id: str, item_ids: list[str]) -> None:
    def post(**columns: object) -> requests.Response:
        content = {"dataframe_records": [{"task": "recommend", "n": 3, **columns}]}
        return requests.post(address, json=content, timeout=30)

    good, bad, new = post(id=user_id), post(id="zz"), post(items=item_ids[:2])
    assert new.status_code == 200, new.text
    assert [row["rank"] for row in new.json()["predictions"]] == [1, 2, 3]
    assert good.status_code == 200, good.text
    assert [row["rank"] for row in good.json()["predictions"]] == [1, 2, 3]
    assert bad.status_code == 400
    assert "found user id 'zz'" in bad.json()["message"]
