"""Settings of the reference recommenders, chosen on a validation part."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import EASE, ITEM_KNN, EvaluationConfig, FilesSplit, RandomSplit, RandomUserSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import hold_out
from tasks.core.models.reference_recommenders import CANDIDATES, RECOMMENDERS, USUAL
from tasks.core.ranking import reference_choice
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.reference_choice import ReferenceSettings, choose, settings_of_splits, usual, validation_part
from tests.core.models.examples import two_blocks


def interactions(users: int = 60, items: int = 40, *, times: bool = False) -> Interactions:
    dense = np.random.default_rng(3).random((users, items)) < 0.3
    matrix = csr_array(dense.astype(np.float32))
    drawn = np.random.default_rng(4).random(matrix.nnz) if times else None
    return Interactions(matrix, np.arange(users), np.arange(items), None, drawn)


@pytest.mark.parametrize("name", CANDIDATES)
def test_the_most_accurate_setting_is_chosen(name: str) -> None:
    """By the evaluation that the test part has."""
    validation = two_blocks()
    chosen = choose(name, validation, "ndcg_at_5")
    accuracy = {
        tuple(settings.values()): evaluate(scores, validation, (5,)).means()["ndcg_at_5"]
        for settings, scores in CANDIDATES[name](validation.train, validation.known)
    }
    assert len(set(accuracy.values())) > 1
    assert accuracy[tuple(chosen.settings.values())] == max(accuracy.values())
    assert chosen.metric == "ndcg_at_5"


def test_settings_that_differ_between_splits_are_told_apart() -> None:
    knn = ReferenceSettings(ITEM_KNN, {"neighbours": 50.0, "shrinkage": 0.0}, "ndcg_at_10", "")
    weak, strong = (ReferenceSettings(EASE, {"penalty": penalty}, "ndcg_at_10", "") for penalty in (100.0, 500.0))
    found = settings_of_splits([[knn, strong], [knn, weak], [knn, strong]])
    assert found == [knn, replace(strong, splits=(0, 2)), replace(weak, splits=(1,))]
    assert [settings.text for settings in found] == [
        "item-knn (50 neighbours, shrinkage 0; chosen by ndcg_at_10 on a validation part)",
        "ease on splits 0 and 2 (penalty 500; chosen by ndcg_at_10 on a validation part)",
        "ease on split 1 (penalty 100; chosen by ndcg_at_10 on a validation part)",
    ]
    assert settings_of_splits([[knn, weak]]) == [knn, weak]


@pytest.mark.parametrize("name", CANDIDATES)
def test_of_equally_accurate_settings_the_usual_ones_are_chosen(name: str) -> None:
    """Test items that nobody has in the train part are never recommended, whatever the setting."""
    train = np.zeros((30, 40), dtype=np.float32)
    train[:, :30] = np.random.default_rng(0).random((30, 30)) < 0.4
    test = np.zeros_like(train)
    test[:, 35] = 1
    chosen = choose(name, Split(csr_array(train), csr_array(test)), "ndcg_at_10")
    assert chosen == ReferenceSettings(name, USUAL[name], "ndcg_at_10", "")


def test_users_of_a_large_validation_part_are_taken_at_even_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second of 60 users: as if the others had no test items."""
    validation = two_blocks()
    every_second = np.zeros(60, dtype=bool)
    every_second[np.linspace(0, 59, 30).astype(int)] = True
    test = csr_array(validation.test.toarray() * every_second[:, None])
    expected = choose(EASE, replace(validation, test=test), "ndcg_at_5")
    monkeypatch.setattr(reference_choice, "MOST_USERS", 30)
    rows = []
    monkeypatch.setitem(
        reference_choice.CANDIDATES,
        EASE,
        lambda train, known, original=CANDIDATES[EASE]: rows.append(known.shape[0]) or original(train, known),
    )
    assert choose(EASE, validation, "ndcg_at_5") == expected
    assert rows == [30]


