"""Item-kNN, by a naive implementation and by implicit's."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from tasks.core.models import item_knn as item_knn_module
from tasks.core.models.item_knn import NEIGHBOURS, SHRINKAGES, item_knn, nearest_items, numbers_of_neighbours
from tasks.core.types import Floats, Values

USERS, ITEMS = 50, 12


def confidences() -> Floats:
    """Values that make no two similarities equal."""
    rng = np.random.default_rng(0)
    return (rng.uniform(1, 5, (USERS, ITEMS)) * (rng.random((USERS, ITEMS)) < 0.4)).astype(np.float32)


def naive(dense: Floats, neighbours: int, shrinkage: float) -> Values:
    """Return the scores of items that a user does not have, item by item, and -inf for the others."""
    similarity = np.zeros((ITEMS, ITEMS))
    for i in range(ITEMS):
        for j in range(ITEMS):
            x, y = dense[:, i].astype(np.float64), dense[:, j].astype(np.float64)
            similarity[i, j] = x @ y / (np.sqrt(x @ x) * np.sqrt(y @ y) + shrinkage) if i != j else 0
    scores = np.full(dense.shape, -np.inf)
    for user, item in zip(*np.nonzero(dense == 0), strict=True):
        total = 0.0
        for i in np.flatnonzero(dense[user]):
            if item in np.argsort(-similarity[i])[:neighbours]:
                total += dense[user, i] * similarity[i, item]
        scores[user, item] = total or -np.inf
    return scores


@pytest.mark.parametrize("shrinkage", SHRINKAGES)
@pytest.mark.parametrize("neighbours", [1, 3, 11])
def test_scores_are_those_of_the_definition(neighbours: int, shrinkage: float) -> None:
    dense = confidences()
    train = csr_array(dense)
    scores = item_knn(train, train, neighbours=neighbours, shrinkage=shrinkage)(0, USERS)
    scores[dense > 0] = -np.inf
    np.testing.assert_allclose(scores, naive(dense, neighbours, shrinkage), rtol=1e-5)


def test_scores_by_a_dense_matrix_are_those_by_a_sparse_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit: the sums are the same ones in the same order."""
    train = csr_array(confidences())
    (nearest,) = nearest_items(train, 5, [10.0])
    results = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(item_knn_module, "_DENSE_SHARE", share)
        assert item_knn_module.is_dense(5, ITEMS) == (share == 0)
        results.append(item_knn_module._scores(train, nearest.matrix(5))(0, USERS).copy())
    assert (results[0] == results[1]).all()


def test_shrinkage_by_hand() -> None:
    """|x_1| = 5 and |x_2| = 5, x_1·x_2 = 12: .48 as a cosine, 12 / 35 with shrinkage 10."""
    train = csr_array(np.array([[3, 4], [4, 0], [0, 3]], dtype=np.float32))
    for shrinkage, similarity in ((0.0, 12 / 25), (10.0, 12 / 35)):
        scores = item_knn(train, train, neighbours=1, shrinkage=shrinkage)(1, 3)
        assert scores[0, 1] == pytest.approx(4 * similarity)
        assert scores[1, 0] == pytest.approx(3 * similarity)


def test_the_usual_settings_are_those_of_implicit() -> None:
    """20 nearest items and no shrinkage: implicit's own recommendations, which count an item as its own neighbour."""
    from implicit.nearest_neighbours import CosineRecommender

    rng = np.random.default_rng(1)
    dense = (rng.uniform(1, 5, (60, 80)) * (rng.random((60, 80)) < 0.2)).astype(np.float32)
    train = csr_array(dense)
    model = CosineRecommender(K=21)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(csr_matrix(dense, dtype=np.float64), show_progress=False)
    scores = item_knn(train, train, neighbours=20, shrinkage=0)(0, 60)
    own = nearest_items(train, 20, [0.0])
    assert item_knn_module.USUAL == {"neighbours": 20, "shrinkage": 0}
    of_choice = item_knn_module._scores(train, next(own).matrix(20))(0, 60)
    for user in range(60):
        ids, values = model.recommend(user, csr_matrix(dense[user : user + 1], dtype=np.float64), N=10)
        np.testing.assert_allclose(scores[user, ids], values, rtol=1e-5)
        np.testing.assert_allclose(of_choice[user, ids], values, rtol=1e-5)
        unknown = np.flatnonzero(dense[user] == 0)
        np.testing.assert_allclose(np.sort(of_choice[user, unknown])[::-1][:10], values, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 5])
def test_nearest_items_do_not_depend_on_the_blocks(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    train = csr_array(confidences())
    (at_once,) = nearest_items(train, 4, [10.0])
    monkeypatch.setattr(item_knn_module, "BLOCK_BYTES", rows * 24 * ITEMS)
    (in_blocks,) = nearest_items(train, 4, [10.0])
    assert (at_once.ids == in_blocks.ids).all()
    assert (at_once.similarities == in_blocks.similarities).all()
    assert (np.diff(at_once.similarities, axis=1) <= 0).all()
    assert not (at_once.ids == np.arange(ITEMS)[:, None]).any()


def test_items_without_users_and_a_single_item_have_no_neighbours() -> None:
    train = csr_array(np.array([[1, 0, 2], [1, 0, 0]], dtype=np.float32))
    scores = item_knn(train, train, neighbours=2, shrinkage=10.0)(0, 2)
    assert np.isneginf(scores[:, 1]).all()
    alone = csr_array(np.ones((3, 1), dtype=np.float32))
    assert np.isneginf(item_knn(alone, alone, neighbours=5, shrinkage=10.0)(0, 3)).all()


@pytest.mark.parametrize(
    ("items", "numbers"),
    [
        (1, [1]),
        (2, [1]),
        (6, [5]),
        (7, [5, 6]),
        (1001, list(NEIGHBOURS)),
        (2000, [*NEIGHBOURS, 1999]),
        (2001, list(NEIGHBOURS)),
    ],
)
def test_numbers_of_neighbours_end_with_all_other_items_unless_there_are_many(items: int, numbers: list[int]) -> None:
    assert numbers_of_neighbours(items) == numbers
