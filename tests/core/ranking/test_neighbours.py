"""Lists of neighbours and of recommendations."""

import numpy as np
import pytest
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

import tasks.core.ranking.top_n as top_n_module
from tasks.core.models.factors import Factors
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.recommendations import recommend, score
from tasks.core.ranking.top_n import top_n
from tasks.core.types import Floats


def floats(rows: object) -> Floats:
    return np.array(rows, dtype=np.float32)


def nothing_liked(users: int, items: int) -> csr_array:
    return csr_array((users, items), dtype=np.float32)


def random_factors(users: int, items: int, k: int = 6) -> Factors:
    stream = np.random.default_rng(0)
    return Factors(floats(stream.normal(size=(users, k))), floats(stream.normal(size=(items, k))))


def random_liked(users: int, items: int) -> csr_array:
    return csr_array((np.random.default_rng(1).random((users, items)) < 0.2).astype(np.float32))


class TestSimilar:
    def test_cosines_by_hand(self) -> None:
        found = nearest(floats([[1, 0], [3, 4], [0, 2], [-5, 0]]), n=3)
        assert found.ids.tolist() == [[1, 2, 3], [2, 0, 3], [1, 0, 3], [2, 1, 0]]
        np.testing.assert_allclose(
            found.scores, [[0.6, 0, -1], [0.8, 0.6, -0.6], [0.8, 0, 0], [0, -0.6, -1]], atol=1e-7
        )

    def test_length_does_not_matter(self) -> None:
        rows = random_factors(12, 1).users
        scaled = rows * floats(2.0 ** np.arange(12))[:, None]
        np.testing.assert_array_equal(nearest(rows, n=5).ids, nearest(scaled, n=5).ids)

    def test_itself_is_dropped_by_id_even_among_equal_vectors(self) -> None:
        found = nearest(floats([[1, 1]] * 4), n=3)
        assert found.ids.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]

    def test_a_row_of_zeros_is_on_no_list_and_has_an_empty_one(self) -> None:
        found = nearest(floats([[1, 0], [0, 0], [1, 1], [0, 0]]), n=3)
        assert found.ids.tolist() == [[2], [-1], [0], [-1]]
        assert np.isnan(found.scores[[1, 3]]).all()

    def test_a_list_is_no_longer_than_the_others_are_many(self) -> None:
        assert nearest(random_factors(4, 1).users, n=100).ids.shape == (4, 3)

    def test_somebody_alone_has_no_neighbours(self) -> None:
        assert nearest(floats([[1, 2]]), n=5).ids.tolist() == [[-1]]

    def test_it_finds_what_sorting_all_cosines_finds(self) -> None:
        rows = random_factors(40, 1).users.astype(np.float64)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -2)
        expected = np.argsort(-cosines, axis=1)[:, :7]
        np.testing.assert_array_equal(nearest(floats(rows), n=7).ids, expected)


class TestRecommend:
    def test_the_notebook_s_worked_example(self) -> None:
        """U1 = [0.9, 0.1] and movie B = [0.1, 0.9] give 0.9 x 0.1 + 0.1 x 0.9 = 0.18."""
        assert score(floats([[0.9, 0.1]]), floats([[0.1, 0.9]])).item() == pytest.approx(0.18)

    def test_scores_by_hand_and_best_first(self) -> None:
        factors = Factors(floats([[1, 2], [-1, 0]]), floats([[1, 0], [0, 1], [3, -2]]))
        found = recommend(factors, nothing_liked(2, 3), n=3)
        assert found.ids.tolist() == [[1, 0, 2], [1, 0, 2]]
        assert found.scores.tolist() == [[2, 1, -1], [0, -1, -3]]

    def test_liked_items_are_never_recommended(self) -> None:
        liked = random_liked(30, 20)
        found = recommend(random_factors(30, 20), liked, n=20)
        for user, ids in enumerate(found.ids):
            listed = set(ids[ids >= 0].tolist())
            assert listed == set(range(20)) - set(liked[[user]].indices.tolist())

    def test_who_likes_everything_gets_nothing(self) -> None:
        liked = csr_array(floats([[1, 1], [0, 1]]))
        found = recommend(Factors(floats([[1], [1]]), floats([[1], [2]])), liked, n=2)
        assert found.ids.tolist() == [[-1], [0]]

    def test_untrained_users_get_nothing_and_untrained_items_are_on_no_list(self) -> None:
        factors = Factors(floats([[1, 0], [0, 0]]), floats([[0, 0], [-1, 0], [0, 5]]))
        found = recommend(factors, nothing_liked(2, 3), n=3)
        assert found.ids.tolist() == [[2, 1], [-1, -1]]


def test_equal_scores_stand_in_the_order_of_their_ids() -> None:
    factors = Factors(floats([[1]]), floats([[1], [2], [1], [2]]))
    assert recommend(factors, nothing_liked(1, 4), n=4).ids.tolist() == [[1, 3, 0, 2]]


