"""Training on a matrix with empty rows, as users have who are held out as a whole."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.models.als import Start, fit
from tasks.core.models.factors import Factors
from tests.core.models.examples import confidences, settings

TRAINED = confidences()
ABSENT = 10
"""Users without interactions, after those with some."""
MATRIX = csr_array((TRAINED.data, TRAINED.indices, np.pad(TRAINED.indptr, (0, ABSENT), mode="edge")), shape=(40, 20))
SOLVERS = [{"solver": solver, "acceleration": kind} for solver in ("cg", "cholesky") for kind in ("none", "balanced")]


def start_of(matrix: csr_array, absent: float = 0.0) -> Start:
    """Return the same random start for the users with interactions and for the items, and one value for all others."""
    rng = np.random.default_rng(0)
    users, items = (rng.random((rows, 4), dtype=np.float32) * np.float32(0.01) for rows in TRAINED.shape)
    others = np.full((matrix.shape[0] - len(users), 4), absent, dtype=np.float32)
    return Start(0, Factors(np.concatenate([users, others]), items))


def trained(matrix: csr_array, config: AlsConfig, absent: float = 0.0) -> Factors:
    return fit(matrix, config, seed=1, start=start_of(matrix, absent))


@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
@pytest.mark.parametrize("changes", SOLVERS, ids=str)
def test_they_have_factors_of_zeros_and_change_nothing(orientation: str, changes: dict[str, Any]) -> None:
    """Their start aside: it is zero here."""
    config = settings(orientation=orientation, regularization=0.5, **changes)
    factors, without = trained(MATRIX, config), trained(TRAINED, config)
    assert not factors.users[-ABSENT:].any()
    np.testing.assert_allclose(factors.items, without.items, atol=2e-4)
    np.testing.assert_allclose(factors.users[:-ABSENT], without.users, atol=2e-4)


@pytest.mark.parametrize("changes", SOLVERS, ids=str)
def test_their_start_does_not_matter_where_users_are_solved_first(changes: dict[str, Any]) -> None:
    config = settings(regularization=0.5, **changes)
    np.testing.assert_array_equal(trained(MATRIX, config, 0.5).items, trained(MATRIX, config, 0.0).items)


def test_their_start_is_a_part_of_the_random_start_where_items_are_solved_first() -> None:
    """The items of the first half sweep are solved from it; from then on these users are zero."""
    for iterations in (1, 5):
        config = settings(orientation="item_user", solver="cholesky", regularization=0.5, iterations=iterations)
        factors = trained(MATRIX, config, 0.5)
        assert not factors.users[-ABSENT:].any()
        assert not np.array_equal(factors.items, trained(MATRIX, config, 0.0).items)
