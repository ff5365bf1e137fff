"""Alternating least squares: the same factors as implicit's, and what is measured on the way."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tasks.core.config.als import AlsConfig
from tasks.core.errors import TrainingError
from tasks.core.models.als import Iteration, fit, objective
from tasks.core.models.balance import imbalance
from tasks.core.models.cost import gflop
from tasks.core.models.factors import Factors
from tasks.core.models.seeds import run_seed
from tasks.core.ranking.recommendations import recommend


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads do not change the factors, and small fits on busy machines are slower with them."""
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        yield


def matrix(users: int = 30, items: int = 20, seed: int = 0) -> csr_array:
    stream = np.random.default_rng(seed)
    dense = stream.integers(1, 6, (users, items)) * (stream.random((users, items)) < 0.3)
    return csr_array(dense.astype(np.float32))


def settings(**changes: Any) -> AlsConfig:
    return AlsConfig.model_validate({"factors": 4, "iterations": 5, **changes})


def trace(config: AlsConfig, snapshots: tuple[int, ...] = ()) -> list[Iteration]:
    found: list[Iteration] = []
    fit(matrix(), config, seed=1, snapshots=snapshots, on_iteration=found.append)
    return found


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
@pytest.mark.parametrize("alpha", [1.0, 40.0])
def test_factors_are_implicit_s_to_the_bit(solver: str, orientation: str, alpha: float) -> None:
    data = matrix()
    transposed = orientation == "item_user"
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=4, regularization=0.01, alpha=alpha, iterations=5, use_cg=solver == "cg", random_state=7
        )
        model.fit(csr_matrix(data.T if transposed else data), show_progress=False)
    users, items = model.user_factors, model.item_factors
    if transposed:
        users, items = items, users

    found = fit(data, settings(solver=solver, orientation=orientation, alpha=alpha), seed=7)
    assert found.users.dtype == np.float32
    np.testing.assert_array_equal(found.users, users)
    np.testing.assert_array_equal(found.items, items)


def test_equal_seeds_give_equal_factors_and_others_others() -> None:
    first, again, other = (fit(matrix(), settings(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.users, again.users)
    np.testing.assert_array_equal(first.items, again.items)
    assert not np.allclose(first.users, other.users)


def test_threads_that_are_asked_for_after_every_sweep_change_nothing() -> None:
    asked = iter([1, 2, 3, 1, 2, 1])
    found = fit(matrix(), settings(), seed=1, threads=lambda: next(asked))
    assert list(asked) == [], "once before the first sweep and once after each of five"
    np.testing.assert_array_equal(found.users, fit(matrix(), settings(), seed=1, threads=1).users)


def test_watching_a_fit_does_not_change_it() -> None:
    watched = fit(matrix(), settings(), seed=1, snapshots=(1, 2, 3), on_iteration=lambda _: None)
    np.testing.assert_array_equal(watched.users, fit(matrix(), settings(), seed=1).users)


def test_a_fit_leaves_its_matrix_as_it_was() -> None:
    data = matrix()
    fit(data, settings(alpha=40.0), seed=1)
    assert (data != matrix()).nnz == 0


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
def test_the_withheld_diagonal_of_a_checkerboard_is_recommended(solver: str, orientation: str) -> None:
    """The data set of implicit's own tests: user i likes all items of i's parity but i, and must get i."""
    size = 50
    dense = (np.add.outer(np.arange(size), np.arange(size)) % 2 == 0) & ~np.eye(size, dtype=bool)
    liked = csr_array(dense.astype(np.float32))
    config = settings(factors=3, iterations=15, solver=solver, orientation=orientation)
    found = recommend(fit(liked, config, seed=23), liked, n=1)
    assert found.ids[:, 0].tolist() == list(range(size))


@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_objective_is_the_sum_over_every_cell(alpha: float) -> None:
    data, stream = matrix(), np.random.default_rng(3)
    factors = Factors(stream.normal(size=(30, 4)).astype(np.float32), stream.normal(size=(20, 4)).astype(np.float32))
    dense = data.toarray().astype(np.float64)
    confidence = np.where(dense > 0, alpha * dense, 1.0)
    preference = (dense > 0).astype(float)
    users, items = factors.users.astype(np.float64), factors.items.astype(np.float64)
    expected = (confidence * (preference - users @ items.T) ** 2).sum() + 0.1 * ((users**2).sum() + (items**2).sum())
    found = objective(data, factors, settings(alpha=alpha, regularization=0.1))
    assert found == pytest.approx(expected, rel=1e-5)


def test_objective_by_hand() -> None:
    # cells: (liked, c 3, score 2) and (not liked, c 1, score 4): 3 (1-2)^2 + (0-4)^2; norms 4, 1 and 4, times 0.5
    factors = Factors(np.array([[2]], dtype=np.float32), np.array([[1], [2]], dtype=np.float32))
    data = csr_array((np.array([3], dtype=np.float32), ([0], [0])), shape=(1, 2))
    data.indices, data.indptr = data.indices.astype(np.int32), data.indptr.astype(np.int32)
    assert objective(data, factors, settings(regularization=0.5)) == pytest.approx(3 + 16 + 0.5 * 9)


@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
def test_the_last_reported_objective_is_that_of_the_factors(orientation: str) -> None:
    config = settings(alpha=3.0, orientation=orientation)
    reported: list[Iteration] = []
    factors = fit(matrix(), config, seed=1, on_iteration=reported.append)
    assert reported[-1].objective == pytest.approx(objective(matrix(), factors, config), rel=1e-5)


def test_exact_sweeps_never_raise_the_objective() -> None:
    found = trace(settings(solver="cholesky", iterations=30, regularization=0.5), snapshots=tuple(range(1, 31)))
    values = [each.objective for each in found]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(values))
    assert values[-1] < values[0]


def test_imbalance_by_hand() -> None:
    # UᵀU = I of norm √2; VᵀV = diag(4, 0); their difference diag(-3, 1) of norm √10
    users = np.eye(2, dtype=np.float32)
    items = np.array([[2, 0], [0, 0], [0, 0]], dtype=np.float32)
    assert imbalance(users, items) == pytest.approx(5**0.5)


def test_equal_sides_are_in_balance_and_zeros_too() -> None:
    users = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert imbalance(users, users[::-1]) == pytest.approx(0, abs=1e-6)
    assert imbalance(users * 0, users * 0) == 0


def test_a_converged_fit_is_in_balance() -> None:
    config = settings(factors=2, iterations=200, solver="cholesky", regularization=1.0)
    factors = fit(matrix(), config, seed=1)
    assert imbalance(factors.users, factors.items) < 1e-4


def test_every_iteration_is_reported_and_snapshots_are_measured() -> None:
    found = trace(settings(iterations=4), snapshots=(2, 9))
    assert [each.iteration for each in found] == [1, 2, 3, 4]
    assert [each.objective is not None for each in found] == [False, True, False, True]
    assert [each.imbalance is not None for each in found] == [False, True, False, True]
    assert all(each.seconds > 0 for each in found)


def test_factor_change_is_relative_to_the_factors() -> None:
    before, after = (fit(matrix(), settings(iterations=n), seed=1) for n in (2, 3))
    old, new = (np.concatenate([each.users, each.items]).astype(np.float64) for each in (before, after))
    found = trace(settings(iterations=3))
    assert np.isnan(found[0].factor_change)
    assert found[2].factor_change == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(new), rel=1e-4)


