"""Recommendations, by hand and compared with implicit's."""

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tasks.core.models.factors import Factors
from tasks.core.ranking.recommendations import preferences, recommend
from tests.core.ranking.examples import floats, nothing_liked, random_factors, random_liked


def test_the_worked_example_of_the_notebook() -> None:
    """U1 = [0.9, 0.1] and movie B = [0.1, 0.9] give 0.9 x 0.1 + 0.1 x 0.9 = 0.18."""
    scores = preferences(Factors(floats([[0.9, 0.1]]), floats([[0.1, 0.9]])))
    assert scores(0, 1).item() == pytest.approx(0.18)


def test_scores_by_hand_are_listed_best_first() -> None:
    factors = Factors(floats([[1, 2], [-1, 0]]), floats([[1, 0], [0, 1], [3, -2]]))
    lists = recommend(factors, nothing_liked(2, 3), n=3)
    assert lists.ids.tolist() == [[1, 0, 2], [1, 0, 2]]
    assert lists.scores.tolist() == [[2, 1, -1], [0, -1, -3]]


def test_liked_items_are_never_recommended() -> None:
    liked = random_liked(30, 20)
    lists = recommend(random_factors(30, 20), liked, n=20)
    for user, ids in enumerate(lists.ids):
        assert set(ids[ids >= 0].tolist()) == set(range(20)) - set(liked[[user]].indices.tolist())


def test_a_user_who_likes_everything_gets_no_recommendations() -> None:
    liked = csr_array(floats([[1, 1], [0, 1]]))
    lists = recommend(Factors(floats([[1], [1]]), floats([[1], [2]])), liked, n=2)
    assert lists.ids.tolist() == [[-1], [0]]


def test_untrained_users_get_no_recommendations_and_untrained_items_are_not_recommended() -> None:
    factors = Factors(floats([[1, 0], [0, 0]]), floats([[0, 0], [-1, 0], [0, 5]]))
    lists = recommend(factors, nothing_liked(2, 3), n=3)
    assert lists.ids.tolist() == [[2, 1], [-1, -1]]


def test_recommendations_are_implicit_s(implicit_model: AlternatingLeastSquares, liked: csr_array) -> None:
    ids, scores = implicit_model.recommend(np.arange(30), csr_matrix(liked), N=5)
    lists = recommend(Factors(implicit_model.user_factors, implicit_model.item_factors), liked, n=5)
    np.testing.assert_array_equal(lists.ids, ids)
    np.testing.assert_allclose(lists.scores, scores, rtol=1e-4, atol=1e-6)
