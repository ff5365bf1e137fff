"""The fits of a trial are those of uninterrupted fits."""

import pytest

from tasks.core.config.als import AlsConfig
from tasks.core.models import als
from tasks.core.ranking.accuracy import accuracy_of_factors
from tasks.core.search.fits import accuracy_along_iterations
from tests.core.search.examples import blocks_split

SETTINGS = [
    AlsConfig(factors=4, iterations=12),
    AlsConfig(factors=4, iterations=12, acceleration="balanced", orientation="item_user"),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "balanced"])
def test_the_metric_is_that_of_an_uninterrupted_fit(settings: AlsConfig) -> None:
    split = blocks_split()
    expected: dict[int, list[float]] = {}
    for seed in (1, 2, 3):

        def measure(iteration: als.Iteration) -> None:
            value = accuracy_of_factors(iteration.factors, split, settings, "ndcg_at_5")
            expected.setdefault(iteration.iteration, []).append(value)

        als.fit(split.train, settings, seed=seed, on_iteration=measure)
    along = list(
        accuracy_along_iterations(
            split, settings, (1, 2, 3), metric="ndcg_at_5", snapshots=(3, 7, 50), check_stop=lambda: None
        )
    )
    assert {each.iteration: list(each.of_seeds) for each in along} == {at: expected[at] for at in (3, 7, 12)}
    assert sorted(each.seconds for each in along) == [each.seconds for each in along]
