"""The simulation of docs/verdict.md, smaller: level, power, and what the naive test does."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy.stats import binom, binomtest

from tasks.core.config.als import AlsConfig

SMALL = AlsConfig(factors=4, iterations=5)


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    path = Path(__file__).with_name("level_and_power.py")
    spec = importlib.util.spec_from_file_location("level_and_power", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_one_model_twice_is_found_different_as_often_as_the_level_says(simulation: ModuleType) -> None:
    """Two-sided: neither more often, which would be wrong, nor less, which would be weak."""
    found = simulation.simulate(SMALL, SMALL, replicates=5, repetitions=400)
    assert found.attainable == 6 / 126
    assert binomtest(found.permutation, 400, found.attainable).pvalue > 0.001
    # what a notebook does calls most of these identical models different
    assert found.naive > binom.ppf(0.999, 400, 0.5)


def test_another_k_is_found(simulation: ModuleType) -> None:
    """Twice the factors, 5 seeds a model: a power of 0.95 at least."""
    found = simulation.simulate(SMALL, AlsConfig(factors=8, iterations=5), replicates=5, repetitions=60, seed=1)
    assert found.permutation >= 57
