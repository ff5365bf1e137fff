"""Reference recommenders, by their definitions."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import EASE, ITEM_KNN, POPULARITY, RANDOM, REFERENCES
from tasks.core.models.reference_recommenders import CANDIDATES, RECOMMENDERS, USUAL, n_candidates
from tasks.core.ranking.evaluation import evaluate
from tasks.core.ranking.recommendations import exclude
from tests.core.models.examples import two_blocks


def test_every_reserved_name_has_a_recommender() -> None:
    assert tuple(RECOMMENDERS) == REFERENCES == ("popularity", "item-knn", "ease", "random")


@pytest.mark.parametrize("name", CANDIDATES)
def test_each_setting_to_choose_from_gives_the_scores_of_a_fit_with_it(name: str) -> None:
    rng = np.random.default_rng(0)
    confidences = rng.uniform(1, 5, (60, 40)) * (rng.random((60, 40)) < 0.3)  # no two similarities are equal
    train = csr_array(confidences.astype(np.float32))
    tried = []
    for settings, scores in CANDIDATES[name](train, train):
        fitted = RECOMMENDERS[name](train, train, 0, **settings)
        of_others = exclude(fitted, train)(0, 60)  # an item's similarity with itself counts for known items only
        np.testing.assert_allclose(exclude(scores, train)(0, 60), of_others, rtol=1e-5, atol=1e-6)
        tried.append(settings)
    assert len(tried) == n_candidates(name, 40)
    assert USUAL[name] in tried
    assert len({tuple(settings.values()) for settings in tried}) == len(tried)


@pytest.mark.parametrize("name", REFERENCES)
def test_a_block_has_a_row_of_scores_for_each_user(name: str) -> None:
    scores = RECOMMENDERS[name](two_blocks().train, two_blocks().known, 1)
    assert scores(3, 10).shape == (7, 40)
    assert scores(3, 10).dtype == np.float32


def test_those_that_learn_recognise_two_blocks_and_the_others_do_not() -> None:
    split = two_blocks()
    auc = {
        name: evaluate(recommender(split.train, split.known, 1), split, (5,)).means()["auc"]
        for name, recommender in RECOMMENDERS.items()
    }
    assert min(auc[ITEM_KNN], auc[EASE]) > 0.7
    assert max(auc[POPULARITY], auc[RANDOM]) < 0.7
    assert abs(auc[RANDOM] - 0.5) < 0.1


def test_popularity_is_the_number_of_users() -> None:
    train = csr_array(np.array([[5, 1, 0], [4, 0, 0]], dtype=np.float32))
    assert RECOMMENDERS[POPULARITY](train, train, 0)(0, 2).tolist() == [[2, 1, -np.inf]] * 2


def test_users_without_interactions_get_no_scores_from_those_that_learn() -> None:
    train = csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32))
    for name in (ITEM_KNN, EASE):
        assert np.isneginf(RECOMMENDERS[name](train, train, 0)(2, 3)).all()


def test_items_without_users_have_no_scores() -> None:
    train = csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32))
    for recommender in RECOMMENDERS.values():
        assert np.isneginf(recommender(train, train, 0)(0, 1)[0, 2])


def test_random_scores_depend_on_the_seed_alone() -> None:
    train = two_blocks().train
    first, repeated, different = (RECOMMENDERS[RANDOM](train, train, seed)(0, 5) for seed in (1, 1, 2))
    assert (first == repeated).all()
    assert (first != different).any()


def test_a_user_who_is_held_out_gets_the_scores_of_a_trained_user_with_the_same_interactions() -> None:
    """The last user has no interactions in the train part, and those of the first are visible."""
    dense = (np.random.default_rng(1).random((30, 8)) < 0.4).astype(np.float32) * 3
    dense[-1] = 0
    train = csr_array(dense)
    dense[-1] = dense[0]
    known = csr_array(dense)
    for name in (POPULARITY, ITEM_KNN, EASE):
        scores = RECOMMENDERS[name](train, known, 0)(0, 30)
        assert (scores[-1] == scores[0]).all(), name
        assert np.isfinite(scores[-1]).any(), name
        # the visible interactions change nobody else's scores
        assert (scores[:-1] == RECOMMENDERS[name](train, train, 0)(0, 29)).all(), name
