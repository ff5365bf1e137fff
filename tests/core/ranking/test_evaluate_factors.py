"""Evaluation of a trained model, whose held-out users are folded in first."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.evaluation import StrongSplit
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strong import hold_out_strongly
from tasks.core.models.als import fit
from tasks.core.models.factors import Factors
from tasks.core.ranking.evaluation import evaluate, evaluate_factors
from tasks.core.ranking.recommendations import preferences
from tests.core.models.examples import settings, two_blocks

CONFIG = settings(factors=2, iterations=10, regularization=1.0)


def strong_split() -> Split:
    """Even users like even items and odd users odd items; a fifth of the users is held out as a whole."""
    parts = two_blocks()
    return hold_out_strongly(parts.train + parts.test, StrongSplit(strategy="strong"), seed=1)


def test_users_are_recommended_what_goes_with_their_visible_items() -> None:
    """Without their visible interactions nothing is known of them, and they have no recommendations."""
    split = strong_split()
    factors = fit(split.train, CONFIG, seed=1)
    before = factors.users.copy()
    evaluation = evaluate_factors(factors, split, CONFIG, (15,))
    assert len(evaluation.users) == 12
    # a user has fewer than 15 candidates of the own block, and they come before all others
    assert evaluation.means()["recall_at_15"] == 1
    np.testing.assert_array_equal(factors.users, before)
    assert not before[evaluation.users].any()
    hidden = Split(split.train, split.test)
    assert evaluate_factors(factors, hidden, CONFIG, (15,)).means()["recall_at_15"] == 0


def test_a_hand_worked_example() -> None:
    """User 1 is held out with item 0 visible (c = 3), and the test item is item 2.

    With items (1, 0), (1, 1) and (0, -1) and λ = 1, YᵀCY + λI is (5 1; 1 3) with determinant 14, and YᵀCp is (3, 0).
    The user is (9, -3) / 14: item 1 scores 6/14 and item 2 3/14. Item 0, which scores 9/14, is known.
    """
    parts = ([[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [1.5, 0, 0]])
    train, test, visible = (csr_array(np.array(part, dtype=np.float32)) for part in parts)
    items = np.array([[1, 0], [1, 1], [0, -1]], dtype=np.float32)
    factors = Factors(np.array([[1, 1], [0, 0]], dtype=np.float32), items)
    config = settings(factors=2, alpha=2.0, regularization=1.0)
    means = evaluate_factors(factors, Split(train, test, visible), config, (1, 3)).means()
    assert (means["recall_at_1"], means["mrr_at_3"]) == (0, 0.5)  # the second of two candidates
    assert means["auc"] == 0
    # of the one user who was trained on, all have every item
    assert (means["novelty_at_1"], means["arp_at_1"]) == (0, 1)


def test_a_split_without_a_visible_part_is_evaluated_with_the_trained_users() -> None:
    split = two_blocks()
    factors = fit(split.train, CONFIG, seed=1)
    expected = evaluate(preferences(factors), split, (3, 5)).means()
    assert evaluate_factors(factors, split, CONFIG, (3, 5)).means() == expected


@pytest.mark.parametrize(
    "changes", [{}, {"orientation": "item_user"}, {"solver": "cholesky"}, {"acceleration": "balanced"}], ids=str
)
def test_users_who_are_held_out_have_factors_of_zeros_after_training(changes: dict[str, Any]) -> None:
    split = strong_split()
    trained = fit(split.train, settings(factors=2, iterations=3, **changes), seed=1)
    np.testing.assert_array_equal(np.any(trained.users, axis=1), np.diff(split.train.indptr) > 0)
