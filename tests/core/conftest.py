"""What the core's tests share: the genuine MovieLens 100K where a machine has it, and a home of their own."""

import os
from pathlib import Path

import pytest

from tests.paths import GENUINE


@pytest.fixture
def genuine() -> Path:
    """The unpacked MovieLens 100K; without it a test is skipped, and fails in CI, which must have it."""
    if not (GENUINE / "u.data").is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{GENUINE} is missing; CI runs these tests")
        pytest.skip("MovieLens 100K is not on this machine")
    return GENUINE


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LATENTLAB_HOME of one test; no own catalogue."""
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LATENTLAB_CATALOGUE", raising=False)
    return tmp_path / "home"
