"""Nearest neighbours, by hand and compared with implicit's."""

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares

from tasks.core.ranking.neighbours import nearest
from tests.core.ranking.examples import floats, random_factors


def test_cosines_by_hand() -> None:
    lists = nearest(floats([[1, 0], [3, 4], [0, 2], [-5, 0]]), n=3)
    assert lists.ids.tolist() == [[1, 2, 3], [2, 0, 3], [1, 0, 3], [2, 1, 0]]
    np.testing.assert_allclose(lists.scores, [[0.6, 0, -1], [0.8, 0.6, -0.6], [0.8, 0, 0], [0, -0.6, -1]], atol=1e-7)


def test_the_norm_of_a_row_does_not_matter() -> None:
    rows = random_factors(12, 1).users
    scaled = rows * floats(2.0 ** np.arange(12))[:, None]
    np.testing.assert_array_equal(nearest(rows, n=5).ids, nearest(scaled, n=5).ids)


def test_a_row_is_not_its_own_neighbour_even_among_equal_rows() -> None:
    lists = nearest(floats([[1, 1]] * 4), n=3)
    assert lists.ids.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_a_row_of_zeros_is_on_no_list_and_has_an_empty_list() -> None:
    lists = nearest(floats([[1, 0], [0, 0], [1, 1], [0, 0]]), n=3)
    assert lists.ids.tolist() == [[2], [-1], [0], [-1]]
    assert np.isnan(lists.scores[[1, 3]]).all()


def test_a_list_is_no_longer_than_the_number_of_other_rows() -> None:
    assert nearest(random_factors(4, 1).users, n=100).ids.shape == (4, 3)


def test_a_single_row_has_no_neighbours() -> None:
    assert nearest(floats([[1, 2]]), n=5).ids.tolist() == [[-1]]


def test_lists_are_those_of_sorting_all_cosines() -> None:
    rows = random_factors(40, 1).users.astype(np.float64)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    expected = np.argsort(-cosines, axis=1)[:, :7]
    np.testing.assert_array_equal(nearest(floats(rows), n=7).ids, expected)


@pytest.mark.parametrize("side", ["user", "item"])
def test_neighbours_are_implicit_s_without_the_entity_itself(
    implicit_model: AlternatingLeastSquares, side: str
) -> None:
    factors = getattr(implicit_model, f"{side}_factors")
    entities = np.arange(len(factors))
    ids, scores = getattr(implicit_model, f"similar_{side}s")(entities, N=7)
    lists = nearest(factors, n=6)
    for entity in entities:
        neighbours = ids[entity] != entity
        assert lists.ids[entity].tolist() == ids[entity][neighbours].tolist()
        np.testing.assert_allclose(lists.scores[entity], scores[entity][neighbours], rtol=1e-4, atol=1e-6)
