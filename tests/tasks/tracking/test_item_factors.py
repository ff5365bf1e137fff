"""What a logged model folds new users in with: the equation of the engine that trained it."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.models.fold_in import fold_in
from tasks.tracking.logged_models.fit_model import write_item_factors
from tasks.tracking.logged_models.pyfunc_model import _NewUsers


@pytest.mark.parametrize("engine", ["implicit", "spark"])
def test_the_scores_of_a_logged_model_are_those_of_folding_in(engine: str, tmp_path: Path) -> None:
    settings = AlsConfig.model_validate(
        {"factors": 3, "iterations": 1, "regularization": 2.0, "alpha": 2.0, "engine": engine}
    )
    items = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    write_item_factors(tmp_path / "item_factors.npz", items, settings, 4.0)
    owned = [2, 3, 7, 11]
    liked = csr_array((np.full(4, 4.0, dtype=np.float32), np.array(owned), np.array([0, 4])), shape=(1, 20))
    expected = (fold_in(liked, items, settings) @ items.T)[0]
    scores = _NewUsers(tmp_path / "item_factors.npz").scores(owned)
    others = np.setdiff1d(np.arange(20), owned)
    np.testing.assert_allclose(scores[others], expected[others], rtol=1e-3, atol=1e-5)


def test_a_model_of_spark_weighs_the_regularization_by_the_items_of_the_new_user(tmp_path: Path) -> None:
    """With items of one factor y = 1, two of them at confidence 3: x = 6 / (2 + 4 + 2 λ), in place of 6 / (6 + λ)."""
    items = np.ones((2, 1), dtype=np.float32)
    liked = csr_array((np.full(2, 3.0, dtype=np.float32), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    found = {
        engine: float(
            fold_in(
                liked,
                items,
                AlsConfig.model_validate({"factors": 1, "iterations": 1, "regularization": 3.0, "engine": engine}),
            )[0, 0]
        )
        for engine in ("implicit", "spark")
    }
    assert found == pytest.approx({"implicit": 6 / 9, "spark": 6 / 12}, rel=1e-5)
