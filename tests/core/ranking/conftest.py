"""A model of implicit's, whose lists are compared with ours."""

import pytest
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from tests.core.ranking.examples import random_liked


@pytest.fixture(scope="session")
def liked() -> csr_array:
    return random_liked(30, 20)


@pytest.fixture(scope="session")
def implicit_model(liked: csr_array) -> AlternatingLeastSquares:
    with threadpoolctl.threadpool_limits(1):
        model = AlternatingLeastSquares(factors=4, iterations=5, random_state=1)
        model.fit(csr_matrix(liked), show_progress=False)
    return model
