"""Balancing: the same scores, the least penalty, and an optimum that plain ALS only creeps to."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import BALANCE_EVERY, AlsConfig
from tasks.core.models.als import Iteration, fit, objective
from tasks.core.models.balance import balance, imbalance
from tasks.core.models.factors import Factors


def factors(users: int = 30, items: int = 20, k: int = 4, seed: int = 0) -> tuple[np.ndarray[Any, Any], ...]:
    stream = np.random.default_rng(seed)
    # the sides far apart in scale, and badly conditioned
    stretch = np.geomspace(1, 1e-3, k)
    return tuple(
        (size * stretch * stream.normal(size=(rows, k))).astype(np.float32) for rows, size in ((users, 40), (items, 1))
    )


def penalty(users: np.ndarray[Any, Any], items: np.ndarray[Any, Any]) -> float:
    return float((users.astype(np.float64) ** 2).sum() + (items.astype(np.float64) ** 2).sum())


SHAPES = [(30, 20, 4), (3, 20, 8), (30, 5, 8), (6, 5, 8), (1, 1, 1), (1, 1, 3)]


@pytest.mark.parametrize(("users", "items", "k"), SHAPES)
def test_scores_stay_and_both_sides_have_the_same_gram_matrix(users: int, items: int, k: int) -> None:
    left, right = factors(users, items, k)
    scores = left.astype(np.float64) @ right.astype(np.float64).T
    before = penalty(left, right)
    balance(left, right)
    assert left.dtype == right.dtype == np.float32
    found = left.astype(np.float64) @ right.astype(np.float64).T
    assert np.linalg.norm(found - scores) <= 1e-6 * np.linalg.norm(scores)
    np.testing.assert_allclose(left.T @ left, right.T @ right, atol=1e-5 * np.linalg.norm(left) ** 2)
    assert imbalance(left, right) < 1e-5
    assert penalty(left, right) <= before * (1 + 1e-6)


@pytest.mark.parametrize(("users", "items", "k"), SHAPES)
def test_the_penalty_is_twice_the_nuclear_norm_of_the_scores(users: int, items: int, k: int) -> None:
    """The least that any factors with these scores can have (Srebro, Rennie, Jaakkola 2004, lemma 1)."""
    left, right = factors(users, items, k)
    nuclear = np.linalg.svd(left.astype(np.float64) @ right.astype(np.float64).T, compute_uv=False).sum()
    balance(left, right)
    assert penalty(left, right) == pytest.approx(2 * nuclear, rel=1e-5)


def test_what_is_balanced_stays_but_for_signs() -> None:
    left, right = factors()
    balance(left, right)
    again = left.copy(), right.copy()
    balance(*again)
    np.testing.assert_allclose(np.abs(again[0]), np.abs(left), atol=1e-4 * float(np.abs(left).max()))


def test_no_factors_are_balanced() -> None:
    left, right = np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float32)
    balance(left, right)
    assert not left.any()
    assert not right.any()


def matrix() -> csr_array:
    stream = np.random.default_rng(5)
    dense = stream.integers(1, 6, size=(60, 40)) * (stream.random((60, 40)) < 0.3)
    return csr_array(dense.astype(np.float32))


def settings(**changes: Any) -> AlsConfig:
    return AlsConfig.model_validate({"factors": 20, "iterations": 12, "acceleration": "balanced", **changes})


def trace(config: AlsConfig) -> list[tuple[float, float]]:
    """Objective and imbalance after each sweep."""
    found: list[tuple[float, float]] = []

    def note(at: Iteration) -> None:
        assert at.objective is not None
        assert at.imbalance is not None
        found.append((at.objective, at.imbalance))

    fit(matrix(), config, seed=3, snapshots=range(1, config.iterations + 1), on_iteration=note)
    return found


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
@pytest.mark.parametrize("factors", [6, 20, 50])
def test_a_fit_is_balanced_after_every_fifth_sweep_and_the_last(solver: str, orientation: str, factors: int) -> None:
    config = settings(solver=solver, orientation=orientation, factors=factors)
    plain = trace(config.model_copy(update={"acceleration": "none"}))
    found = trace(config)
    assert found[: BALANCE_EVERY - 1] == plain[: BALANCE_EVERY - 1]
    balanced = {sweep for sweep, (_, off) in enumerate(found, start=1) if off < 1e-4}
    assert balanced >= {5, 10, 12}
    assert not {1, 2, 3, 4} & balanced
    assert found[4][0] < plain[4][0], "the step lowers the objective"
    assert found[-1][0] < plain[-1][0]


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_the_step_never_raises_the_objective(solver: str) -> None:
    config = settings(solver=solver, iterations=40)
    plain = config.model_copy(update={"acceleration": "none"})
    data = matrix()
    for iterations in (1, 5, 40):
        found = fit(data, plain.model_copy(update={"iterations": iterations}), seed=3)
        before = objective(data, found, config)
        balance(found.users, found.items)
        assert objective(data, Factors(found.users, found.items), config) <= before * (1 + 1e-6)


def test_two_seeds_meet_where_plain_als_is_still_under_way() -> None:
    """At the optimum the scores are one and the same, whatever the start, here where k is that of the data's rank."""
    ends: dict[str, list[Factors]] = {
        kind: [fit(matrix(), settings(acceleration=kind, factors=40, iterations=60), seed=seed) for seed in (1, 2)]
        for kind in ("none", "balanced")
    }
    apart = {}
    for kind, (first, second) in ends.items():
        one, other = (each.users @ each.items.T for each in (first, second))
        apart[kind] = float(np.linalg.norm(one - other) / np.linalg.norm(one))
    assert apart["balanced"] < 0.2 * apart["none"]


def test_equal_seeds_give_equal_bits_with_any_number_of_threads() -> None:
    one, two = (fit(matrix(), settings(), seed=3, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.users, two.users)
    np.testing.assert_array_equal(one.items, two.items)
