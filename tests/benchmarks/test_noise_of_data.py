"""Draws of runs from a pool: lost users and items are left out of the drawn runs, and only of these."""

import numpy as np

from tasks.core.inference.overlap_counts import overlap_counts
from tests.benchmarks.noise_of_data import ENDPOINTS, LISTS, overlaps_of, p_of_draws, without
from tests.core.inference.examples import random_runs

RUNS, ENTITIES = 8, 12


def pool() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {kind: np.stack(random_runs(rng, RUNS, entities=ENTITIES, n=6, candidates=ENTITIES)) for kind in LISTS}


def test_what_one_of_the_drawn_runs_lost_is_left_out_of_all_of_them() -> None:
    lists, nobody = pool(), np.zeros((RUNS, ENTITIES), dtype=bool)
    lost_items = nobody.copy()
    lost_items[5, 3] = True
    with_5, without_5 = np.array([0, 1, 4, 5], np.int32), np.array([0, 1, 4, 6], np.int32)
    overlaps = overlaps_of(lists, with_5, nobody, lost_items)
    shortened = [np.delete(without(run, lost_items[5]), 3, axis=0) for run in lists["items"][with_5]]
    np.testing.assert_array_equal(overlaps["items"].counts, overlap_counts(shortened, 5).counts)
    np.testing.assert_array_equal(overlaps["users"].counts, overlap_counts(list(lists["users"][with_5]), 5).counts)
    others = overlaps_of(lists, without_5, nobody, lost_items)
    np.testing.assert_array_equal(others["items"].counts, overlap_counts(list(lists["items"][without_5]), 5).counts)


def test_each_draw_has_a_p_for_each_endpoint() -> None:
    nobody = np.zeros((RUNS, ENTITIES), dtype=bool)
    draws = np.array([[0, 1, 2, 3, 4, 5, 6, 7], [7, 1, 2, 3, 4, 5, 6, 0], [4, 5, 6, 7, 0, 1, 2, 3]], np.int32)
    p = p_of_draws(pool(), draws, nobody, nobody)
    assert p.shape == (3, len(ENDPOINTS))
    np.testing.assert_array_equal(p[0], p[2])  # the groups change places
    assert ((p >= 1 / 35) & (p <= 1)).all()  # 8 over 4, halved