def test_users_who_are_held_out_are_scored_by_what_is_visible_of_them() -> None:
    """Nobody in the test part has interactions in the train part."""
    whole = interactions().matrix.toarray()
    held_out = np.arange(60) >= 40
    visible, test = whole * held_out[:, None], np.zeros_like(whole)
    visible[:, ::3], test[:, ::3] = 0, (whole * held_out[:, None])[:, ::3]
    split = Split(csr_array(whole * ~held_out[:, None]), csr_array(test), csr_array(visible))
    chosen = choose(ITEM_KNN, split, "ndcg_at_5")
    accuracy = [
        evaluate(RECOMMENDERS[ITEM_KNN](split.train, split.known, 0, **settings), split, (5,)).means()["ndcg_at_5"]
        for settings in (chosen.settings, USUAL[ITEM_KNN])
    ]
    assert accuracy[0] >= accuracy[1] > 0


def test_progress_ends_with_the_number_of_settings() -> None:
    steps: list[tuple[int, int]] = []
    choose(EASE, two_blocks(), "ndcg_at_5", lambda done, total: steps.append((done, total)))
    assert steps == [(step, 8) for step in range(1, 9)]


@pytest.mark.parametrize(
    ("chosen", "tried", "note"),
    [
        ({"penalty": 10.0}, [10.0, 25.0], "the smallest penalty that was tried"),
        ({"penalty": 25.0}, [10.0, 25.0], "the largest penalty that was tried"),
        ({"penalty": 25.0}, [10.0, 25.0, 50.0], ""),
    ],
)
def test_an_end_of_what_was_tried_is_said(chosen: dict[str, float], tried: list[float], note: str) -> None:
    assert reference_choice._ends(chosen, [{"penalty": value} for value in tried], 100) == note


@pytest.mark.parametrize(
    ("neighbours", "shrinkage", "items", "note"),
    [
        (5.0, 0.0, 3_000, "the smallest number of neighbours that was tried"),
        (20.0, 1000.0, 3_000, "the largest shrinkage that was tried"),
        (1000.0, 10.0, 3_000, "the largest number of neighbours that was tried"),
        (1000.0, 10.0, 1_001, ""),  # all other items
        (20.0, 0.0, 3_000, ""),  # no shrinkage at all
    ],
)
def test_an_end_beyond_which_nothing_is_possible_is_not_said(
    neighbours: float, shrinkage: float, items: int, note: str
) -> None:
    tried = [{"neighbours": n, "shrinkage": h} for n in (5.0, 20.0, 1000.0) for h in (0.0, 10.0, 1000.0)]
    assert reference_choice._ends({"neighbours": neighbours, "shrinkage": shrinkage}, tried, items) == note


def test_settings_in_words() -> None:
    knn = ReferenceSettings(ITEM_KNN, {"neighbours": 50.0, "shrinkage": 100.0}, "ndcg_at_10", "")
    assert knn.text == "item-knn (50 neighbours, shrinkage 100; chosen by ndcg_at_10 on a validation part)"
    at_end = ReferenceSettings(EASE, {"penalty": 2500.0}, "ndcg_at_10", "the largest penalty that was tried")
    assert at_end.text == (
        "ease (penalty 2500; chosen by ndcg_at_10 on a validation part; the largest penalty that was tried)"
    )
    assert usual(EASE, "too large").text == "ease (penalty 250; not chosen on these data: too large)"


def test_the_validation_part_is_that_of_part_validation() -> None:
    data, config = interactions(), RandomSplit()
    split = hold_out(data, config, seed=5)
    part = validation_part(replace(data, matrix=split.train), config, 6)
    expected = hold_out(data, config, seed=5, validation=True)
    assert part is not None
    assert (part.train != expected.train).nnz == (part.test != expected.test).nnz == 0


def test_the_train_part_of_a_published_split_is_split_by_user() -> None:
    data = interactions()
    part = validation_part(data, FilesSplit(strategy="files", test="test.txt"), 6)
    expected = hold_out(data, RandomUserSplit(strategy="random_user"), seed=6)
    assert part is not None
    assert (part.test != expected.test).nnz == 0


def test_a_train_part_that_cannot_be_split_leaves_the_usual_settings() -> None:
    two = Interactions(csr_array(np.eye(2, dtype=np.float32)), np.arange(2), np.arange(2), None)
    assert validation_part(two, EvaluationConfig().split, 1) is None
    for name in CANDIDATES:
        chosen = choose(name, None, "ndcg_at_10")
        assert chosen.settings == USUAL[name]
        assert chosen.text.endswith("not chosen on these data: the train part is too small to be split again)")
