"""`flows.api`: what the command line does, from Python."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from flows import api
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, OrchestrationError, TrackingError
from tasks.reporting.result import Result
from tests.command_line import command_line
from tests.flows.finished_experiment import FinishedExperiment


@pytest.fixture
def in_copy(copy_of_finished: MlflowClient) -> None:
    """The current directory has a copy of the finished experiment."""


def test_a_config_is_a_path_a_mapping_or_a_config(workdir: Path, blocks_config: ExperimentConfig) -> None:
    content = blocks_config.model_dump(mode="json")
    before = deepcopy(content)
    Path("config.yaml").write_text(blocks_config.to_yaml())
    for given in ("config.yaml", Path("config.yaml"), content, blocks_config):
        assert api.load(given).digest() == blocks_config.digest()
        changed = api.load(given, {"models.k2.iterations": 9, "queries": {"users": [1]}})
        assert (changed.models["k2"].iterations, changed.models["k8"].iterations) == (9, 6)
        assert (changed.queries.users, changed.queries.items) == ((1,), ())
    assert content == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicate": 2}, "replicate: unknown key"),
        ({"dataset": {"name": "movielens-10k"}}, "dataset.name: found 'movielens-10k'"),
    ],
)
def test_a_faulty_config_is_a_config_error(
    workdir: Path, blocks_config: ExperimentConfig, change: dict[str, Any], message: str
) -> None:
    content = blocks_config.model_dump(mode="json", exclude_unset=True) | change
    with pytest.raises(ConfigError, match=message):
        api.run(content)
    assert list(workdir.iterdir()) == []


def test_a_run_below_a_running_event_loop_gives_the_result_of_the_command(
    in_copy: None, finished: FinishedExperiment
) -> None:
    """As in a notebook. The k2 fits are there, the k8 fits are trained; handlers of signals stay as they were."""

    async def cell() -> Result:
        return api.run(finished.config, {"models.k8.iterations": 5, "evaluation": None})

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = asyncio.run(cell())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    expected = {(row.depth, row.target): row.overlap for row in finished.outcome.result.comparison if row.b == "k2"}
    found = {(row.depth, row.target): row.overlap for row in result.comparison if row.b == "k2"}
    assert found == expected
    assert [run.run_id for run in result.runs if run.model == "k2"] == [
        run.run_id for run in finished.outcome.result.runs if (run.model, run.role) == ("k2", "model")
    ]
    assert repr(result) == f"<Result of blocks, parent run {result.parent_id}: {result.sentence}>"


def test_a_run_in_a_thread_finds_what_is_there(in_copy: None, finished: FinishedExperiment) -> None:
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(api.run, finished.config).result()
    assert result == finished.outcome.result


def test_models_that_exist_are_compared(in_copy: None, finished: FinishedExperiment) -> None:
    whole = api.compare("blocks/k8", "blocks/k2")
    assert list(whole.models) == ["k8", "k2"]
    assert list(api.compare(finished.outcome.result, whole).models) == ["k2", "k8"]
    with pytest.raises(ConfigError, match="are the same runs"):
        api.compare("blocks/k2", "blocks/k2")


@pytest.mark.parametrize(("of", "by"), [("users", None), ("items", "scores"), ("recommendations", None)])
def test_lists_are_those_of_the_look_ups(in_copy: None, workdir: Path, closed: str, of: str, by: str | None) -> None:
    frame = api.lists("blocks", of, by=by, n=4)
    assert len(frame) == 4 * 4 * (30 if of == "items" else 40)
    words = {"users": ["similar", "--user"], "items": ["similar", "--item"], "recommendations": ["recommend", "--user"]}
    command, option = words[of]
    arguments = [command, "blocks/k8/1", option, "3", "-n", "4", *(["--by", by] if by else [])]
    (entries,) = command_line(workdir, f"{closed}/api").answer(*arguments)["models"].values()
    own = frame.query("model == 'k8' and replicate == 1 and index == 3")
    assert own["listed_index"].tolist() == [entry["index"] for entry in entries]
    assert own["listed_id"].tolist() == [entry["raw_id"] for entry in entries]
    assert own["score"].tolist() == pytest.approx([entry["score"] for entry in entries])


def test_lists_of_a_result_are_those_of_its_name(in_copy: None, finished: FinishedExperiment) -> None:
    frame = api.lists(finished.outcome.result, n=1)
    assert frame.equals(api.lists("latest", n=1))
    assert frame.groupby(["model", "replicate"], observed=True).size().tolist() == [40] * 4


def test_accuracy_by_user_has_the_means_of_the_result(in_copy: None, finished: FinishedExperiment) -> None:
    means = api.accuracy(finished.outcome.result).groupby("model")["auc"].mean()
    expected = {row.model: row.mean for row in finished.outcome.result.accuracy if row.metric == "auc"}
    assert means.to_dict() == pytest.approx(expected)
    with pytest.raises(ConfigError, match="name a comparison"):
        api.accuracy("blocks/k2/0")


def test_what_is_not_there_is_an_error_of_ours(in_copy: None) -> None:
    with pytest.raises(TrackingError, match="there is no experiment 'nothing'"):
        api.lists("nothing")
    with pytest.raises(ConfigError, match="of: found 'user'; expected 'users' or"):
        api.lists("latest", "user")
    with pytest.raises(ConfigError, match="by: found 'cosine'"):
        api.lists("latest", by="cosine")
    with pytest.raises(ConfigError, match="expected 1 to 100"):
        api.lists("latest", n=101)


def test_a_prefect_server_that_is_down_is_an_error_of_ours(
    in_copy: None, finished: FinishedExperiment, closed: str
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"{closed}/api"}), pytest.raises(OrchestrationError, match="Prefect"):
        api.run(finished.config)
