"""One accuracy metric equals that of the evaluation of all metrics."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import EvaluationConfig
from tasks.core.data.splits.split import Split
from tasks.core.models.factors import Factors
from tasks.core.ranking.accuracy import mean_accuracy
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import preferences


def random_split() -> Split:
    rng = np.random.default_rng(3)
    liked = rng.random((30, 25)) < 0.3
    in_test = liked & (rng.random(liked.shape) < 0.3)
    in_test[4] = False  # a user without test items does not count
    parts = ((liked & ~in_test).astype(np.float32), in_test.astype(np.float32))
    return Split(*map(csr_array, parts))


@pytest.mark.parametrize("metric", EvaluationConfig(cutoffs=(3, 40)).accuracy_metrics)
def test_a_metric_equals_that_of_the_evaluation(metric: str) -> None:
    rng = np.random.default_rng(4)
    factors = Factors(rng.random((30, 4), dtype=np.float32), rng.random((25, 4), dtype=np.float32))
    split = random_split()
    expected = evaluate(preferences(factors), split, (3, 40)).means()[metric]
    assert mean_accuracy(factors, split, metric) == pytest.approx(expected, rel=1e-12)
