"""Overlap of every two runs."""

import numpy as np

from tasks.core.comparison.run_matrix import Matrix, RunMatrix


def test_the_record_labels_runs_by_model_and_replicate():
    matrix = RunMatrix("users", 5, [("k50", 0), ("k50", 1), ("k #1", 0)], np.eye(3))
    assert matrix.models == ["k50", "k50", "k #1"]
    labels = ["k50 #0", "k50 #1", "k #1 #0"]
    assert matrix.record() == Matrix("users", 5, labels, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
