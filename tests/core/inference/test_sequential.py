"""Planned looks: the levels that they spend, and which of them are skipped."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.permutation import smallest_p
from tasks.core.inference.sequential import plan_looks, spent


@pytest.mark.parametrize(
    ("fraction", "published"), [(0.25, 8.85754e-5), (0.5, 0.0055746), (0.75, 0.0236251), (1.0, 0.05)]
)
def test_spent_levels_are_the_published_ones(fraction, published):
    """The O'Brien-Fleming type function at .05, as the README of SeqBounds.jl prints it."""
    assert spent(0.05, fraction) == pytest.approx(published, rel=1e-5)


def test_at_the_end_the_whole_level_is_spent_exactly():
    assert [spent(alpha, 1) for alpha in (0.05, 0.025)] == [0.05, 0.025]


@given(
    looks=st.lists(st.integers(2, 60), min_size=2, max_size=8, unique=True).map(sorted),
    tests=st.integers(1, 300),
)
@settings(deadline=None, max_examples=200)
def test_levels_of_the_looks_that_are_taken_sum_to_those_of_one_comparison(looks, tests):
    planned = plan_looks(looks, tests=tests)
    taken = [look for look in planned if not look.skipped]
    assert np.sum([astuple(look.levels) for look in taken], axis=0) == pytest.approx(astuple(Levels()), abs=1e-12)
    assert taken[-1] is planned[-1]
    assert all(min(astuple(look.levels)) > 0 for look in planned)


def test_a_look_is_skipped_if_its_smallest_p_is_above_its_level():
    """Four tests: with 6 seeds 4/462 = .0087 is above .0056, with 8 seeds 4/6435 is below .0164."""
    first, second, third = plan_looks([6, 8, 12], tests=4)
    assert [look.skipped for look in (first, second, third)] == [True, False, False]
    assert (first.smallest_p, first.levels.difference) == (pytest.approx(4 / 462), pytest.approx(0.0055746, rel=1e-5))
    assert second.smallest_p == smallest_p(8, 8, endpoints=4)


def test_a_skipped_look_passes_its_level_to_the_next():
    first, second, third = plan_looks([6, 8, 12], tests=4)
    assert second.levels.difference == spent(0.05, 8 / 12) > first.levels.difference
    assert third.levels.difference == pytest.approx(0.05 - spent(0.05, 8 / 12))
    assert second.levels.meaningful == spent(0.025, 8 / 12)


def test_without_skipped_looks_each_has_its_own_part():
    first, second, _ = plan_looks([6, 8, 12], tests=1)
    assert not first.skipped
    assert second.levels.difference == pytest.approx(spent(0.05, 8 / 12) - spent(0.05, 0.5))


def test_the_last_look_is_taken_even_if_nothing_can_be_significant():
    looks = plan_looks([2, 3], tests=4)
    assert [look.skipped for look in looks] == [True, False]
    assert looks[-1].smallest_p > 0.05
    assert looks[-1].levels == Levels()


def test_a_look_knows_its_replicates_and_its_title():
    look = plan_looks([6, 8, 12], tests=4)[1]
    assert (look.replicates, look.title) == (8, "look 2 of 3")
