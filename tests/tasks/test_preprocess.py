"""The preprocessing step: a split only for evaluation, and queries that the data cannot answer."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Summary
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData, prepare, with_split
from tasks.core.errors import ConfigError
from tasks.core.files import StoredFile
from tasks.core.planning.runs import split_seed
from tasks.preprocess import check_queries, preprocess
from tests.core.data.prepared_example import write_ratings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def config_with(**sections: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {"name": "small", "models": {"k2": {"factors": 2, "iterations": 2}}, **sections}
    )


# Interactions and split


def test_without_evaluation_nothing_is_held_out(tmp_path: Path) -> None:
    config = config_with(dataset={"name": "file", "path": str(write_ratings(tmp_path))}, evaluation=None)
    ratings = locate(config.dataset)
    assert preprocess.fn(config, ratings) == prepare(config.dataset, config.preprocess, ratings)


def test_with_evaluation_the_split_is_drawn_with_the_seed_of_the_experiment(tmp_path: Path) -> None:
    dataset = {"name": "file", "path": str(write_ratings(tmp_path))}
    config, reseeded = (config_with(dataset=dataset, evaluation={}, seed=seed) for seed in (1, 2))
    ratings = locate(config.dataset)
    data = preprocess.fn(config, ratings)
    assert config.evaluation is not None
    assert data == with_split(
        prepare(config.dataset, config.preprocess, ratings),
        config.evaluation,
        dataset=config.dataset,
        settings=config.preprocess,
        ratings=ratings,
        seed=split_seed(config),
    )
    assert preprocess.fn(reseeded, ratings).held_out != data.held_out


# Queries


@pytest.fixture
def data() -> PreparedData:
    """Data of 4 users and 7 items."""
    return PreparedData(StoredFile("", ""), "", Summary(4, 7, 10, 2.5, 1.4, 4, 3, 1, 1))


def test_the_last_user_and_item_can_be_queried(data: PreparedData) -> None:
    check_queries(config_with(queries={"users": [0, 3], "items": [0, 6], "recommend_for": [3]}), data)


def test_an_experiment_needs_no_queries(data: PreparedData) -> None:
    check_queries(config_with(), data)


def test_all_queries_for_unknown_users_and_items_are_refused_at_once(data: PreparedData) -> None:
    config = config_with(queries={"users": [3, 4, 5], "items": [7], "recommend_for": [4]})
    with pytest.raises(ConfigError) as raised:
        check_queries(config, data)
    assert str(raised.value).splitlines() == [
        "queries.users: found 4; the data have users 0 to 3",
        "queries.users: found 5; the data have users 0 to 3",
        "queries.items: found 7; the data have items 0 to 6",
        "queries.recommend_for: found 4; the data have users 0 to 3",
    ]
