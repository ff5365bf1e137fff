"""Timestamps of a part of the interactions."""

import numpy as np
from scipy.sparse import csr_array

from tasks.core.config.evaluation import LeaveLastSplit, TimeSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.strategies import hold_out
from tasks.core.data.splits.times import times_of_part


def interactions() -> Interactions:
    matrix = csr_array((np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32))
    return Interactions(
        matrix, np.arange(30), np.arange(20), None, np.random.default_rng(1).permutation(matrix.nnz) * 1.0
    )


def test_each_interaction_of_a_part_keeps_its_time() -> None:
    data = interactions()
    whole = data.matrix.copy()
    whole.data = data.times + 1  # a time of 0 would be no entry of a dense matrix
    for config in (LeaveLastSplit(strategy="leave_last"), TimeSplit(strategy="time")):
        split = hold_out(data, config, seed=1)
        for part in (split.train, split.test):
            times = times_of_part(data, part)
            assert len(times) == part.nnz
            of_part = csr_array((times + 1, part.indices, part.indptr), shape=part.shape).toarray()
            assert (of_part == whole.toarray() * (part.toarray() > 0)).all()


def test_data_without_times_have_none() -> None:
    data = interactions()
    assert times_of_part(Interactions(data.matrix, data.user_ids, data.item_ids, None), data.matrix) is None
