"""Loose versions of the ratios in docs/benchmarks.md, two to three times what is printed there, so that they last."""

import numpy as np
import pytest
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tasks.core.comparison.overlap import Pair
from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data import preprocessing
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.models import als
from tasks.core.models.als import Iteration
from tasks.core.ranking.top_n import top_n
from tests.benchmarks.measuring import least, seconds


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> csr_array:
    config = DatasetConfig(name="synthetic-100k")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLAB_HOME", str(tmp_path_factory.mktemp("home")))
        return preprocessing.build(read_ratings(config, locate(config)), PreprocessConfig()).matrix


def test_a_fit_takes_little_more_than_a_bare_one(matrix: csr_array) -> None:
    config = AlsConfig(factors=64, iterations=15)
    turned = csr_matrix(matrix)

    def bare() -> None:
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            model = AlternatingLeastSquares(64, regularization=0.01, iterations=15, random_state=1, num_threads=1)
            model.fit(turned, show_progress=False)

    def ours() -> None:
        als.fit(matrix, config, seed=1, on_iteration=lambda _: None, threads=1)

    turns = [(seconds(ours), seconds(bare)) for _ in range(4)]
    assert min(turn[0] for turn in turns) < 1.5 * min(turn[1] for turn in turns)


def test_balancing_is_far_sooner_where_plain_als_ends(matrix: csr_array) -> None:
    courses = {}
    for acceleration, iterations in (("none", 300), ("balanced", 30)):
        config = AlsConfig.model_validate({"factors": 200, "iterations": iterations, "acceleration": acceleration})
        steps: list[tuple[float, float]] = []

        def note(at: Iteration, steps: list[tuple[float, float]] = steps) -> None:
            steps.append((at.seconds + (steps[-1][0] if steps else 0.0), float(at.objective or np.nan)))

        als.fit(matrix, config, seed=1, snapshots=range(1, iterations + 1), on_iteration=note)
        courses[acceleration] = steps
    slow, target = courses["none"][-1]
    fast = next(time for time, objective in courses["balanced"] if objective <= target)
    assert slow > 5 * fast


def test_the_best_of_many_columns_are_found_sooner_than_by_a_partition() -> None:
    block = np.random.default_rng(0).normal(size=(80, 200_000)).astype(np.float32)
    turns = [
        (
            seconds(lambda: top_n(lambda start, stop: block[start:stop], 80, 200_000, 100)),
            seconds(lambda: np.argpartition(block, 199_900, axis=1)),
        )
        for _ in range(3)
    ]
    assert min(turn[0] for turn in turns) < min(turn[1] for turn in turns)


def test_comparing_lists_does_not_depend_on_how_many_there_are_to_choose_from() -> None:
    stream = np.random.default_rng(0)
    found = {}
    for entities in (2_000, 200_000):
        lists = [np.sort(stream.integers(0, entities, size=(2_000, 50)), axis=1).astype(np.int32) for _ in range(2)]
        found[entities] = least(lambda lists=lists: Pair.of(*lists))
    assert found[200_000] < 3 * found[2_000]
