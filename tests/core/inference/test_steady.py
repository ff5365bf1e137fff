"""Usual lists, and what a run loses that is left out."""

import numpy as np
import pytest

from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tasks.core.inference.steady import UsualList, loss_of_run_left_out
from tests.core.inference.examples import runs_of


def test_the_usual_list_is_that_of_most_runs():
    overlaps = overlap_counts(runs_of([[7, 8], [1, 3], [2, 1], [1, 2], [1, 2]]), 2)
    usual = UsualList.of(overlaps, np.arange(1, 5))
    assert (usual.run, usual.runs, usual.deviating, usual.steady) == (2, 4, (1,), True)


def test_two_runs_that_deviate_alike_are_not_steady():
    usual = UsualList.of(overlap_counts(runs_of([[1, 2], [1, 2], [1, 2], [1, 3], [1, 3]]), 2), np.arange(5))
    assert (usual.deviating, usual.steady) == ((3, 4), False)


@pytest.mark.parametrize(("runs", "deviating", "steady"), [(3, 1, True), (7, 2, False), (8, 2, True), (8, 3, False)])
def test_a_list_is_steady_if_at_most_one_run_or_a_quarter_deviates(runs, deviating, steady):
    lists = [[1, 2]] * (runs - deviating) + [[1, 3 + run] for run in range(deviating)]
    assert UsualList.of(overlap_counts(runs_of(lists), 2), np.arange(runs)).steady is steady


def test_loss_of_the_run_left_out_by_hand():
    """Entity 0 is left out three times without loss, entity 1 once with loss 1/2; entity 2 has no three equal lists."""
    equal, one_deviates = [[1, 2], [1, 2], [1, 2]], [[1, 2], [1, 3], [1, 2]]
    different = [[1, 2], [1, 3], [1, 4]]
    overlaps = overlap_counts_by_entity(runs_of(equal, one_deviates, different), 2)
    assert loss_of_run_left_out(overlaps) == pytest.approx(0.5 / 4)


def test_there_is_no_loss_where_no_list_is_steady():
    assert loss_of_run_left_out(overlap_counts_by_entity(runs_of([[1, 2], [1, 3], [1, 4]]), 2)) is None
