"""Fixtures of the tests of inference."""

import pytest

from tasks.core.inference.overlap_counts import Overlaps, overlap_counts
from tests.core.inference.examples import SIX, runs_of


@pytest.fixture
def six() -> Overlaps:
    """The overlaps of six runs that are counted by hand."""
    return overlap_counts(runs_of(SIX), 4)
