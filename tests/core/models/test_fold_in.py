"""Users that a model was not trained on, folded in against its item factors."""

from itertools import product

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tasks.core.config.als import AlsConfig
from tasks.core.errors import TrainingError
from tasks.core.models import fold_in as module
from tasks.core.models.als import fit, objective
from tasks.core.models.factors import Factors
from tasks.core.models.fold_in import fold_in
from tasks.core.types import Floats, Values
from tests.core.models.examples import confidences, settings

NEW_USERS = confidences(users=12, seed=5)


def solved(interactions: csr_array, items: Floats, config: AlsConfig) -> Values:
    """Solve (YᵀCY + λI) x = YᵀCp for each user, in float64."""
    y, stored = items.astype(np.float64), interactions.toarray().astype(np.float64)
    users = []
    for row in stored:
        c = np.where(row > 0, config.alpha * row, 1.0)
        system = y.T @ (c[:, None] * y) + config.regularization * np.eye(y.shape[1])
        users.append(np.linalg.solve(system, y.T @ (c * (row > 0))))
    return np.array(users)


def test_a_hand_worked_example() -> None:
    """Y has rows (1, 0) and (1, 1), a user has the first item with c = 2 · 1.5 = 3, and λ = 1.

    YᵀCY + λI is 3 (1 0; 0 0) + (1 1; 1 1) + (1 0; 0 1) = (5 1; 1 2) with determinant 9, and YᵀCp is (3, 0).
    """
    items = np.array([[1, 0], [1, 1]], dtype=np.float32)
    interactions = csr_array(np.array([[1.5, 0]], dtype=np.float32))
    factors = fold_in(interactions, items, settings(factors=2, alpha=2.0, regularization=1.0))
    assert factors.dtype == np.float32
    np.testing.assert_allclose(factors, [[2 / 3, -1 / 3]], rtol=1e-6)


@pytest.mark.parametrize(
    ("solver", "orientation", "acceleration", "alpha"),
    product(("cg", "cholesky"), ("user_item", "item_user"), ("none", "balanced"), (1.0, 40.0)),
)
def test_new_users_have_the_exact_solution_against_the_trained_items(
    solver: str, orientation: str, acceleration: str, alpha: float
) -> None:
    """Balanced factors are folded in after the last balancing step: the items are those of the finished fit."""
    config = settings(
        solver=solver, orientation=orientation, acceleration=acceleration, alpha=alpha, regularization=0.5, iterations=7
    )
    items = fit(confidences(), config, seed=1).items
    np.testing.assert_allclose(fold_in(NEW_USERS, items, config), solved(NEW_USERS, items, config), atol=2e-5)


@pytest.mark.parametrize("alpha", [1.0, 40.0])
def test_trained_users_get_their_factors_again_where_users_are_solved_last(alpha: float) -> None:
    matrix = confidences()
    config = settings(solver="cholesky", orientation="item_user", alpha=alpha, regularization=0.5)
    trained = fit(matrix, config, seed=1)
    np.testing.assert_allclose(fold_in(matrix, trained.items, config), trained.users, atol=1e-5)


def test_balanced_users_fit_the_balanced_items_no_better_than_users_that_are_folded_in() -> None:
    """The balancing step changes users and items together, so users before it would not fit the items after it."""
    matrix, config = confidences(), settings(acceleration="balanced", regularization=0.5)
    trained = fit(matrix, config, seed=1)
    folded = Factors(fold_in(matrix, trained.items, config), trained.items)
    assert objective(matrix, folded, config) <= objective(matrix, trained, config)
    unbalanced = fit(matrix, config.model_copy(update={"acceleration": "none"}), seed=1)
    assert not np.allclose(fold_in(matrix, unbalanced.items, config), folded.users, atol=0.01)


def test_the_transposed_model_s_own_method_gives_the_same_factors() -> None:
    """implicit's item factors are the users of a model that was trained on the transposed matrix."""
    config = settings(orientation="item_user", alpha=40.0, regularization=0.5)
    model = AlternatingLeastSquares(factors=4, regularization=0.5, alpha=40.0, random_state=1, iterations=5)
    model.fit(csr_matrix(confidences().T), show_progress=False)
    expected = model.recalculate_item(np.arange(NEW_USERS.shape[0]), csr_matrix(NEW_USERS))
    np.testing.assert_allclose(fold_in(NEW_USERS, model.user_factors, config), expected, atol=1e-6)


def test_blocks_of_users_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    items = fit(confidences(), settings(), seed=1).items
    at_once = fold_in(NEW_USERS, items, settings())
    monkeypatch.setattr(module, "_BLOCK", 5)
    np.testing.assert_array_equal(fold_in(NEW_USERS, items, settings()), at_once)


def test_users_of_whom_nothing_is_known_have_factors_of_zeros() -> None:
    """Without interactions, or with none but items that were not trained."""
    items = fit(confidences(), settings(), seed=1).items
    items[3] = 0
    interactions = np.zeros((3, len(items)), dtype=np.float32)
    interactions[1, 3], interactions[2, 4] = 5, 5
    factors = fold_in(csr_array(interactions), items, settings())
    assert np.any(factors, axis=1).tolist() == [False, False, True]
    assert fold_in(csr_array(interactions[:0]), items, settings()).shape == (0, 4)


def test_the_arguments_are_not_modified() -> None:
    items = fit(confidences(), settings(), seed=1).items
    before = items.copy()
    fold_in(NEW_USERS, items, settings(alpha=40.0))
    np.testing.assert_array_equal(items, before)
    assert (confidences(users=12, seed=5) != NEW_USERS).nnz == 0


def test_a_system_that_cannot_be_solved_is_reported() -> None:
    """Columns of zeros, as balanced factors have where k exceeds the number of users, need a penalty."""
    items = fit(confidences(), settings(), seed=1).items
    items[:, 3] = 0
    with pytest.raises(TrainingError, match=r"cannot be folded in: .*row 0; raise regularization"):
        fold_in(NEW_USERS, items, settings(regularization=0.0))
