"""Excess disagreement user by user."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from tasks.core.comparison import per_user as module
from tasks.core.comparison.per_user import BINS, PerUser, per_user
from tasks.core.ranking.entities import Entities


def test_users_whose_lists_change_are_significant():
    """The lists of users 0 to 4 are different under b, those of users 5 to 9 are not."""
    rng = np.random.default_rng(2)
    same = rng.permuted(np.tile(np.arange(20, dtype=np.int32), (10, 1)), axis=1)[:, :4]
    changed = same.copy()
    changed[:5] += 50
    lists = {"a": [same] * 5, "b": [changed] * 5}
    result = per_user(
        lists, "a", "b", n=4, activity=np.arange(10, 0, -1), entities=Entities.all(10), queries=[3, 7], seed=1
    )
    assert result.users == 10
    assert result.significant == 0.5  # p is 1/126 each, and twice that after the adjustment
    assert result.queries == {"user_3": 4.0, "user_7": 0.0}
    assert sum(result.counts) == 10
    assert (len(result.edges), len(result.counts)) == (BINS + 1, BINS)
    replaced = [4] * 5 + [0] * 5  # the active users' lists change
    assert result.activity == pytest.approx(spearmanr(replaced, np.arange(10, 0, -1)).statistic)
    assert result.least_adjusted == 1 / 126


def test_the_users_who_differ_are_counted_in_words():
    result = PerUser(5, "a", "b", 1200, [], [], (0.5, 1.25, 2.0), 0.5, 0.01, -0.25, {})
    assert result.sentence("beyond seed variance") == (
        "Per user, a against b: the median user has 1.25 of 5 neighbours replaced beyond seed variance. A permutation"
        " test for each user finds a difference for 600 of 1,200 users, at a false discovery rate of 5%. The rank"
        " correlation of n·Δ with the number of a user's interactions is -0.25."
    )


def test_seeds_that_can_show_nothing_of_a_single_user_are_said_to():
    """With three seeds per model p is 1/10 at best, with four 1/35."""
    result = PerUser(5, "a", "b", 1200, [], [], (0.5, 1.25, 2.0), 0.0, 0.1, None, {})
    assert result.sentence("beyond seed variance").endswith(
        " With so few seeds no single user can be significant, however different the lists are: the smallest p that"
        " the test can reach is 0.100 (level 0.05); four seeds per model can reach the level."
    )


def test_without_any_change_there_is_no_correlation():
    runs = [np.array([[1, 2], [0, 2], [0, 1]], dtype=np.int32)] * 3
    lists = {"a": runs, "b": runs}
    result = per_user(lists, "a", "b", n=2, activity=np.array([1, 2, 3]), entities=Entities.all(3), queries=[], seed=1)
    assert result.activity is None


def test_of_many_users_a_sample_and_the_queried_users_are_tested(monkeypatch):
    monkeypatch.setattr(module, "MOST_USERS", 3)
    rng = np.random.default_rng(4)
    runs = [rng.permuted(np.tile(np.arange(6, dtype=np.int32), (50, 1)), axis=1)[:, :3] for _ in range(6)]
    lists = {"a": runs[:3], "b": runs[3:]}
    sample = np.random.default_rng(1).choice(50, 3, replace=False)
    queried = next(user for user in range(50) if user not in sample)
    result = per_user(
        lists, "a", "b", n=3, activity=np.arange(50), entities=Entities.all(50), queries=[queried], seed=1
    )
    assert result.users == 4
    everybody = per_user(
        {model: [run[[queried]] for run in runs] for model, runs in lists.items()},
        "a",
        "b",
        n=3,
        activity=np.array([1]),
        entities=Entities.all(1),
        queries=[0],
        seed=1,
    )
    assert result.queries == {f"user_{queried}": everybody.queries["user_0"]}
