"""The simulation of docs/verdict.md at a smaller size: predicted and realised precision."""

import numpy as np

from tests.benchmarks.planned_precision import CASES, ratios


def test_the_predicted_half_width_is_right_on_average_and_nearer_with_more_seeds() -> None:
    found = ratios(*CASES["one user, another model"], repetitions=200)
    assert 0.85 < np.median(found[4]) < 1.2
    assert 0.85 < np.median(found[6]) < 1.2
    spreads = [np.quantile(found[pilot], 0.9) / np.quantile(found[pilot], 0.1) for pilot in (3, 4, 6)]
    assert spreads == sorted(spreads, reverse=True)
