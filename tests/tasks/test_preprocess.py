"""The preprocessing step: a split only for evaluation, and queries that the data cannot answer."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Summary
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData, prepare
from tasks.core.data.splits.store import with_splits
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import StoredFile
from tasks.core.planning.runs import planned_runs, split_seeds
from tasks.preprocess import check_queries, check_resample, preprocess, resolve_queries
from tests.core.data.prepared_example import write_ratings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def config_with(**sections: Any) -> ExperimentConfig:
    models = {"k2": {"factors": 2, "iterations": 2}}
    return ExperimentConfig.model_validate(
        {"name": "small", "preprocess": {"min_rating": 4}, "models": models, **sections}
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
    assert data == with_splits(
        prepare(config.dataset, config.preprocess, ratings),
        config.evaluation,
        dataset=config.dataset,
        settings=config.preprocess,
        ratings=ratings,
        seeds=split_seeds(config),
    )
    assert preprocess.fn(reseeded, ratings).splits != data.splits


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Our messages: a thread of Prefect that an earlier test has started may log too."""
    return [record.message for record in caplog.records if record.name == "tasks.preprocess"]


def test_what_is_read_and_dropped_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "r.csv").write_text("user,item,rating\na,1,5\na,2,4\nb,1,3\n")
    (tmp_path / "t.csv").write_text("user,item,rating\na,3,5\nb,1,5\n")
    config = config_with(
        dataset={"name": "file", "path": str(tmp_path / "r.csv")},
        evaluation={"split": {"strategy": "files", "test": str(tmp_path / "t.csv")}},
    )
    with caplog.at_level("INFO", logger="tasks"):
        preprocess.fn(config, locate(config.dataset))
    assert logged(caplog) == [
        "file: 3 ratings read; 1 dropped by preprocess.min_rating 4",
        "test file: 2 ratings read; none dropped; 1 user and 1 item of it are not in the train part",
    ]


def test_users_who_are_held_out_as_a_whole_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_with(
        dataset={"name": "file", "path": str(write_ratings(tmp_path))}, evaluation={"split": {"strategy": "strong"}}
    )
    with caplog.at_level("INFO", logger="tasks"):
        preprocess.fn(config, locate(config.dataset))
    assert logged(caplog)[-1].startswith("Held out: 4 users as a whole, of whom ")


# Queries


@pytest.fixture
def data() -> PreparedData:
    """Data of 4 users and 7 items."""
    return PreparedData(StoredFile("", ""), "", Summary(4, 7, 10, 2.5, 1.4, 4, 3, 1, 1))


def test_the_last_user_and_item_can_be_queried(data: PreparedData) -> None:
    check_queries(config_with(queries={"users": [0, 3], "items": [0, 6], "recommend_for": [3]}), data)


def test_queries_by_id_are_resolved_before_they_are_checked(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item,rating\nu9,a,5\nu7,b,5\n")
    dataset = {"name": "file", "path": str(tmp_path / "r.csv")}
    config = config_with(dataset=dataset, evaluation=None, queries={"users": [{"id": "u7"}], "items": [{"id": "a"}, 1]})
    data = preprocess.fn(config, locate(config.dataset))
    resolved = resolve_queries(config, data)
    assert (resolved.queries.users, resolved.queries.items) == ((1,), (0, 1))
    check_queries(resolved, data)
    assert resolve_queries(resolved, data) == resolved
    with pytest.raises(ConfigError, match=r"queries.users: found the id 'u8', which is that of no user"):
        resolve_queries(config_with(queries={"users": [{"id": "u8"}]}), data)


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


# What fits leave out


def config_dropping(tmp_path: Path, fraction: float, **sections: Any) -> tuple[ExperimentConfig, PreparedData]:
    """Return an experiment with 40 fits without evaluation, and its data: 3 users, 4 items, 10 interactions."""
    path = tmp_path / "ratings.csv"
    rows = [(user, item) for user in range(3) for item in range(4) if user < 2 or item < 2]
    path.write_text("user,item,rating\n" + "".join(f"{user},{item},5\n" for user, item in rows))
    config = config_with(
        dataset={"name": "file", "path": str(path)},
        evaluation=None,
        replicates={"looks": [2, 40]},
        models={name: {"factors": 2, "iterations": 2} for name in ("a", "b")},
        resample={"strategy": "drop_interactions", "fraction": fraction},
        **sections,
    )
    return config, preprocess.fn(config, locate(config.dataset))


def test_a_query_that_is_lost_in_a_fit_of_the_last_look_is_refused(tmp_path: Path) -> None:
    """User 2 has two of ten interactions; each fit leaves out two."""
    config, data = config_dropping(tmp_path, 0.2, queries={"users": [0, 2]})
    runs = planned_runs(config, data.sha256)
    with pytest.raises(DataError, match=r"queries.users: found 2, which has no interaction in a #\d+: that run is"):
        check_resample(config, data, runs)
    check_resample(config.model_copy(update={"resample": None}), data, runs)


def test_a_fraction_that_leaves_out_nothing_is_refused(tmp_path: Path) -> None:
    config, data = config_dropping(tmp_path, 0.01)
    with pytest.raises(ConfigError, match=r"found 0\.01, which leaves out 0 of 10 interactions"):
        check_resample(config, data, planned_runs(config, data.sha256))
    accepted, data = config_dropping(tmp_path, 0.1, queries={"users": [2]})
    check_resample(accepted, data, planned_runs(accepted, data.sha256))
