"""Neighbours by predicted scores: what leaves them as they are, and the explicit U·Vᵀ."""

import numpy as np
import pytest

from tasks.core.models.factors import Factors
from tasks.core.ranking import similarity
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import FACTORS, SCORES, make_lists, make_neighbours, score_vectors
from tasks.core.types import Values
from tests.core.ranking.examples import floats, nothing_liked

TIES = 1e-5
"""Neighbours whose cosines differ by less may be in another order."""
SIDES = ("users", "items")
SHAPES = [(40, 30, 5), (60, 45, 20), (90, 70, 50), (12, 30, 20), (30, 12, 20), (12, 9, 20)]
"""Users, items, k; in the last three, k is above the number of users, of items, or of both."""


def random_factors(users: int, items: int, k: int, seed: int = 0) -> Factors:
    rng = np.random.default_rng(seed)
    return Factors(floats(rng.normal(size=(users, k))), floats(rng.normal(size=(items, k))))


def mapped(factors: Factors, condition: float, seed: int) -> Factors:
    """Return (U·A, V·A⁻ᵀ) for a random A of this condition number: other factors with the same scores."""
    rng = np.random.default_rng(seed)
    k = factors.users.shape[1]
    left, right = (np.linalg.qr(rng.normal(size=(k, k)))[0] for _ in range(2))
    singular_values = np.geomspace(1, condition, k) / np.sqrt(condition)
    return Factors(
        floats(factors.users @ (left * singular_values @ right)),
        floats(factors.items @ (left / singular_values @ right)),
    )


def explicit_cosines(factors: Factors, side: str) -> Values:
    """Return the cosines of the predicted scores of all users, or of all items, from U·Vᵀ in float64."""
    scores = factors.users.astype(np.float64) @ factors.items.T.astype(np.float64)
    rows = scores if side == "users" else scores.T
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(norms > 0, norms, 1)
    return unit @ unit.T


def assert_equal_but_for_ties(actual: Lists, expected: Lists, cosines: Values) -> None:
    """Lists are equal if entries that differ at a rank have cosines that differ by less than `TIES`."""
    np.testing.assert_array_equal(actual.ids >= 0, expected.ids >= 0)
    entities = np.arange(len(cosines))[:, None]
    own, other = (np.where(lists.ids >= 0, cosines[entities, lists.ids], 0) for lists in (actual, expected))
    np.testing.assert_allclose(own, other, rtol=0, atol=TIES)
    np.testing.assert_allclose(actual.scores, expected.scores, rtol=0, atol=TIES)
    assert all(len(set(ids[ids >= 0])) == np.count_nonzero(ids >= 0) for ids in actual.ids)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("condition", [1, 10, 100])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_invertible_map_of_the_factors_changes_no_list_by_scores(
    shape: tuple[int, int, int], condition: float, seed: int, side: str
) -> None:
    factors = random_factors(*shape, seed)
    before, after = (make_neighbours(of, side, SCORES, n=10) for of in (factors, mapped(factors, condition, seed)))
    assert_equal_but_for_ties(after, before, explicit_cosines(factors, side))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_invertible_map_of_the_factors_changes_lists_by_factors(shape: tuple[int, int, int], side: str) -> None:
    factors = random_factors(*shape)
    before, after = (make_neighbours(of, side, FACTORS, n=5).ids for of in (factors, mapped(factors, 100, 1)))
    assert np.mean(np.any(before != after, axis=1)) > 0.9


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lists_and_scores_are_the_explicit_cosines_of_predicted_scores(shape: tuple[int, int, int], side: str) -> None:
    factors = random_factors(*shape)
    cosines = explicit_cosines(factors, side)
    candidates = cosines.copy()
    np.fill_diagonal(candidates, -np.inf)
    ids = np.argsort(-candidates, axis=1)[:, :7].astype(np.int32)
    expected = Lists(ids, floats(np.take_along_axis(cosines, ids, axis=1)))
    assert_equal_but_for_ties(make_neighbours(factors, side, SCORES, n=7), expected, cosines)


def test_cosines_by_hand() -> None:
    """Scores of users 0, 1, 2 are (2, 0), (1, 2), (0, 1); those of items 0 and 1 are (2, 1, 0) and (0, 2, 1)."""
    factors = Factors(floats([[1, 0], [0.5, 2], [0, 1]]), floats([[2, 0], [0, 1]]))
    users, items = (make_neighbours(factors, side, SCORES, n=2) for side in SIDES)
    assert users.ids.tolist() == [[1, 2], [2, 0], [1, 0]]
    near, far = 2 / 5**0.5, 1 / 5**0.5
    np.testing.assert_allclose(users.scores, [[far, 0], [near, far], [near, 0]], atol=1e-6)
    assert items.ids.tolist() == [[1], [0]]
    np.testing.assert_allclose(items.scores, 2 / 5, atol=1e-6)


