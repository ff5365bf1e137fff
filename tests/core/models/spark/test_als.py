"""ALS as Spark trains it: against a float64 solve, a reference of the same weighting, and itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.errors import ConfigError, Stopped, TrainingError
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.models.fold_in import fold_in
from tasks.core.models.spark.als import Table, check, fit, write_table
from tasks.core.models.spark.session import Session
from tests.core.models.examples import confidences
from tests.core.models.spark.sessions import started

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(600),
]

Values = npt.NDArray[np.float64]
ALPHA = 2.0


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with started(tmp_path_factory.mktemp("session"), "local[2]") as session:
        yield session


@pytest.fixture(scope="module")
def matrix() -> csr_array:
    """Confidences of 120 users and 80 items; one user and one item have none."""
    dense = confidences(120, 80).toarray()
    dense[7], dense[:, 5] = 0, 0
    return csr_array(dense)


@pytest.fixture(scope="module")
def table(matrix: csr_array, tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    write_table(matrix, path)
    return Table(path, matrix.shape)


def settings(**changes: object) -> AlsConfig:
    common = {"factors": 4, "iterations": 3, "regularization": 0.05, "alpha": ALPHA, "engine": "spark", "blocks": 2}
    return AlsConfig.model_validate({**common, **changes})


def fitted(session: Session, table: Table, of: AlsConfig, seed: int = 1) -> Factors:
    return fit(
        session, table, of, seed=seed, checkpoints=table.path.parent / "checkpoints", on_iteration=lambda _: None
    )


@pytest.fixture(scope="module")
def factors(session: Session, table: Table) -> Factors:
    return fitted(session, table, settings())


def solved(confidence: Values, other: Values, regularization: float) -> Values:
    """Solve for each row in float64: (YᵀCY + λ n I) x = YᵀCp, n being the number of the row's interactions."""
    rows = []
    for row in confidence:
        weights = np.where(row > 0, row, 1.0)
        system = other.T @ (weights[:, None] * other) + regularization * np.count_nonzero(row) * np.eye(other.shape[1])
        rows.append(np.linalg.solve(system, other.T @ (weights * (row > 0))) if row.any() else np.zeros(len(system)))
    return np.array(rows)


def objective(confidence: Values, users: Values, items: Values, regularization: float) -> float:
    """The sum over all cells of c (p - x.y)², and regularization times n |x|² and n |y|²."""
    observed = confidence > 0
    errors = np.where(observed, confidence, 1.0) * (observed - users @ items.T) ** 2
    norms = observed.sum(axis=1) @ (users**2).sum(axis=1) + observed.sum(axis=0) @ (items**2).sum(axis=1)
    return float(errors.sum() + regularization * norms)


def test_user_factors_are_the_exact_solution_for_the_item_factors(matrix: csr_array, factors: Factors) -> None:
    """Spark solves for the users last. Each interaction weighs alpha times its confidence, and lambda counts by row."""
    expected = solved(ALPHA * matrix.toarray().astype(np.float64), factors.items.astype(np.float64), 0.05)
    errors = np.linalg.norm(factors.users - expected, axis=1)
    assert np.all(errors <= 1e-4 * np.linalg.norm(expected, axis=1))


def test_users_and_items_without_interactions_have_factors_of_zeros(factors: Factors) -> None:
    assert not factors.users[7].any()
    assert not factors.items[5].any()
    assert np.count_nonzero(factors.users.any(axis=1)) == 119
    assert np.count_nonzero(factors.items.any(axis=1)) == 79


def test_a_user_who_is_folded_in_has_the_factors_that_spark_gives(matrix: csr_array, factors: Factors) -> None:
    folded = fold_in(matrix, factors.items, settings())
    np.testing.assert_allclose(folded, factors.users, rtol=1e-3, atol=1e-4)


def test_the_objective_is_that_of_sparks_weighting(matrix: csr_array, factors: Factors) -> None:
    expected = objective(ALPHA * matrix.toarray().astype(np.float64), factors.users, factors.items, 0.05)
    assert als.objective(matrix, factors, settings()) == pytest.approx(expected, rel=1e-5)


def test_equal_settings_give_equal_factors_whatever_the_order_of_the_rows(
    session: Session, table: Table, factors: Factors, tmp_path: Path
) -> None:
    shuffled = pq.read_table(table.path)
    shuffled = shuffled.take(np.random.default_rng(0).permutation(len(shuffled)))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet", row_group_size=500)
    again = fitted(session, Table(tmp_path / "shuffled.parquet", table.shape), settings())
    np.testing.assert_array_equal(again.users, factors.users)
    np.testing.assert_array_equal(again.items, factors.items)