def test_blocks_do_not_change_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    factors, liked = random_factors(37, 23), random_liked(37, 23)
    whole = nearest(factors.users, n=10), recommend(factors, liked, n=10)
    monkeypatch.setattr(top_n_module, "BLOCK_BYTES", 4 * 37 * 5)  # five rows of users at once: 37 is no multiple
    blocks = nearest(factors.users, n=10), recommend(factors, liked, n=10)
    for expected, found in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


@pytest.mark.parametrize("columns", [30, 100, 1000, 5003])
@pytest.mark.parametrize("kind", ["distinct", "some equal", "most equal", "few candidates", "none"])
def test_the_best_are_those_that_sorting_everything_puts_first(columns: int, kind: str) -> None:
    stream = np.random.default_rng(columns)
    scores = floats(stream.normal(size=(23, columns)))
    if kind == "some equal":
        scores = np.round(scores, 2)
    elif kind == "most equal":
        scores[stream.random(scores.shape) < 0.99] = 0
    elif kind == "few candidates":
        scores[:, 3:] = -np.inf
    elif kind == "none":
        scores[:] = -np.inf
    found = top_n(lambda start, stop: scores[start:stop].copy(), 23, columns, 7)
    sorted_scores = -np.sort(-scores, axis=1)[:, :7]
    expected = np.where(np.isneginf(sorted_scores), np.nan, sorted_scores)[:, : found.scores.shape[1]]
    np.testing.assert_array_equal(found.scores, expected)
    for row, (ids, values) in enumerate(zip(found.ids, found.scores, strict=True)):
        listed = ids[ids >= 0].tolist()
        assert len(set(listed)) == len(listed) == np.isfinite(values).sum()
        assert scores[row, listed].tolist() == values[: len(listed)].tolist()
        assert listed == sorted(listed, key=lambda each: (-scores[row, each], each))
        candidates = np.flatnonzero(np.isfinite(scores[row])).tolist()  # of those as good as the last, the first ones
        assert listed == sorted(candidates, key=lambda each: (-scores[row, each], each))[:7]


class TestFrame:
    LISTS = Lists(
        np.array([[2, 0, -1], [-1, -1, -1], [1, 0, 3], [0, -1, -1]], dtype=np.int32),
        floats([[0.5, 0.25, np.nan], [np.nan] * 3, [3, 2, 1], [1, np.nan, np.nan]]),
    )

    def test_it_has_a_row_for_each_entry_and_none_for_the_filling(self) -> None:
        assert self.LISTS.frame("neighbour").to_dict("list") == {
            "index": [0, 0, 2, 2, 2, 3],
            "rank": [1, 2, 1, 2, 3, 1],
            "neighbour": [2, 0, 1, 0, 3, 0],
            "score": [0.5, 0.25, 3, 2, 1, 1],
        }

    @pytest.mark.parametrize("lists", [LISTS, Lists(np.full((2, 1), -1, dtype=np.int32), floats([[np.nan]] * 2))])
    def test_from_frame_is_its_inverse(self, lists: Lists) -> None:
        back = Lists.from_frame(lists.frame("item"), "item", len(lists.ids))
        np.testing.assert_array_equal(back.ids, lists.ids)
        np.testing.assert_array_equal(back.scores, lists.scores)
        assert (back.ids.dtype, back.scores.dtype) == (np.int32, np.float32)

    def test_the_order_of_the_frame_s_rows_does_not_matter(self) -> None:
        frame = self.LISTS.frame("item").sample(frac=1, random_state=0)
        np.testing.assert_array_equal(Lists.from_frame(frame, "item", 4).ids, self.LISTS.ids)


class TestAgainstImplicit:
    @pytest.fixture(scope="class")
    def liked(self) -> csr_array:
        return random_liked(30, 20)

    @pytest.fixture(scope="class")
    def model(self, liked: csr_array) -> AlternatingLeastSquares:
        with threadpoolctl.threadpool_limits(1):
            model = AlternatingLeastSquares(factors=4, iterations=5, random_state=1)
            model.fit(csr_matrix(liked), show_progress=False)
        return model

    @pytest.mark.parametrize("side", ["user", "item"])
    def test_neighbours_are_its_own_without_itself(self, model: AlternatingLeastSquares, side: str) -> None:
        factors = getattr(model, f"{side}_factors")
        entities = np.arange(len(factors))
        ids, scores = getattr(model, f"similar_{side}s")(entities, N=7)
        found = nearest(factors, n=6)
        for entity in entities:
            others = ids[entity] != entity
            assert found.ids[entity].tolist() == ids[entity][others].tolist()
            np.testing.assert_allclose(found.scores[entity], scores[entity][others], rtol=1e-4, atol=1e-6)

    def test_recommendations_are_its_own(self, model: AlternatingLeastSquares, liked: csr_array) -> None:
        ids, scores = model.recommend(np.arange(30), csr_matrix(liked), N=5)
        found = recommend(Factors(model.user_factors, model.item_factors), liked, n=5)
        np.testing.assert_array_equal(found.ids, ids)
        np.testing.assert_allclose(found.scores, scores, rtol=1e-4, atol=1e-6)
