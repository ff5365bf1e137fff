"""Which reference recommenders are computed, by their work and memory."""

import time

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.models import cost, item_knn
from tasks.core.models.ease import PENALTIES, ease
from tasks.core.models.threads import one_blas_thread
from tasks.core.planning import references
from tasks.core.planning.references import (
    ReferencePlan,
    ease_gflop,
    item_knn_choice_gflop,
    plan_references,
    references_of,
    references_seconds,
    run_beside_fits,
)
from tests.core.planning.small_experiment import small_experiment

SMALL = (1_000, 1_000, 50_000)
PLENTY = 64 << 30


def test_work_is_that_worked_out_by_hand() -> None:
    size = (4_000, 100, 10_000)
    scored = 4 * 10_000 * 100 + 60 * 4_000 * 100
    assert ease_gflop(size) == pytest.approx((0.5 * 100**3 + scored) / 1e9)
    # a choice makes the lists of 2,000 of the users
    assert ease_gflop(size, of_choice=True) == pytest.approx((0.5 * 100**3 + scored / 2) / 1e9)
    lists = 10_000 * (180 * (5 + 10) + 4 * 100 * 3) + 60 * 4_000 * 100 * 5  # dense from 10 neighbours of 100 on
    similarities = 400 * 100**2 + 500 * 10_000**2 / 4_000
    assert item_knn_choice_gflop(size) == pytest.approx(4 * (similarities + lists / 2) / 1e9)


def test_small_data_have_all_references_with_a_choice() -> None:
    plan = plan_references(SMALL, 0.0, PLENTY)
    work = item_knn_choice_gflop(SMALL) + len(PENALTIES) * ease_gflop(SMALL, of_choice=True) + ease_gflop(SMALL)
    assert plan == ReferencePlan({}, {}, 16 * 1_000**2, item_knn.bytes_of_choice(1_000), pytest.approx(work))


def test_ease_is_left_out_where_memory_is_too_small() -> None:
    """12 bytes for each pair of items, of three quarters of what is free."""
    items = 4_096  # 12 * 4096² bytes are 192 MiB
    size = (1_000, items, 50_000)
    assert plan_references(size, 0.0, 256 << 20).left_out == {}
    too_small = plan_references(size, 0.0, (256 << 20) - 1)
    assert too_small.left_out == {"ease": "4,096 items need 192 MiB of memory, and 192 MiB can be used"}
    assert too_small.ease_bytes == 0


def test_ease_is_left_out_where_its_work_is_ten_times_that_of_the_fits() -> None:
    size = (1_000, 20_000, 50_000)
    work = ease_gflop(size)
    assert plan_references(size, work / 10 * 1.01, PLENTY).left_out == {}
    (reason,) = plan_references(size, work / 10 * 0.99, PLENTY).left_out.values()
    assert reason == (
        "its work with 20,000 items is estimated at 4,005 GFLOP, more than 10 times that of all fits (397)"
    )
    (reason,) = plan_references(size, 1.0, PLENTY).left_out.values()
    assert reason.endswith("estimated at 4,005 GFLOP, more than 1,000 where all fits take so little")


def test_settings_are_not_chosen_where_that_takes_more_work_than_the_fits() -> None:
    size = (6_000, 3_500, 1_000_000)
    of_ease, of_knn = len(PENALTIES) * ease_gflop(size, of_choice=True), item_knn_choice_gflop(size)
    assert 100 < of_ease < of_knn
    assert plan_references(size, of_knn, PLENTY).not_chosen == {}
    between = plan_references(size, of_ease, PLENTY)
    assert list(between.not_chosen) == ["item-knn"]
    neither = plan_references(size, 0.0, PLENTY)
    assert set(neither.not_chosen) == {"item-knn", "ease"}
    assert neither.not_chosen["ease"] == (
        f"the work of a choice is estimated at {of_ease:.0f} GFLOP, more than 100 where all fits take so little"
    )
    assert between.not_chosen["item-knn"] == (
        f"the work of a choice is estimated at {of_knn:.0f} GFLOP, more than that of all fits ({of_ease:.0f})"
    )
    assert (between.item_knn_bytes, neither.item_knn_bytes) == (0, 0)
    assert (between.ease_bytes, neither.ease_bytes) == (16 * 3_500**2, 12 * 3_500**2)
    assert neither.reference_gflop == pytest.approx(ease_gflop(size))


