"""Estimates of `latentlab check`: arithmetic against numbers worked out by hand, times against the clock."""

import time
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Summary
from tasks.core.models import als
from tasks.core.models.cost import sweep_seconds
from tasks.core.planning.estimate import estimate, relative_work
from tasks.core.planning.references import NO_REFERENCES
from tasks.core.planning.runs import planned_runs
from tests.conftest import require_package
from tests.core.planning.small_experiment import SETTINGS, small_experiment

GFLOP_OF_A_FIT = 3 * (10 * 9 * 4 + 32 * 6 * 2) / 1e9
"""Three sweeps by CG over 5 users and 4 items with 2 factors and 6 interactions."""


def test_work_is_that_worked_out_by_hand() -> None:
    estimated = estimate(small_experiment(), 5, 4, 6)
    assert (estimated.fits, estimated.iterations) == (3, 9)
    assert estimated.gflop == pytest.approx(3 * GFLOP_OF_A_FIT)


def test_work_of_fits_that_leave_out_interactions_is_that_worked_out_by_hand() -> None:
    config = small_experiment(resample={"strategy": "drop_interactions", "fraction": 0.5})
    smaller = 3 * (10 * 9 * 4 + 32 * 3 * 2) / 1e9  # of 6 interactions, the fits for the lists have 3
    assert estimate(config, 5, 4, 6).gflop == pytest.approx(2 * smaller + GFLOP_OF_A_FIT)
    work = relative_work(config, Summary(5, 4, 6, 1.2, 1.5, 3, 3, 1, 1), planned_runs(config, ""))
    assert [work[f"train {label}"] for label in ("k2 #0", "k2 #0 held-out")] == pytest.approx([smaller, GFLOP_OF_A_FIT])


def test_relative_work_is_that_worked_out_by_hand() -> None:
    size = Summary(5, 4, 6, 1.2, 1.5, 3, 3, 1, 1)
    work = relative_work(small_experiment(), size, planned_runs(small_experiment(), ""))
    # by each similarity 5 lists of 5 users and 4 of 4 items; 5 of 4 recommendations, also sorted for the evaluation
    scores = {"k2 #0": 2 * (25 + 16) + 20, "k2 #1": 2 * (25 + 16) + 20, "k2 #0 held-out": 2 * 20}
    expected = {f"train {label}": GFLOP_OF_A_FIT for label in scores}
    expected |= {f"lists of {label}": 1.5e-8 * count for label, count in scores.items()}
    assert work == pytest.approx(expected)


def test_start_and_comparison_are_parts_of_the_time() -> None:
    one_fit = estimate(small_experiment(replicates=1, evaluation=None), 5, 4, 6)
    fits_and_data = one_fit.seconds - one_fit.start_seconds - one_fit.comparison_seconds
    assert 0 < fits_and_data < 2
    assert one_fit.start_seconds > 1
    assert one_fit.comparison_seconds > 1
    larger = estimate(small_experiment(replicates=10), 100_000, 1000, 10_000)
    assert larger.start_seconds == one_fit.start_seconds
    assert larger.comparison_seconds > 2 * one_fit.comparison_seconds


def test_estimates_grow_with_data_models_and_replicates() -> None:
    one_worker = {"execution": {"workers": 1}}
    base = estimate(small_experiment(**one_worker), 1000, 300, 10_000)
    interactions = estimate(small_experiment(**one_worker), 1000, 300, 10_000_000)
    users = estimate(small_experiment(**one_worker), 100_000, 300, 10_000)
    factors = estimate(small_experiment({"k2": {**SETTINGS, "factors": 500}}, **one_worker), 1000, 300, 10_000)
    replicates = estimate(small_experiment(replicates=20, **one_worker), 1000, 300, 10_000)
    long = {"k2": {**SETTINGS, "iterations": 300_000}}
    iterations = estimate(small_experiment(long, **one_worker), 1000, 300, 10_000)
    for larger in (interactions, users, factors):
        assert larger.memory_bytes > base.memory_bytes
        assert larger.disk_bytes > base.disk_bytes
    assert replicates.disk_bytes > base.disk_bytes
    assert min(replicates.seconds, interactions.seconds, iterations.seconds) > base.seconds
    assert iterations.disk_bytes == base.disk_bytes


def test_a_sample_of_entities_takes_less_of_everything() -> None:
    whole = estimate(small_experiment(execution={"workers": 1}), 20_000, 20_000, 10_000)
    sampled = estimate(small_experiment(execution={"workers": 1}, neighbours={"sample": 100}), 20_000, 20_000, 10_000)
    assert sampled.memory_bytes < 0.8 * whole.memory_bytes  # blocks of scores are most of it
    assert sampled.disk_bytes < whole.disk_bytes / 10
    assert sampled.seconds < whole.seconds


