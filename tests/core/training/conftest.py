"""A fit of 30 iterations on 40 users and 25 items, and ways to run and to stop it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.data.interactions import Interactions
from tasks.core.errors import Stopped
from tasks.core.files import put
from tasks.core.training.run_fit import FitRequest, FitResult, run_fit
from tasks.core.training.step import Step

Interrupt = Callable[[FitRequest, int], None]


@pytest.fixture
def matrix() -> csr_array:
    rng = np.random.default_rng(5)
    dense = rng.integers(1, 6, size=(40, 25)) * (rng.random((40, 25)) < 0.3)
    return csr_array(dense.astype(np.float32))


@pytest.fixture
def fit_request(matrix: csr_array, home: Path) -> FitRequest:
    interactions = Interactions(matrix, np.arange(40), np.arange(25), None)
    return FitRequest(
        identity="a" * 64,
        data=put("interactions", ".npz", interactions.save),
        settings=AlsConfig(factors=6, iterations=30),
        seed=7,
        snapshots=(1, 10),
        queries=(3,),
        n=5,
        threads=1,
        checkpoint_seconds=1e9,
        checkpoints=home / "checkpoints",
        target=home / "factors.npz",
    )


@pytest.fixture
def interrupt() -> Interrupt:
    """Runs a fit and stops it after an iteration."""

    def run(request: FitRequest, iteration: int) -> None:
        def on_steps(steps: list[Step]) -> None:
            if steps[-1].iteration == iteration:
                raise Stopped

        with pytest.raises(Stopped):
            run_fit(request, on_steps)

    return run


@pytest.fixture
def complete() -> Callable[[FitRequest], tuple[FitResult, list[Step]]]:
    """Runs a fit to its end, and returns its result and all steps."""

    def run(request: FitRequest) -> tuple[FitResult, list[Step]]:
        steps: list[Step] = []
        return run_fit(request, steps.extend), steps

    return run
