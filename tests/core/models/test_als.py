"""Alternating least squares: implicit's factors, and what is measured during training."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tasks.core.config.als import AlsConfig
from tasks.core.errors import TrainingError
from tasks.core.models.als import Iteration, Start, fit, objective, row_solver
from tasks.core.models.balance import imbalance
from tasks.core.models.factors import Factors
from tests.core.models.examples import confidences, settings


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads do not change the factors, and they make small fits slower on a busy machine."""
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        yield


def reported(config: AlsConfig, snapshots: tuple[int, ...] = ()) -> list[Iteration]:
    iterations: list[Iteration] = []
    fit(confidences(), config, seed=1, snapshots=snapshots, on_iteration=iterations.append)
    return iterations


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
@pytest.mark.parametrize("alpha", [1.0, 40.0])
def test_factors_are_bit_identical_to_implicit_s(solver: str, orientation: str, alpha: float) -> None:
    matrix = confidences()
    transposed = orientation == "item_user"
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=4, regularization=0.01, alpha=alpha, iterations=5, use_cg=solver == "cg", random_state=7
        )
        model.fit(csr_matrix(matrix.T if transposed else matrix), show_progress=False)
    users, items = model.user_factors, model.item_factors
    if transposed:
        users, items = items, users

    factors = fit(matrix, settings(solver=solver, orientation=orientation, alpha=alpha), seed=7)
    assert factors.users.dtype == np.float32
    np.testing.assert_array_equal(factors.users, users)
    np.testing.assert_array_equal(factors.items, items)


def test_equal_seeds_give_equal_factors_and_different_seeds_different_ones() -> None:
    first, repeated, different = (fit(confidences(), settings(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.users, repeated.users)
    np.testing.assert_array_equal(first.items, repeated.items)
    assert not np.allclose(first.users, different.users)


def test_a_callback_does_not_change_the_factors() -> None:
    watched = fit(confidences(), settings(), seed=1, snapshots=(1, 2, 3), on_iteration=lambda _: None)
    np.testing.assert_array_equal(watched.users, fit(confidences(), settings(), seed=1).users)


def test_the_matrix_is_not_modified() -> None:
    matrix = confidences()
    fit(matrix, settings(alpha=40.0), seed=1)
    assert (matrix != confidences()).nnz == 0


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_the_row_solver_is_the_one_that_a_fit_uses(solver: str) -> None:
    """A sweep solves for the users with the items fixed, then for the items with the users fixed."""
    matrix, config = csr_matrix(confidences()), settings(solver=solver)
    before, after = (fit(csr_array(matrix), settings(solver=solver, iterations=n), seed=1) for n in (2, 3))
    solve = row_solver(config)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        solve(matrix, before.users, before.items, config.regularization, 1)
        solve(matrix.T.tocsr(), before.items, before.users, config.regularization, 1)
    np.testing.assert_array_equal(before.users, after.users)
    np.testing.assert_array_equal(before.items, after.items)


@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_the_objective_is_the_sum_over_every_cell(alpha: float) -> None:
    matrix, rng = confidences(), np.random.default_rng(3)
    factors = Factors(rng.normal(size=(30, 4)).astype(np.float32), rng.normal(size=(20, 4)).astype(np.float32))
    dense = matrix.toarray().astype(np.float64)
    confidence = np.where(dense > 0, alpha * dense, 1.0)
    preference = (dense > 0).astype(float)
    users, items = factors.users.astype(np.float64), factors.items.astype(np.float64)
    expected = (confidence * (preference - users @ items.T) ** 2).sum() + 0.1 * ((users**2).sum() + (items**2).sum())
    actual = objective(matrix, factors, settings(alpha=alpha, regularization=0.1))
    assert actual == pytest.approx(expected, rel=1e-5)


def test_objective_by_hand() -> None:
    # cells: (liked, c 3, score 2) and (not liked, c 1, score 4): 3 (1-2)^2 + (0-4)^2; norms 4, 1 and 4, times 0.5
    factors = Factors(np.array([[2]], dtype=np.float32), np.array([[1], [2]], dtype=np.float32))
    matrix = csr_array((np.array([3], dtype=np.float32), ([0], [0])), shape=(1, 2))
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    assert objective(matrix, factors, settings(regularization=0.5)) == pytest.approx(3 + 16 + 0.5 * 9)


@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
def test_the_last_reported_objective_is_that_of_the_returned_factors(orientation: str) -> None:
    config = settings(alpha=3.0, orientation=orientation)
    iterations: list[Iteration] = []
    factors = fit(confidences(), config, seed=1, on_iteration=iterations.append)
    assert iterations[-1].objective == pytest.approx(objective(confidences(), factors, config), rel=1e-5)


def test_exact_sweeps_never_raise_the_objective() -> None:
    config = settings(solver="cholesky", iterations=30, regularization=0.5)
    objectives = [iteration.objective for iteration in reported(config, snapshots=tuple(range(1, 31)))]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(objectives))
    assert objectives[-1] < objectives[0]


def test_a_converged_fit_is_balanced() -> None:
    config = settings(factors=2, iterations=200, solver="cholesky", regularization=1.0)
    factors = fit(confidences(), config, seed=1)
    assert imbalance(factors.users, factors.items) < 1e-4


def test_every_iteration_is_reported_and_snapshots_are_measured() -> None:
    iterations = reported(settings(iterations=4), snapshots=(2, 9))
    assert [iteration.iteration for iteration in iterations] == [1, 2, 3, 4]
    assert [iteration.objective is not None for iteration in iterations] == [False, True, False, True]
    assert [iteration.imbalance is not None for iteration in iterations] == [False, True, False, True]
    assert [iteration.factor_change is not None for iteration in iterations] == [False, True, False, True]
    assert all(iteration.seconds > 0 for iteration in iterations)


@pytest.mark.parametrize("resumed", [False, True])
def test_factor_change_is_relative_to_the_norm_of_the_factors(resumed: bool) -> None:
    fits = [fit(confidences(), settings(iterations=n), seed=1) for n in (2, 3)]
    old, new = (np.concatenate([factors.users, factors.items]).astype(np.float64) for factors in fits)
    start = Start(2, fits[0]) if resumed else None
    iterations: list[Iteration] = []
    fit(confidences(), settings(iterations=3), seed=1, start=start, on_iteration=iterations.append, snapshots=(1,))
    assert iterations[-1].factor_change == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(new), rel=1e-4)
    assert resumed or iterations[0].factor_change is None, "the random start is not kept"


