"""One accuracy metric equals that of the evaluation of all metrics."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.evaluation import EvaluationConfig
from tasks.core.data.splits.split import Split
from tasks.core.models.factors import Factors
from tasks.core.ranking.accuracy import accuracy_of_factors
from tasks.core.ranking.evaluation import evaluate_factors


def random_split() -> Split:
    rng = np.random.default_rng(3)
    liked = rng.random((30, 25)) < 0.3
    in_test = liked & (rng.random(liked.shape) < 0.3)
    in_test[4] = False  # a user without test items does not count
    parts = ((liked & ~in_test).astype(np.float32), in_test.astype(np.float32))
    return Split(*map(csr_array, parts))


SETTINGS = AlsConfig(factors=4, iterations=1, regularization=2.0)


@pytest.mark.parametrize("metric", EvaluationConfig(cutoffs=(3, 40)).accuracy_metrics)
@pytest.mark.parametrize("users_are_held_out", [False, True])
def test_a_metric_equals_that_of_the_evaluation(metric: str, users_are_held_out: bool) -> None:
    rng = np.random.default_rng(4)
    factors = Factors(rng.random((30, 4), dtype=np.float32), rng.random((25, 4), dtype=np.float32))
    split = random_split()
    if users_are_held_out:
        train, visible = split.train.toarray(), split.train.toarray()
        train[:10], visible[10:] = 0, 0
        split = Split(csr_array(train), split.test, csr_array(visible))
    expected = evaluate_factors(factors, split, SETTINGS, (3, 40)).means()[metric]
    assert accuracy_of_factors(factors, split, SETTINGS, metric) == pytest.approx(expected, rel=1e-12)
