"""Reference recommenders: what is chosen, on which validation part, what is left out, and when they are evaluated."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models.reference_recommenders import RECOMMENDERS, USUAL
from tasks.core.planning.references import ReferencePlan
from tasks.core.planning.runs import split_seeds
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.reference_choice import choose
from tasks.held_out import references_beside, references_on_splits
from tasks.preprocess import preprocess
from tasks.reference_accuracy import ReferenceAccuracy, evaluate_references
from tasks.reporting.progress import listening
from tests.core.data.prepared_example import write_ratings
from tests.flows.listeners import Recording

EVERYTHING = ReferencePlan({}, {}, 0, 0, 0.0)
"""All recommenders, with chosen settings."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))


def prepared(folder: Path, **evaluation: Any) -> tuple[ExperimentConfig, PreparedData, Split]:
    columns = {"user": "user", "item": "item", "rating": "rating", "timestamp": "t1"}
    config = ExperimentConfig.model_validate(
        {
            "name": "small",
            "dataset": {"name": "file", "path": str(write_ratings(folder)), "columns": columns},
            "preprocess": {"min_rating": 4},
            "models": {"k2": {"factors": 2, "iterations": 2}},
            "evaluation": {"cutoffs": [5], **evaluation},
        }
    )
    data = preprocess.fn(config, locate(config.dataset))
    return config, data, data.splits[0].load()


def evaluated(
    config: ExperimentConfig, data: PreparedData, split: Split, plan: ReferencePlan = EVERYTHING
) -> ReferenceAccuracy:
    assert config.evaluation is not None
    return evaluate_references(plan, config.evaluation, data, split, split_seeds(config)[0])


@pytest.mark.parametrize("strategy", ["random", "random_user", "leave_last", "time"])
def test_settings_are_chosen_on_the_part_that_part_validation_measures_on(tmp_path: Path, strategy: str) -> None:
    config, data, split = prepared(tmp_path, split={"strategy": strategy})
    assert config.evaluation is not None
    validation = hold_out(data.load(times=True), config.evaluation.split, seed=split_seeds(config)[0], validation=True)
    found = evaluated(config, data, split)
    assert found.left_out == {}
    assert found.settings == [choose(name, validation, "ndcg_at_5") for name in ("item-knn", "ease")]


def test_the_chosen_settings_are_those_that_are_evaluated_on_the_test_part(tmp_path: Path) -> None:
    config, data, split = prepared(tmp_path)
    found = evaluated(config, data, split)
    assert list(found.evaluations) == list(RECOMMENDERS)
    assert any(settings.settings != USUAL[settings.reference] for settings in found.settings)
    for settings in found.settings:
        scores = RECOMMENDERS[settings.reference](split.train, split.known, 0, **settings.settings)
        expected = evaluate(scores, split, (5,)).per_user["ndcg_at_5"]
        np.testing.assert_array_equal(found.evaluations[settings.reference].per_user["ndcg_at_5"], expected)


def test_on_the_validation_part_settings_are_chosen_on_a_part_of_its_own_train_part(tmp_path: Path) -> None:
    """The part that accuracy is measured on chooses nothing."""
    config, data, split = prepared(tmp_path, part="validation")
    assert config.evaluation is not None
    whole = data.load()
    train = type(whole)(split.train, whole.user_ids, whole.item_ids, None)
    further = hold_out(train, config.evaluation.split, seed=split_seeds(config)[0] + 2)
    assert evaluated(config, data, split).settings == [
        choose(name, further, "ndcg_at_5") for name in ("item-knn", "ease")
    ]


def test_what_the_plan_leaves_out_is_left_out_with_its_reason(tmp_path: Path) -> None:
    config, data, split = prepared(tmp_path)
    plan = ReferencePlan({"ease": "too large"}, {"item-knn": "too much work"}, 0, 0, 0.0)
    found = evaluated(config, data, split, plan)
    assert list(found.evaluations) == ["popularity", "item-knn", "random"]
    assert found.left_out == {"ease": "too large"}
    (knn,) = found.settings
    assert (knn.settings, knn.metric, knn.note) == (USUAL["item-knn"], None, "too much work")


@pytest.mark.timeout(60)
def test_recommenders_that_take_little_are_evaluated_while_the_block_runs(tmp_path: Path) -> None:
    config, data, _ = prepared(tmp_path)
    with listening(recording := Recording()), references_beside(config, data) as references:
        while "lists of popularity" not in recording.labels:
            time.sleep(0.01)
        found = references()
    (expected,) = references_on_splits(config, data)
    assert [of_split.references.settings for of_split in found] == [expected.references.settings]
    assert {name: of.means() for name, of in found[0].references.evaluations.items()} == {
        name: of.means() for name, of in expected.references.evaluations.items()
    }


def test_recommenders_that_take_much_are_evaluated_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.held_out.run_beside_fits", lambda *_: False)
    config, data, _ = prepared(tmp_path)
    with listening(recording := Recording()), references_beside(config, data) as references:
        time.sleep(0.2)
        assert recording.labels == []
        assert len(references()) == 1
    assert "lists of popularity" in recording.labels