@pytest.mark.parametrize("columns", [30, 3], ids=["regular", "singular"])
def test_vectors_have_norm_one_and_the_cosines_as_inner_products(columns: int) -> None:
    factors = random_factors(20, columns, 6)
    vectors = score_vectors(factors.users, factors.items)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors @ vectors.T, explicit_cosines(factors, "users"), atol=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_a_row_of_zeros_is_on_no_list_and_has_an_empty_list(side: str) -> None:
    factors = random_factors(12, 10, 4)
    getattr(factors, side)[[2, 5]] = 0
    lists = make_neighbours(factors, side, SCORES, n=100)
    assert (lists.ids[[2, 5]] == -1).all()
    assert not np.isin(lists.ids, [2, 5]).any()
    others = len(lists.ids) - 3
    assert ((lists.ids >= 0).sum(axis=1) == np.where(np.isin(np.arange(len(lists.ids)), [2, 5]), 0, others)).all()


def test_a_user_whose_scores_are_all_zero_is_on_no_list_although_the_factors_are_not() -> None:
    """The items have two of three dimensions, and the factors of user 3 lie in the third; in a rotated basis, so that
    zero scores are zero up to rounding only."""
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    users, items = rng.normal(size=(8, 3)), rng.normal(size=(10, 3))
    users[3] = [0, 0, 2]
    items[:, 2] = 0
    factors = Factors(floats(users @ rotation), floats(items @ rotation))
    lists = make_neighbours(factors, "users", SCORES, n=10)
    assert (lists.ids[3] == -1).all()
    assert not np.isin(lists.ids, 3).any()
    assert ((lists.ids >= 0).sum(axis=1)[np.arange(8) != 3] == 6).all()
    assert (make_neighbours(factors, "users", FACTORS, n=10).ids[3] >= 0).all()


@pytest.mark.parametrize("side", SIDES)
def test_without_any_score_all_lists_are_empty(side: str) -> None:
    factors = Factors(random_factors(5, 4, 3).users, floats(np.zeros((4, 3))))
    assert (make_neighbours(factors, side, SCORES, n=3).ids == -1).all()


@pytest.mark.parametrize("side", SIDES)
def test_dimensions_that_one_side_lacks_do_not_count(side: str) -> None:
    """V has rank 2 of 4: only the users' components in these two directions change a score."""
    rng = np.random.default_rng(5)
    full = random_factors(20, 15, 4)
    items = floats(rng.normal(size=(15, 2)) @ rng.normal(size=(2, 4)))
    factors = Factors(full.users, items)
    cosines = explicit_cosines(factors, side)
    lists = make_neighbours(factors, side, SCORES, n=5)
    np.testing.assert_allclose(lists.scores, np.take_along_axis(cosines, lists.ids, axis=1), atol=TIES)
    np.testing.assert_allclose(lists.scores, np.sort(cosines - 3 * np.eye(len(cosines)))[:, :-6:-1], atol=TIES)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", [(40, 30, 5), (12, 9, 20)], ids=str)
def test_the_size_of_the_blocks_does_not_matter(
    shape: tuple[int, int, int], side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors = random_factors(*shape)
    at_once = make_neighbours(factors, side, SCORES, n=8)
    for rows in (1, 7):
        monkeypatch.setattr(similarity, "_BLOCK_BYTES", 8 * shape[2] * rows)
        assert len(next(similarity._blocks(factors.users))) == rows
        assert_equal_but_for_ties(make_neighbours(factors, side, SCORES, n=8), at_once, explicit_cosines(factors, side))


@pytest.mark.parametrize("by", [FACTORS, SCORES])
@pytest.mark.parametrize("target", [*SIDES, "recommendations"])
def test_lists_of_some_rows_are_those_of_all(target: str, by: str) -> None:
    factors = random_factors(20, 15, 4)
    liked = nothing_liked(20, 15)
    rows = np.array([1, 4, 13], dtype=np.int32)
    every, some = (make_lists(factors, target, by, liked=liked, n=6, rows=chosen) for chosen in (None, rows))
    np.testing.assert_array_equal(some.ids, every.ids[rows])
    np.testing.assert_allclose(some.scores, every.scores[rows], rtol=1e-6)


def test_recommendations_do_not_depend_on_the_similarity() -> None:
    factors, liked = random_factors(20, 15, 4), nothing_liked(20, 15)
    lists = [make_lists(factors, "recommendations", by, liked=liked, n=5) for by in (FACTORS, SCORES)]
    np.testing.assert_array_equal(lists[0].ids, lists[1].ids)
    assert not np.array_equal(*(make_lists(factors, "users", by, liked=liked, n=5).ids for by in (FACTORS, SCORES)))


@pytest.mark.parametrize("shape", [(40, 30, 5), (12, 9, 20)], ids=["regular", "singular"])
@pytest.mark.parametrize("users_scale", [1e-30, 1e-15, 1, 1e15, 1e30])
@pytest.mark.parametrize("items_scale", [1e-30, 1e-15, 1, 1e15, 1e30])
def test_the_scale_of_the_factors_does_not_matter(
    users_scale: float, items_scale: float, shape: tuple[int, int, int]
) -> None:
    """Warnings of an overflow are errors here; squares of these scales are out of the range of float32."""
    factors = random_factors(*shape)
    scaled = Factors(floats(factors.users * users_scale), floats(factors.items * items_scale))
    for side in SIDES:
        expected, actual = (make_neighbours(of, side, SCORES, n=6) for of in (factors, scaled))
        assert_equal_but_for_ties(actual, expected, explicit_cosines(factors, side))
