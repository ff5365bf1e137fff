"""The scale of ratings."""

import numpy as np
import pytest

from tasks.core.data.inspection.scale import number, scale_of


@pytest.mark.parametrize(
    ("ratings", "kind"),
    [
        ([1, 2, 3, 4, 5], "stars"),
        ([0.5, 3.5, 4, 5], "stars"),
        ([0, 1, 4, 5], "stars"),
        ([2, 7, 10, 8.5], "ten-points"),
        ([0, 0, 8, 9], "ten-points"),
        ([1, 1, 1, 2, 300], "counts"),
        ([0, 1, 1, 2, 30], "counts"),
        ([1, 1, 1], "constant"),
        ([1, 2], "other"),
        ([-1, 1, 4, 5], "other"),
        ([3.3, 4.1, 5], "other"),
        ([50, 60, 70, 100], "other"),
    ],
)
def test_the_kind_follows_from_the_values(ratings: list[float], kind: str) -> None:
    assert scale_of(np.array(ratings, dtype=float), named_as_counts=False).kind == kind


def test_few_plays_are_counts_if_the_name_says_so() -> None:
    assert scale_of(np.array([1.0, 4.0, 5.0]), named_as_counts=True).kind == "counts"
    assert scale_of(np.array([0.5, 4.0, 5.0]), named_as_counts=True).kind == "stars"


def test_figures_of_a_scale() -> None:
    scale = scale_of(np.array([-1, 0, 0, 0.5, 4, 5, 5, 5]), named_as_counts=False)
    assert (scale.low, scale.median, scale.high, scale.least_positive) == (-1, 2.25, 5, 0.5)
    assert (scale.different, scale.zeros, scale.negatives) == (5, 2, 1)
    assert scale.counts == {"-1": 1, "0": 2, "0.5": 1, "4": 1, "5": 3}
    assert scale.share_from(4) == 0.5


def test_many_different_values_are_not_listed() -> None:
    scale = scale_of(np.arange(22.0), named_as_counts=False)
    assert (scale.different, scale.counts) == (22, {})


def test_a_number_is_written_exactly() -> None:
    assert [number(value) for value in (4.0, 0.5, np.float32(4.1), 1e300)] == [
        "4",
        "0.5",
        "4.099999904632568",
        "1e+300",
    ]
