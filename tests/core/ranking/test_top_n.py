"""The n best columns, compared with sorting all of them."""

import numpy as np
import pytest

from tasks.core.models.factors import Factors
from tasks.core.ranking import top_n as top_n_module
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.recommendations import recommend
from tasks.core.ranking.top_n import top_n
from tests.core.ranking.examples import floats, nothing_liked, random_factors, random_liked


def test_equal_scores_are_in_the_order_of_their_ids() -> None:
    factors = Factors(floats([[1]]), floats([[1], [2], [1], [2]]))
    assert recommend(factors, nothing_liked(1, 4), n=4).ids.tolist() == [[1, 3, 0, 2]]


def test_blocks_do_not_change_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    factors, liked = random_factors(37, 23), random_liked(37, 23)
    in_one_block = nearest(factors.users, n=10), recommend(factors, liked, n=10)
    monkeypatch.setattr(top_n_module, "BLOCK_BYTES", 4 * 37 * 5)  # blocks of five users, of which 37 is no multiple
    in_blocks = nearest(factors.users, n=10), recommend(factors, liked, n=10)
    for expected, actual in zip(in_one_block, in_blocks, strict=True):
        np.testing.assert_array_equal(actual.ids, expected.ids)
        np.testing.assert_allclose(actual.scores, expected.scores, rtol=1e-5)


def test_progress_is_reported_after_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_n_module, "BLOCK_BYTES", 4 * 6 * 2)  # blocks of two rows
    progress: list[tuple[int, int]] = []
    top_n(lambda start, stop: np.zeros((stop - start, 6), np.float32), 5, 6, 1, lambda *done: progress.append(done))
    assert progress == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("columns", [30, 100, 1000, 5003])
@pytest.mark.parametrize("kind", ["distinct", "some equal", "most equal", "few candidates", "none"])
def test_the_best_columns_are_the_first_after_sorting(columns: int, kind: str) -> None:
    rng = np.random.default_rng(columns)
    scores = floats(rng.normal(size=(23, columns)))
    if kind == "some equal":
        scores = np.round(scores, 2)
    elif kind == "most equal":
        scores[rng.random(scores.shape) < 0.99] = 0
    elif kind == "few candidates":
        scores[:, 3:] = -np.inf
    elif kind == "none":
        scores[:] = -np.inf
    lists = top_n(lambda start, stop: scores[start:stop].copy(), 23, columns, 7)
    sorted_scores = -np.sort(-scores, axis=1)[:, :7]
    expected = np.where(np.isneginf(sorted_scores), np.nan, sorted_scores)[:, : lists.scores.shape[1]]
    np.testing.assert_array_equal(lists.scores, expected)
    for row, (ids, values) in enumerate(zip(lists.ids, lists.scores, strict=True)):

        def order(column: int, row: int = row) -> tuple[float, int]:
            return -scores[row, column], column

        listed = ids[ids >= 0].tolist()
        assert len(set(listed)) == len(listed) == np.isfinite(values).sum()
        assert scores[row, listed].tolist() == values[: len(listed)].tolist()
        assert listed == sorted(listed, key=order)
        candidates = np.flatnonzero(np.isfinite(scores[row])).tolist()
        assert listed == sorted(candidates, key=order)[:7]  # of columns that equal the last one, the first ones
