"""The file of factors."""

from pathlib import Path

import numpy as np

from tasks.core.models.als import fit
from tasks.core.models.factors import Factors
from tests.core.models.examples import confidences, settings


def test_saved_factors_are_loaded_unchanged(tmp_path: Path) -> None:
    factors = fit(confidences(), settings(), seed=1)
    factors.save(tmp_path / "factors.npz")
    loaded = Factors.load(tmp_path / "factors.npz")
    np.testing.assert_array_equal(loaded.users, factors.users)
    np.testing.assert_array_equal(loaded.items, factors.items)
    with np.load(tmp_path / "factors.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"user_factors", "item_factors"}