def test_the_memory_of_ease_is_a_lower_bound_of_the_memory() -> None:
    with_ease = estimate(small_experiment(execution={"workers": 1}), 100, 6_000, 10_000)
    references = with_ease.references
    assert with_ease.memory_bytes == references.ease_bytes + references.item_knn_bytes
    assert references.ease_bytes == 12 * 6_000**2
    without = estimate(small_experiment(execution={"workers": 1}, evaluation=None), 100, 6_000, 10_000)
    assert without.references == NO_REFERENCES
    assert without.memory_bytes < with_ease.memory_bytes


def test_reading_a_text_file_takes_46_bytes_a_rating_and_streaming_parquet_less(tmp_path: Path) -> None:
    """With Parquet, fits and lists take the most here."""

    def memory(path: Path) -> int:
        dataset = {"name": "file", "path": str(path)}
        changes = {"dataset": dataset, "preprocess": {"min_rating": None}, "execution": {"workers": 1}}
        config = small_experiment(evaluation=None, replicates=1, **changes)
        return estimate(config, 50_000, 300, 20_000_000).memory_bytes

    assert memory(tmp_path / "ratings.csv") == 46 * 20_000_000
    assert memory(tmp_path / "ratings.parquet") == memory(tmp_path) < 46 * 20_000_000


def test_memory_of_comparing_many_runs_is_that_worked_out_by_hand() -> None:
    config = small_experiment({"a": SETTINGS, "b": SETTINGS}, replicates=30, evaluation=None, execution={"workers": 1})
    # 100 ids and scores, 8 bytes together; 5 ids of each list by the other similarity
    lists = 60 * (800 * (2 * 3000 + 40) + 4 * 5 * 3040)
    by_user = 16 * 60 * 60 * 3000  # overlaps of 60 x 60 runs for each user, twice
    blocks = 4 * (64 << 20)
    assert estimate(config, 3000, 40, 6000).memory_bytes == 2 * 8 * 6000 + lists + blocks + by_user


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize(("users", "items", "per_user", "k"), [(3000, 800, 20, 16), (1500, 2000, 40, 128)])
def test_a_sweep_takes_about_as_long_as_estimated(solver: str, users: int, items: int, per_user: int, k: int) -> None:
    """Within a factor of three: other tests run at the same time, and each time may be twice what it is alone."""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(users), per_user)
    columns = rng.integers(0, items, size=len(rows))
    matrix = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(users, items))
    settings = AlsConfig.model_validate({"factors": k, "iterations": 4, "solver": solver})
    estimated, measured = [], []
    for _ in range(3):
        estimated.append(4 * sweep_seconds(matrix.shape, matrix.nnz, settings))
        start = time.perf_counter()
        als.fit(matrix, settings, seed=1, threads=1)
        measured.append(time.perf_counter() - start)
    assert min(measured) / 3 < max(estimated)
    assert min(estimated) < 3 * max(measured)


def of_spark(**execution: object) -> ExperimentConfig:
    return small_experiment(
        {"k2": {**SETTINGS, "engine": "spark", "alpha": 2.0}}, execution={"spark": {"master": "local[2]", **execution}}
    )


def test_work_of_a_model_of_spark_is_that_of_exact_solutions_one_fit_at_a_time() -> None:
    require_package("pyspark")
    estimated = estimate(of_spark(), 5, 4, 6)
    assert estimated.workers == 1
    # three fits of three sweeps: 2 k² a row, 4 k² an interaction, k³ / 3 a row
    assert estimated.gflop == pytest.approx(9 * (2 * 9 * 4 + 4 * 6 * 4 + 9 * 8 / 3) / 1e9)
    assert estimated.start_seconds > estimate(small_experiment(), 5, 4, 6).start_seconds + 5


def test_each_fit_of_spark_is_prepared_before_its_first_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    require_package("pyspark")
    before = estimate(of_spark(), 5, 4, 6).seconds
    monkeypatch.setattr("tasks.core.planning.estimate._SPARK_PREPARATION_SECONDS", 1_000.0)  # for each interaction
    assert estimate(of_spark(), 5, 4, 6).seconds == pytest.approx(before + 3 * 6 * 1_000, rel=0.01)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [({}, 1 << 30), ({"spark.driver.memory": "3g"}, 3 << 30), ({"spark.driver.memory": "512M"}, 1 << 29)],
)
def test_the_heap_of_a_session_that_is_started_is_part_of_the_memory(memory: dict[str, str], expected: int) -> None:
    require_package("pyspark")
    in_this_process = of_spark().model_copy(update={"execution": small_experiment().execution})
    started = estimate(of_spark(config=memory), 5, 4, 6)
    assert started.memory_bytes - estimate(in_this_process, 5, 4, 6).memory_bytes == pytest.approx(expected, rel=0.02)
