"""What `latentlab check` foretells: by hand where it is arithmetic, against the clock where it is time."""

import time

import numpy as np
import pytest
from scipy.sparse import csr_array

import tasks.core.planning.estimate as estimate_module
from tasks.core.config.als import AlsConfig
from tasks.core.models import als
from tasks.core.models.cost import sweep_seconds
from tasks.core.models.reference_recommenders import MOST_ITEMS
from tasks.core.planning.estimate import TEST_SECONDS, estimate, measured_seconds
from tasks.core.planning.runs import EVALUATION, MODEL
from tests.core.planning.test_runs import SMALL, config


def test_work_by_hand() -> None:
    # 2 + 1 fits of 3 sweeps over 5 + 4 rows, k = 2, 6 interactions, by CG
    found = estimate(config(), 5, 4, 6)
    assert (found.fits, found.iterations) == (3, 9)
    assert found.gflop == pytest.approx(9 * (10 * 9 * 4 + 32 * 6 * 2) / 1e9)


def test_what_grows_with_what() -> None:
    alone = {"execution": {"workers": 1}}
    base = estimate(config(**alone), 1000, 1000, 10_000)
    rows = estimate(config(**alone), 1000, 1000, 10_000_000)
    users = estimate(config(**alone), 100_000, 1000, 10_000)
    large = estimate(config({"k2": {**SMALL, "factors": 500}}, **alone), 1000, 1000, 10_000)
    seeds = estimate(config(replicates=20, **alone), 1000, 1000, 10_000)
    long = estimate(config({"k2": {**SMALL, "iterations": 300_000}}, **alone), 1000, 1000, 10_000)
    for other in (rows, users, large):
        assert other.memory_bytes > base.memory_bytes
        assert other.disk_bytes > base.disk_bytes
    assert seeds.disk_bytes > base.disk_bytes
    assert min(seeds.seconds, rows.seconds, long.seconds) > base.seconds
    assert long.disk_bytes == base.disk_bytes


@pytest.mark.parametrize(("items", "references"), [(MOST_ITEMS, 4), (MOST_ITEMS + 1, 3)])
def test_references_and_tests_of_accuracy_take_their_time(
    items: int, references: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate_module, "cores", lambda: 2)
    listing = {(MODEL, 2): 9.0, (EVALUATION, 2): 4.0, (EVALUATION, 8): 6.0}
    found = measured_seconds(config({"a": SMALL, "b": SMALL}), 1000, items, listing)
    assert found == pytest.approx(references / 2 * 4 + (4 + 2) * 1000 * TEST_SECONDS)


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize(("users", "items", "each", "k"), [(3000, 800, 20, 16), (1500, 2000, 40, 128)])
def test_a_sweep_takes_what_was_foretold(solver: str, users: int, items: int, each: int, k: int) -> None:
    """Within a factor of three here, where other tests run beside and any of the times may be twice what it is."""
    stream = np.random.default_rng(0)
    rows = np.repeat(np.arange(users), each)
    columns = stream.integers(0, items, size=len(rows))
    matrix = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(users, items))
    settings = AlsConfig.model_validate({"factors": k, "iterations": 4, "solver": solver})
    foretold, found = [], []
    for _ in range(3):
        foretold.append(4 * sweep_seconds(matrix.shape, matrix.nnz, settings))
        begun = time.perf_counter()
        als.fit(matrix, settings, seed=1, threads=1)
        found.append(time.perf_counter() - begun)
    assert min(found) / 3 < max(foretold)
    assert min(foretold) < 3 * max(found)
