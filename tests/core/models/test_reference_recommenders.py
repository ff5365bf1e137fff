"""Reference recommenders, by their definitions."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import EASE, ITEM_KNN, POPULARITY, RANDOM, REFERENCES
from tasks.core.models.reference_recommenders import EASE_PENALTY, MOST_ITEMS, RECOMMENDERS, references_for
from tasks.core.ranking.evaluation import evaluate
from tests.core.models.examples import two_blocks


def test_every_reserved_name_has_a_recommender() -> None:
    assert tuple(RECOMMENDERS) == REFERENCES == ("popularity", "item-knn", "ease", "random")


def test_ease_is_left_out_of_large_catalogues() -> None:
    assert references_for(MOST_ITEMS) == RECOMMENDERS
    assert list(references_for(MOST_ITEMS + 1)) == ["popularity", "item-knn", "random"]


@pytest.mark.parametrize("name", REFERENCES)
def test_a_block_has_a_row_of_scores_for_each_user(name: str) -> None:
    scores = RECOMMENDERS[name](two_blocks().train, two_blocks().known, 1)
    assert scores(3, 10).shape == (7, 40)
    assert scores(3, 10).dtype == np.float32


def test_those_that_learn_recognise_two_blocks_and_the_others_do_not() -> None:
    split = two_blocks()
    auc = {
        name: evaluate(recommender(split.train, split.known, 1), split, (5,)).means()["auc"]
        for name, recommender in RECOMMENDERS.items()
    }
    assert min(auc[ITEM_KNN], auc[EASE]) > 0.7
    assert max(auc[POPULARITY], auc[RANDOM]) < 0.7
    assert abs(auc[RANDOM] - 0.5) < 0.1


def test_popularity_is_the_number_of_users() -> None:
    train = csr_array(np.array([[5, 1, 0], [4, 0, 0]], dtype=np.float32))
    assert RECOMMENDERS[POPULARITY](train, train, 0)(0, 2).tolist() == [[2, 1, -np.inf]] * 2


def test_ease_is_ridge_regression_of_each_item_on_the_others() -> None:
    """Steck 2019: it minimises |X - XB|² + penalty |B|² over B of zero diagonal, that is column by column."""
    ones = (np.random.default_rng(0).random((80, 9)) < 0.4).astype(np.float64)
    train = csr_array(ones.astype(np.float32) * 3)
    scores = RECOMMENDERS[EASE](train, train, 0)(0, 80)
    for item in range(9):
        other_items = np.delete(ones, item, axis=1)
        gram = other_items.T @ other_items + EASE_PENALTY * np.eye(8)
        weights = np.linalg.solve(gram, other_items.T @ ones[:, item])
        trained = ones.any(axis=1)
        np.testing.assert_allclose(scores[trained, item], (other_items @ weights)[trained], atol=1e-5)


def test_item_knn_is_the_sum_of_cosines() -> None:
    train = csr_array(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=np.float32))
    dense = train.toarray()
    cosines = (dense.T @ dense) / np.outer(*[np.linalg.norm(dense, axis=0)] * 2)
    scores = RECOMMENDERS[ITEM_KNN](train, train, 0)(0, 1)
    np.testing.assert_allclose(scores[0, 2], cosines[0, 2] + cosines[1, 2], rtol=1e-6)


def test_users_without_interactions_get_no_scores_from_those_that_learn() -> None:
    train = csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32))
    for name in (ITEM_KNN, EASE):
        assert np.isneginf(RECOMMENDERS[name](train, train, 0)(2, 3)).all()


def test_items_without_users_have_no_scores() -> None:
    train = csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32))
    for recommender in RECOMMENDERS.values():
        assert np.isneginf(recommender(train, train, 0)(0, 1)[0, 2])


def test_random_scores_depend_on_the_seed_alone() -> None:
    train = two_blocks().train
    first, repeated, different = (RECOMMENDERS[RANDOM](train, train, seed)(0, 5) for seed in (1, 1, 2))
    assert (first == repeated).all()
    assert (first != different).any()


def test_a_user_who_is_held_out_gets_the_scores_of_a_trained_user_with_the_same_interactions() -> None:
    """The last user has no interactions in the train part, and those of the first are visible."""
    dense = (np.random.default_rng(1).random((30, 8)) < 0.4).astype(np.float32) * 3
    dense[-1] = 0
    train = csr_array(dense)
    dense[-1] = dense[0]
    known = csr_array(dense)
    for name in (POPULARITY, ITEM_KNN, EASE):
        scores = RECOMMENDERS[name](train, known, 0)(0, 30)
        assert (scores[-1] == scores[0]).all(), name
        assert np.isfinite(scores[-1]).any(), name
        # the visible interactions change nobody else's scores
        assert (scores[:-1] == RECOMMENDERS[name](train, train, 0)(0, 29)).all(), name
