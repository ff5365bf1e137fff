"""Ratios of docs/benchmarks.md with loose bounds, two to three times the published figures."""

import numpy as np
import pytest
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.models import als
from tasks.core.models.als import Iteration
from tasks.core.ranking.top_n import top_n
from tests.benchmarks.measuring import best_of_three, load_interactions, seconds
from tests.benchmarks.similarity import neighbours, random_factors


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> csr_array:
    """The interactions of the synthetic data set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLAB_HOME", str(tmp_path_factory.mktemp("home")))
        return load_interactions(None)[1].matrix


def test_fit_takes_at_most_half_as_long_again_as_bare_implicit(matrix: csr_array) -> None:
    config = AlsConfig(factors=64, iterations=15)
    bare_matrix = csr_matrix(matrix)

    def bare() -> None:
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            model = AlternatingLeastSquares(64, regularization=0.01, iterations=15, random_state=1, num_threads=1)
            model.fit(bare_matrix, show_progress=False)

    def ours() -> None:
        als.fit(matrix, config, seed=1, on_iteration=lambda _: None, threads=1)

    rounds = [(seconds(ours), seconds(bare)) for _ in range(4)]
    of_ours, of_bare = (min(times) for times in zip(*rounds, strict=True))
    assert of_ours < 1.5 * of_bare


def test_balanced_als_reaches_the_objective_of_plain_als_five_times_faster(matrix: csr_array) -> None:
    courses = {}
    for acceleration, iterations in (("none", 300), ("balanced", 30)):
        config = AlsConfig.model_validate({"factors": 200, "iterations": iterations, "acceleration": acceleration})
        course: list[tuple[float, float]] = []  # (seconds of training, objective)

        def on_iteration(iteration: Iteration, course: list[tuple[float, float]] = course) -> None:
            elapsed = course[-1][0] if course else 0.0
            course.append((elapsed + iteration.seconds, float(iteration.objective or np.nan)))

        als.fit(matrix, config, seed=1, snapshots=range(1, iterations + 1), on_iteration=on_iteration)
        courses[acceleration] = course
    plain_seconds, target = courses["none"][-1]
    balanced_seconds = next(elapsed for elapsed, objective in courses["balanced"] if objective <= target)
    assert plain_seconds > 5 * balanced_seconds


def test_top_n_of_many_columns_is_faster_than_a_partition() -> None:
    block = np.random.default_rng(0).normal(size=(80, 200_000)).astype(np.float32)
    rounds = [
        (
            seconds(lambda: top_n(lambda start, stop: block[start:stop], 80, 200_000, 100)),
            seconds(lambda: np.argpartition(block, 199_900, axis=1)),
        )
        for _ in range(3)
    ]
    of_top_n, of_partition = (min(times) for times in zip(*rounds, strict=True))
    assert of_top_n < of_partition


def test_time_to_compare_lists_is_independent_of_the_number_of_candidates() -> None:
    rng = np.random.default_rng(0)
    times = {}
    for candidates in (2_000, 200_000):
        # Steps of at least one: no candidate is twice in a list.
        steps = rng.integers(1, candidates // 50, size=(2, 2_000, 50))
        lists = list(steps.cumsum(axis=2).astype(np.int32))
        times[candidates] = best_of_three(lambda lists=lists: Pair.of(*lists))
    assert times[200_000] < 3 * times[2_000]


def test_lists_by_scores_take_at_most_twice_the_time_of_lists_by_factors() -> None:
    factors = random_factors(4_000, 3_000, 500)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # other tests run at the same time
        rounds = [
            [seconds(lambda by=by: neighbours(factors, by, 100)) for by in ("factors", "scores")] for _ in range(4)
        ]
    by_factors, by_scores = (min(times) for times in zip(*rounds, strict=True))
    assert by_scores < 2 * by_factors
