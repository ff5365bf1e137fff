"""Cost of a fit, by hand. Times are compared with the clock in the tests of the estimates."""

from typing import Any

import pytest

from tasks.core.models.cost import BLOCK_BYTES, fit_bytes, gflop
from tests.core.models.examples import settings


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 10 sweeps over 100 rows, k = 10, 1000 interactions
        ({"solver": "cg"}, 10 * (10 * 100 * 100 + 32 * 1000 * 10)),
        ({"solver": "cholesky"}, 10 * (2 * 100 * 100 + 4 * 1000 * 100 + 100 * 1000 / 3)),
    ],
)
def test_operations_by_hand(changes: dict[str, Any], expected: float) -> None:
    assert gflop((60, 40), 1000, settings(factors=10, iterations=10, **changes)) == pytest.approx(expected / 1e9)


@pytest.mark.parametrize(
    ("changes", "matrices", "copies"),
    [({}, 2, 3), ({"alpha": 40.0}, 4, 3), ({"acceleration": "balanced"}, 2, 9)],
)
def test_bytes_by_hand(changes: dict[str, Any], matrices: int, copies: int) -> None:
    # 8 bytes an interaction, 4 bytes a factor, k = 10, four blocks of 8 bytes for each of 60 x 60 pairs
    expected = matrices * 8 * 1000 + copies * 4 * 100 * 10 + 4 * 8 * 60**2
    assert fit_bytes(60, 40, 1000, settings(factors=10, **changes)) == expected


def test_blocks_of_scores_do_not_grow_with_the_data() -> None:
    config = settings(factors=1)
    growth = fit_bytes(200_000, 40, 1000, config) - fit_bytes(100_000, 40, 1000, config)
    assert growth == 3 * 4 * 100_000
    assert fit_bytes(100_000, 40, 1000, config) > 4 * BLOCK_BYTES
