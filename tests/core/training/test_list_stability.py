"""List stability: lists at the snapshots against the final and the previous ones."""

import numpy as np
import pytest

from tasks.core.config.als import AlsConfig
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import nearest
from tasks.core.training.list_stability import SAMPLE, ListStability


def factors_of(rng, users=8, items=6):
    return Factors(rng.normal(size=(users, 3)).astype(np.float32), rng.normal(size=(items, 3)).astype(np.float32))


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_lists_of_some_rows_are_equal_to_those_of_all_rows(rng):
    factors = factors_of(rng).users
    rows = np.array([5, 0, 7], dtype=np.int32)
    some_lists, all_lists = nearest(factors, n=3, rows=rows), nearest(factors, n=3)
    assert some_lists.ids.tolist() == all_lists.ids[rows].tolist()
    assert some_lists.scores.tolist() == all_lists.scores[rows].tolist()


def test_lists_are_compared_with_the_final_and_the_previous_ones(rng):
    followed = ListStability(8, 6, queries=[2], n=2)
    first, second, third = (factors_of(rng) for _ in range(3))
    for iteration, factors in ((1, first), (4, second), (9, third)):
        followed.add(iteration, factors)
    metrics = dict(followed.metrics())
    assert list(metrics) == [1, 4, 9]
    targets = [f"{target}_at_2" for target in ("users", "items", "user_2")]
    assert set(metrics[1]) == {f"overlap_final.{target}" for target in targets}
    assert set(metrics[4]) == {f"overlap_{name}.{target}" for name in ("final", "previous") for target in targets}
    assert all(metrics[9][f"overlap_final.{target}"] == 1 for target in targets)

    def share(a, b):
        return np.mean([len(set(x) & set(y)) / 2 for x, y in zip(a.ids, b.ids, strict=True)])

    lists = [nearest(factors.users, n=2) for factors in (first, second, third)]
    assert metrics[1]["overlap_final.users_at_2"] == pytest.approx(share(lists[0], lists[2]))
    assert metrics[4]["overlap_previous.users_at_2"] == pytest.approx(share(lists[0], lists[1]))
    one = len(set(lists[0].ids[2]) & set(lists[2].ids[2])) / 2
    assert metrics[1]["overlap_final.user_2_at_2"] == one


def test_a_sample_of_many_users_is_followed(rng):
    followed = ListStability(1000, 3, queries=[], n=2)
    assert len(followed.rows["users"]) == SAMPLE
    assert followed.rows["items"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
def test_a_fit_reports_its_live_factors_and_an_objective_at_the_snapshots_only(rng, orientation):
    from scipy.sparse import csr_array

    matrix = csr_array((rng.random((12, 9)) < 0.5).astype(np.float32))
    seen = {}
    config = AlsConfig(factors=3, iterations=20, orientation=orientation)
    result = als.fit(matrix, config, seed=1, snapshots=[2], on_iteration=lambda at: seen.update({at.iteration: at}))
    assert [step for step, at in seen.items() if at.objective is not None] == [2, 18, 20]
    assert seen[20].factors.users.shape == (12, 3)
    assert np.array_equal(seen[20].factors.users, result.users)
    assert np.array_equal(seen[1].factors.items, result.items)