def test_another_number_of_blocks_is_another_start(
    session: Session, table: Table, factors: Factors, matrix: csr_array
) -> None:
    """The factors are as far apart as those of another seed, and fit the data as well."""
    others = {
        "blocks": fitted(session, table, settings(blocks=3)),
        "seed": fitted(session, table, settings(), seed=2),
    }
    far = {name: np.linalg.norm(other.users - factors.users) for name, other in others.items()}
    assert all(distance > 0.5 * np.linalg.norm(factors.users) for distance in far.values()), far
    values = [als.objective(matrix, each, settings()) for each in (factors, *others.values())]
    assert max(values) < 1.05 * min(values)


def test_objectives_at_convergence_are_those_of_a_reference_of_the_same_weighting(
    session: Session, table: Table, matrix: csr_array, record_property: Callable[[str, object], None]
) -> None:
    confidence, iterations = ALPHA * matrix.toarray().astype(np.float64), 30
    of_spark, of_reference = [], []
    for seed in range(5):
        found = fitted(session, table, settings(iterations=iterations, blocks=1), seed=seed)
        of_spark.append(objective(confidence, found.users, found.items, 0.05))
        users = np.random.default_rng(seed).normal(size=(len(confidence), 4)) / 2
        for _ in range(iterations):
            items = solved(confidence.T, users, 0.05)
            users = solved(confidence, items, 0.05)
        of_reference.append(objective(confidence, users, items, 0.05))
    record_property("of Spark", of_spark)
    record_property("of the reference", of_reference)
    assert np.median(of_spark) == pytest.approx(np.median(of_reference), rel=1e-2), (of_spark, of_reference)


def test_iterations_are_counted_up_to_the_last(session: Session, table: Table) -> None:
    seen: list[int] = []
    of = settings(iterations=25)
    fit(session, table, of, seed=1, checkpoints=table.path.parent / "checkpoints", on_iteration=seen.append)
    assert seen == sorted(seen)
    assert max(seen) <= 25
    assert len(set(seen)) > 5


def active_jobs(session: Session) -> list[int]:
    return list(session.context.statusTracker().getActiveJobsIds())


def test_an_error_of_the_caller_ends_the_jobs(session: Session, table: Table) -> None:
    def stop(iteration: int) -> None:
        if iteration >= 2:
            raise Stopped("enough")

    with pytest.raises(Stopped, match="enough"):
        fit(
            session,
            table,
            settings(iterations=500),
            seed=1,
            checkpoints=table.path.parent / "checkpoints",
            on_iteration=stop,
        )
    assert active_jobs(session) == []


def test_a_job_that_somebody_cancels_is_a_failed_fit(session: Session, table: Table) -> None:
    def cancel(iteration: int) -> None:
        if iteration >= 2:
            session.context.cancelAllJobs()

    with pytest.raises(TrainingError, match=r"^Spark failed: Job \d+ cancelled.*jobs; run the same .* anew") as raised:
        fit(
            session,
            table,
            settings(iterations=500),
            seed=1,
            checkpoints=table.path.parent / "checkpoints",
            on_iteration=cancel,
        )
    assert "\n" not in str(raised.value)
    fitted(session, table, settings(iterations=1))  # the session can still be used


def test_the_table_has_every_interaction(matrix: csr_array, table: Table) -> None:
    frame = pq.read_table(table.path).to_pandas()
    read = csr_array((frame["confidence"], (frame["user"], frame["item"])), shape=matrix.shape)
    assert (read != matrix).nnz == 0
    assert frame.dtypes.astype(str).to_dict() == {"user": "int32", "item": "int32", "confidence": "float32"}


@pytest.mark.parametrize(
    ("lowest", "alpha", "refused"), [(1, 1, True), (0.5, 2, True), (1, 1.001, False), (4, 1, False)]
)
def test_a_confidence_of_1_or_less_is_refused(lowest: float, alpha: float, refused: bool) -> None:
    matrix = csr_array(np.array([[5.0, lowest], [0.0, 9.0]], dtype=np.float32))
    if refused:
        with pytest.raises(ConfigError, match=r"models\.k4\.alpha: found a confidence alpha·c of 1; .* raise alpha"):
            check(matrix, settings(alpha=alpha), "models.k4")
    else:
        check(matrix, settings(alpha=alpha), "models.k4")


def test_more_items_than_ids_of_32_bits_are_refused() -> None:
    matrix = csr_array((np.array([5.0]), np.array([2**31]), np.array([0, 1])), shape=(1, 2**31 + 1))
    with pytest.raises(ConfigError, match=r"found 2,147,483,649 items; .* ids of 32 bits, for 2,147,483,647 at most"):
        check(matrix, settings(), "models.k4")