def test_an_exception_of_the_listener_ends_the_fit() -> None:
    class Enough(Exception):
        pass

    seen: list[int] = []

    def listen(each: Iteration) -> None:
        seen.append(each.iteration)
        if each.iteration == 3:
            raise Enough

    with pytest.raises(Enough):
        fit(matrix(), settings(iterations=1000), seed=1, on_iteration=listen)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_a_fit_that_diverges_says_when_and_what_to_do(solver: str) -> None:
    with pytest.raises(TrainingError, match=r"iteration \d+ of 30 .*raise regularization"):
        fit(matrix(), settings(solver=solver, alpha=1e12, regularization=0.0, iterations=30), seed=1)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_confidences_must_be_finite_and_above_zero(value: float) -> None:
    data = matrix()
    data.data[3] = value
    with pytest.raises(TrainingError, match="finite and above 0"):
        fit(data, settings(), seed=1)


def test_an_empty_matrix_is_refused() -> None:
    with pytest.raises(TrainingError):
        fit(csr_array((3, 3), dtype=np.float32), settings(), seed=1)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    factors = fit(matrix(), settings(), seed=1)
    factors.save(tmp_path / "factors.npz")
    loaded = Factors.load(tmp_path / "factors.npz")
    np.testing.assert_array_equal(loaded.users, factors.users)
    np.testing.assert_array_equal(loaded.items, factors.items)
    with np.load(tmp_path / "factors.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"user_factors", "item_factors"}


class TestRunSeed:
    def test_each_part_changes_it(self) -> None:
        parts = [
            (root, model, replicate, role)
            for root in (0, 1, 2**63 - 1)
            for model in ("k50", "k500", "")
            for replicate in (0, 1, 999)
            for role in ("model", "evaluation", "split")
        ]
        assert len({run_seed(*each) for each in parts}) == len(parts)

    def test_it_is_what_implicit_takes(self) -> None:
        seeds = [run_seed(1, "k50", replicate, "model") for replicate in range(1000)]
        assert all(0 <= seed < 2**31 for seed in seeds)
        assert len(set(seeds)) == 1000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 10 sweeps over 100 rows, k = 10, 1000 interactions
        ({"solver": "cg"}, 10 * (10 * 100 * 100 + 32 * 1000 * 10)),
        ({"solver": "cholesky"}, 10 * (2 * 100 * 100 + 4 * 1000 * 100 + 100 * 1000 / 3)),
    ],
)
def test_work_by_hand(changes: dict[str, Any], expected: float) -> None:
    assert gflop((60, 40), 1000, settings(factors=10, iterations=10, **changes)) == pytest.approx(expected / 1e9)


def test_ials_with_a_weight_on_the_unobserved_is_the_same_model_at_another_scale() -> None:
    """What docs/evaluation.md says of Rendle et al. 2022: its optimum is a fixed point of their alternating steps."""
    observed = (np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32)
    weight, penalty, k = 0.5, 0.3, 3
    settings = AlsConfig(
        factors=k,
        iterations=3000,
        regularization=penalty * (1 + weight) / weight,
        alpha=1 + 1 / weight,
        solver="cholesky",
    )
    found = fit(csr_array(observed), settings, seed=1)
    users, items = (side.astype(np.float64) / np.sqrt(1 + weight) for side in (found.users, found.items))
    for rows, columns, seen in ((users, items, observed), (items, users, observed.T)):
        common = weight * columns.T @ columns + penalty * np.eye(k)
        solved = [np.linalg.solve(common + (c := columns[row > 0]).T @ c, c.sum(axis=0)) for row in seen]
        np.testing.assert_allclose(rows, np.stack(solved), atol=1e-5)
