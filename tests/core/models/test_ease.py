"""EASE, by hand, by its formula, and by the regressions that define it."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.models import ease as ease_module
from tasks.core.models.ease import PENALTIES, ease, weights
from tasks.core.types import Values


def liked(users: int = 80, items: int = 9) -> Values:
    return (np.random.default_rng(0).random((users, items)) < 0.4).astype(np.float64)


def of_values(dense: Values) -> csr_array:
    return csr_array(dense.astype(np.float32))


def test_two_items_by_hand() -> None:
    """XᵀX = [[2, 1], [1, 2]]; with penalty 1, P = [[3, -1], [-1, 3]] / 8 and B_12 = 1/3."""
    assert weights(np.array([[2.0, 1.0], [1.0, 2.0]]), 1.0) == pytest.approx(np.array([[0, 1 / 3], [1 / 3, 0]]))
    train = of_values(np.array([[5, 0], [4, 4], [0, 5]]))  # the values are not used
    scores = ease(train, train, penalty=1.0)(0, 3)
    assert scores == pytest.approx(np.array([[0, 1 / 3], [1 / 3, 1 / 3], [1 / 3, 0]]))


def test_three_items_by_hand() -> None:
    """Each of the first two items has the third one's users; the penalty is 1.

    XᵀX + 1 = [[2, 0, 1], [0, 2, 1], [1, 1, 3]], whose determinant is 8 and whose adjugate is [[5, 1, -2], ...].
    """
    train = of_values(np.array([[1, 0, 1], [0, 1, 1]]))
    gram = (train.T @ train).toarray().astype(np.float64)
    expected = np.array([[0, -1 / 5, 1 / 2], [-1 / 5, 0, 1 / 2], [2 / 5, 2 / 5, 0]])
    assert weights(gram, 1.0) == pytest.approx(expected)


@pytest.mark.parametrize("rows_of_a_block", [1, 4, 9])
@pytest.mark.parametrize("penalty", [PENALTIES[0], PENALTIES[-1]])
def test_weights_are_those_of_the_formula(
    penalty: float, rows_of_a_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steck 2019, equation 8, with an explicit inverse in float64."""
    monkeypatch.setattr(ease_module, "_rows_of_a_block", lambda items: rows_of_a_block)
    dense = liked()
    inverse = np.linalg.inv(dense.T @ dense + penalty * np.eye(9))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights(dense.T @ dense, penalty), expected, rtol=1e-5, atol=1e-7)
    train = of_values(dense)
    scores = ease(train, train, penalty=penalty)(0, 80)
    known = dense.any(axis=1)
    np.testing.assert_allclose(scores[known], (dense @ expected)[known], rtol=1e-5, atol=1e-6)


def test_ease_is_ridge_regression_of_each_item_on_the_others() -> None:
    """Steck 2019: it minimises |X - XB|² + penalty |B|² over B of zero diagonal, that is column by column."""
    ones = liked()
    train = of_values(ones * 3)
    scores = ease(train, train, penalty=250.0)(0, 80)
    for item in range(9):
        other_items = np.delete(ones, item, axis=1)
        gram = other_items.T @ other_items + 250 * np.eye(8)
        of_item = np.linalg.solve(gram, other_items.T @ ones[:, item])
        trained = ones.any(axis=1)
        np.testing.assert_allclose(scores[trained, item], (other_items @ of_item)[trained], atol=1e-5)


def test_a_fit_takes_twelve_bytes_a_cell() -> None:
    """Beside blocks: one matrix of float64 and one of float32, as `latentlab check` says."""
    items = 3_000
    train = csr_array(
        (np.ones(30_000, np.float32), np.random.default_rng(0).integers(0, items, 30_000), np.arange(0, 30_001, 10)),
        shape=(3_000, items),
    )
    tracemalloc.start()
    ease(train, train, penalty=250.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    cells = items**2
    assert ease_module.BYTES_PER_CELL * cells <= peak < (ease_module.BYTES_PER_CELL + 4) * cells