def test_settings_are_not_chosen_where_memory_holds_one_fit_only() -> None:
    """With 1,024 items, a fit of EASE takes 12 MiB and a choice 16; a choice of item-kNN's settings takes 32."""
    size = (1_000, 1_024, 50_000)
    plan = plan_references(size, 1e6, 20 << 20)
    assert plan.not_chosen == {
        "ease": "a choice needs 16 MiB of memory, and 15 MiB can be used",
        "item-knn": "a choice needs 32 MiB of memory, and 3 MiB can be used",
    }
    assert plan.ease_bytes == 12 << 20
    # both choices need 48 MiB at a time
    assert list(plan_references(size, 1e6, 60 << 20).not_chosen) == ["item-knn"]
    assert plan_references(size, 1e6, 66 << 20).not_chosen == {}


def test_32_million_interactions_have_no_choice_and_no_ease() -> None:
    """The experiment of `tests/benchmarks/estimated.py --large` on a machine with 24 GiB."""
    plan = plan_references((200_000, 85_000, 32_000_000), 7_000.0, 24 << 30)
    assert list(plan.left_out) == ["ease"]
    assert list(plan.not_chosen) == ["item-knn"]
    assert plan.reference_gflop == 0


def test_the_work_on_several_splits_is_that_of_all() -> None:
    size = (6_000, 3_500, 1_000_000)
    of_knn = item_knn_choice_gflop(size)
    one, five = (plan_references(size, 4 * of_knn, PLENTY, n_splits=n) for n in (1, 5))
    assert one.not_chosen == {}
    assert "item-knn" in five.not_chosen
    of_two = plan_references(size, 4 * of_knn, PLENTY, n_splits=2)
    assert of_two.reference_gflop == pytest.approx(2 * one.reference_gflop)
    assert (of_two.ease_bytes, of_two.item_knn_bytes) == (one.ease_bytes, one.item_knn_bytes)
    # fits of little work count as 100 GFLOP for each split
    assert plan_references(SMALL, 0.0, PLENTY, n_splits=50).not_chosen == {}
    (reason, *_) = plan_references(size, 0.0, PLENTY, n_splits=5).not_chosen.values()
    assert reason.endswith("more than 500 where all fits take so little")


def test_the_plan_of_an_experiment_knows_its_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "free_memory", lambda: PLENTY)
    size = (6_000, 3_500, 500_000)
    long = {"k2": {"factors": 64, "iterations": 100}}
    assert references_of(small_experiment(), size).not_chosen
    assert references_of(small_experiment(long), size).not_chosen == {}


def test_time_is_that_worked_out_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "cores", lambda: 2)
    monkeypatch.setattr(cost, "seconds", lambda *_: 0.25)  # of 0.5 * 500³ operations
    lists_only = ReferencePlan({"ease": "too large"}, {"item-knn": "too large"}, 0, 0, 0.0)
    assert references_seconds(lists_only, 4.0) == pytest.approx(3 / 2 * 4)
    with_ease = ReferencePlan({}, {}, 0, 0, 2 * 0.0625)
    assert references_seconds(with_ease, 4.0) == pytest.approx(4 / 2 * 4 + 2 * 0.25 / 2)


def test_ease_takes_about_as_long_as_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one core, within a factor of four: other tests run at the same time, and each time may double."""
    monkeypatch.setattr(references, "cores", lambda: 1)
    size = users, items, interactions = 1_000, 2_000, 20_000
    indices = np.random.default_rng(0).integers(0, items, interactions)
    matrix = csr_array((np.ones(interactions, np.float32), indices, np.arange(0, interactions + 1, 20)), shape=size[:2])
    estimated, measured = [], []
    for _ in range(3):
        estimated.append(references_seconds(ReferencePlan({}, {}, 0, 0, ease_gflop(size)), 0.0))
        start = time.perf_counter()
        with one_blas_thread():
            ease(matrix, matrix, penalty=250.0)(0, users)
        measured.append(time.perf_counter() - start)
    assert min(measured) / 4 < max(estimated)
    assert min(estimated) < 4 * max(measured)


def test_memory_of_a_choice_is_that_of_its_nearest_items() -> None:
    """Ids and similarities of 1,000 items each, twice, with 12 bytes an entry; and in a dense matrix with 8."""
    assert item_knn.bytes_of_choice(10_000) == 2 * 12 * 10_000 * 1_000
    assert item_knn.bytes_of_choice(501) == 2 * 12 * 501 * 500 + 8 * 501**2


def test_recommenders_that_take_little_memory_and_work_run_beside_the_fits() -> None:
    of_quickstart = (900, 1_400, 58_000)
    assert run_beside_fits(plan_references(of_quickstart, 1e6, PLENTY), of_quickstart[2])
    assert not run_beside_fits(ReferencePlan({}, {}, 200 << 20, 100 << 20, 0.0), 58_000)
    assert not run_beside_fits(ReferencePlan({}, {}, 0, 0, 0.0), 32_000_000)
    assert not run_beside_fits(ReferencePlan({}, {}, 0, 0, 500.0), 58_000)