def test_factor_change_is_that_of_the_sweep_without_the_balancing_step() -> None:
    fits = [fit(confidences(), settings(iterations=n, acceleration="balanced"), seed=1) for n in (5, 6)]
    plain = fit(confidences(), settings(iterations=6), seed=1, start=Start(5, fits[0]))
    old, new = (np.concatenate([factors.users, factors.items]).astype(np.float64) for factors in (fits[0], plain))
    iterations = reported(settings(iterations=6, acceleration="balanced"))
    assert iterations[-1].factor_change == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(new), rel=1e-4)


@pytest.mark.parametrize("side", ["users", "items"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_factor_that_is_not_finite_is_seen_at_its_iteration(side: str, value: float) -> None:
    def spoil(iteration: Iteration) -> None:
        if iteration.iteration == 2:  # the next sweep spreads it
            getattr(iteration.factors, side)[:] = value

    with pytest.raises(TrainingError, match=r"no longer finite after iteration 3 of 9|iteration 3 of 9 failed"):
        fit(confidences(), settings(iterations=9), seed=1, on_iteration=spoil)


def test_a_callback_that_returns_true_ends_the_fit_with_the_factors_of_that_iteration() -> None:
    stopped = fit(confidences(), settings(iterations=1000), seed=1, on_iteration=lambda at: at.iteration == 3)
    np.testing.assert_array_equal(stopped.users, fit(confidences(), settings(iterations=3), seed=1).users)


def test_an_exception_in_the_callback_ends_the_fit() -> None:
    class Interrupted(Exception):
        pass

    iterations: list[int] = []

    def interrupt(iteration: Iteration) -> None:
        iterations.append(iteration.iteration)
        if iteration.iteration == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(confidences(), settings(iterations=1000), seed=1, on_iteration=interrupt)
    assert iterations == [1, 2, 3]


@pytest.mark.parametrize("error", [ValueError("of the caller"), ZeroDivisionError("of the caller"), MemoryError()])
def test_an_error_of_the_callback_is_not_one_of_the_solver(error: Exception) -> None:
    def fail(_: Iteration) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        fit(confidences(), settings(), seed=1, on_iteration=fail)
    assert raised.value is error


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_a_fit_that_diverges_names_the_iteration_and_a_remedy(solver: str) -> None:
    with pytest.raises(TrainingError, match=r"iteration \d+ of 30 .*raise regularization"):
        fit(confidences(), settings(solver=solver, alpha=1e12, regularization=0.0, iterations=30), seed=1)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_confidences_must_be_finite_and_above_zero(value: float) -> None:
    matrix = confidences()
    matrix.data[3] = value
    with pytest.raises(TrainingError, match=f"1 of {matrix.nnz} confidences, such as {value:g}, .*finite and above 0"):
        fit(matrix, settings(), seed=1)


def test_an_empty_matrix_is_refused() -> None:
    with pytest.raises(TrainingError, match="no interactions"):
        fit(csr_array((3, 3), dtype=np.float32), settings(), seed=1)


def test_a_start_of_another_fit_is_refused_with_the_shapes() -> None:
    start = Start(2, Factors(np.zeros((30, 3), np.float32), np.zeros((20, 3), np.float32)))
    with pytest.raises(TrainingError, match=r"\(20, 3\) float32 at iteration 2; expected \(30, 4\) and \(20, 4\)"):
        fit(confidences(), settings(), seed=1, start=start)


def test_ials_with_a_weight_on_unobserved_cells_is_the_same_model_on_another_scale() -> None:
    """As docs/evaluation.md says of Rendle et al. 2022: the optimum is a fixed point of their alternating steps."""
    observed = (np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32)
    weight, penalty, k = 0.5, 0.3, 3
    config = AlsConfig(
        factors=k,
        iterations=3000,
        regularization=penalty * (1 + weight) / weight,
        alpha=1 + 1 / weight,
        solver="cholesky",
    )
    factors = fit(csr_array(observed), config, seed=1)
    users, items = (side.astype(np.float64) / np.sqrt(1 + weight) for side in (factors.users, factors.items))
    for rows, columns, interactions in ((users, items, observed), (items, users, observed.T)):
        common = weight * columns.T @ columns + penalty * np.eye(k)
        solved = [np.linalg.solve(common + (c := columns[row > 0]).T @ c, c.sum(axis=0)) for row in interactions]
        np.testing.assert_allclose(rows, np.stack(solved), atol=1e-5)
