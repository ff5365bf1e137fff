"""Balanced factors: the same scores, the least penalty, and an optimum that plain ALS approaches slowly."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import BALANCE_EVERY, AlsConfig
from tasks.core.models.als import Iteration, fit, objective
from tasks.core.models.balance import balance, imbalance
from tests.core.models import examples

Side = np.ndarray[Any, Any]
SHAPES = [(30, 20, 4), (3, 20, 8), (30, 5, 8), (6, 5, 8), (1, 1, 1), (1, 1, 3)]


def unbalanced(n_users: int = 30, n_items: int = 20, k: int = 4, seed: int = 0) -> tuple[Side, Side]:
    """Factors whose sides differ in scale, and which are badly conditioned."""
    rng = np.random.default_rng(seed)
    stretch = np.geomspace(1, 1e-3, k)
    users, items = (
        (scale * stretch * rng.normal(size=(rows, k))).astype(np.float32)
        for rows, scale in ((n_users, 40), (n_items, 1))
    )
    return users, items


def penalty(users: Side, items: Side) -> float:
    return float((users.astype(np.float64) ** 2).sum() + (items.astype(np.float64) ** 2).sum())


def test_imbalance_by_hand() -> None:
    # UᵀU = I of norm √2; VᵀV = diag(4, 0); their difference diag(-3, 1) of norm √10
    users = np.eye(2, dtype=np.float32)
    items = np.array([[2, 0], [0, 0], [0, 0]], dtype=np.float32)
    assert imbalance(users, items) == pytest.approx(5**0.5)


def test_equal_sides_and_zeros_are_balanced() -> None:
    users = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert imbalance(users, users[::-1]) == pytest.approx(0, abs=1e-6)
    assert imbalance(users * 0, users * 0) == 0


@pytest.mark.parametrize(("n_users", "n_items", "k"), SHAPES)
def test_balancing_keeps_the_scores_and_makes_the_gram_matrices_equal(n_users: int, n_items: int, k: int) -> None:
    users, items = unbalanced(n_users, n_items, k)
    before = users.astype(np.float64) @ items.astype(np.float64).T
    penalty_before = penalty(users, items)
    balance(users, items)
    assert users.dtype == items.dtype == np.float32
    after = users.astype(np.float64) @ items.astype(np.float64).T
    assert np.linalg.norm(after - before) <= 1e-6 * np.linalg.norm(before)
    np.testing.assert_allclose(users.T @ users, items.T @ items, atol=1e-5 * np.linalg.norm(users) ** 2)
    assert imbalance(users, items) < 1e-5
    assert penalty(users, items) <= penalty_before * (1 + 1e-6)


@pytest.mark.parametrize(("n_users", "n_items", "k"), SHAPES)
def test_the_balanced_penalty_is_twice_the_nuclear_norm_of_the_scores(n_users: int, n_items: int, k: int) -> None:
    """The least penalty of any factors with these scores (Srebro, Rennie, Jaakkola 2004, lemma 1)."""
    users, items = unbalanced(n_users, n_items, k)
    nuclear = np.linalg.svd(users.astype(np.float64) @ items.astype(np.float64).T, compute_uv=False).sum()
    balance(users, items)
    assert penalty(users, items) == pytest.approx(2 * nuclear, rel=1e-5)


def test_balancing_balanced_factors_changes_signs_at_most() -> None:
    users, items = unbalanced()
    balance(users, items)
    users_again, items_again = users.copy(), items.copy()
    balance(users_again, items_again)
    np.testing.assert_allclose(np.abs(users_again), np.abs(users), atol=1e-4 * float(np.abs(users).max()))


def test_balancing_zeros_gives_zeros() -> None:
    users, items = np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float32)
    balance(users, items)
    assert not users.any()
    assert not items.any()


def matrix() -> csr_array:
    return examples.confidences(60, 40, seed=5)


def settings(**changes: Any) -> AlsConfig:
    return examples.settings(**{"factors": 20, "iterations": 12, "acceleration": "balanced", **changes})


def trace(config: AlsConfig) -> list[tuple[float, float]]:
    """Objective and imbalance after each sweep."""
    measured: list[tuple[float, float]] = []

    def measure(iteration: Iteration) -> None:
        assert iteration.objective is not None
        assert iteration.imbalance is not None
        measured.append((iteration.objective, iteration.imbalance))

    fit(matrix(), config, seed=3, snapshots=range(1, config.iterations + 1), on_iteration=measure)
    return measured


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
@pytest.mark.parametrize("factors", [6, 20, 50])
def test_a_fit_is_balanced_after_every_fifth_sweep_and_the_last(solver: str, orientation: str, factors: int) -> None:
    config = settings(solver=solver, orientation=orientation, factors=factors)
    plain = trace(config.model_copy(update={"acceleration": "none"}))
    accelerated = trace(config)
    assert accelerated[: BALANCE_EVERY - 1] == plain[: BALANCE_EVERY - 1]
    balanced = {sweep for sweep, (_, distance) in enumerate(accelerated, start=1) if distance < 1e-4}
    assert balanced >= {5, 10, 12}
    assert not {1, 2, 3, 4} & balanced
    assert accelerated[4][0] < plain[4][0], "the step lowers the objective"
    assert accelerated[-1][0] < plain[-1][0]


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_balancing_never_raises_the_objective(solver: str) -> None:
    config = settings(solver=solver, iterations=40)
    plain = config.model_copy(update={"acceleration": "none"})
    for iterations in (1, 5, 40):
        factors = fit(matrix(), plain.model_copy(update={"iterations": iterations}), seed=3)
        before = objective(matrix(), factors, config)
        balance(factors.users, factors.items)
        assert objective(matrix(), factors, config) <= before * (1 + 1e-6)


def test_two_seeds_reach_the_same_scores_in_fewer_sweeps_than_plain_als() -> None:
    """The scores at the optimum do not depend on the seed, here where k is the rank of the data."""
    distance = {}
    for acceleration in ("none", "balanced"):
        config = settings(acceleration=acceleration, factors=40, iterations=60)
        fits = [fit(matrix(), config, seed=seed) for seed in (1, 2)]
        first, second = (factors.users @ factors.items.T for factors in fits)
        distance[acceleration] = float(np.linalg.norm(first - second) / np.linalg.norm(first))
    assert distance["balanced"] < 0.2 * distance["none"]


def test_the_number_of_threads_does_not_change_the_factors() -> None:
    one, two = (fit(matrix(), settings(), seed=3, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.users, two.users)
    np.testing.assert_array_equal(one.items, two.items)
