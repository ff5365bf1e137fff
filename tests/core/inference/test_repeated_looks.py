"""The level of a test that is repeated with more seeds."""

import pytest

from tasks.core.inference.repeated_looks import LEVELS, level_of_looks


def test_each_further_look_raises_the_level() -> None:
    levels = [level_of_looks(looks) for looks in range(2, 9)]
    assert levels == sorted(levels)
    assert 0.05 < levels[0] < levels[-1]


@pytest.mark.parametrize(("looks", "simulated"), [(5, 5), (6, 8), (7, 8), (8, 8), (30, 8)])
def test_numbers_of_looks_that_were_not_simulated_have_the_level_of_more_looks(looks: int, simulated: int) -> None:
    assert level_of_looks(looks) == LEVELS[simulated]
