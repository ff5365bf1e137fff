"""The users and items whose lists are made."""

import numpy as np
import pytest

from tasks.core.ranking.entities import Entities


def drawn(number: int = 1000, size: int | None = 100, seed: int = 1, side: str = "users") -> Entities:
    return Entities.draw(number, size, queries=(), seed=seed, side=side)


def test_a_sample_has_its_size_and_is_distinct_and_ascending() -> None:
    sample = drawn()
    assert (len(sample.rows), sample.n_drawn, sample.population) == (100, 100, 1000)
    assert (np.diff(sample.rows) > 0).all()
    assert sample.rows[0] >= 0
    assert sample.rows[-1] < 1000
    assert sample.rows.dtype == np.int32
    assert not sample.are_all


def test_queries_are_added_and_are_not_drawn() -> None:
    plain = drawn()
    inside, outside = int(plain.rows[3]), int(np.setdiff1d(np.arange(1000), plain.rows)[7])
    sample = Entities.draw(1000, 100, queries=(outside, inside), seed=1, side="users")
    np.testing.assert_array_equal(sample.rows[sample.drawn], plain.rows)
    np.testing.assert_array_equal(sample.rows[~sample.drawn], [outside])
    assert (np.diff(sample.rows) > 0).all()
    assert (sample.n_drawn, sample.are_all) == (100, False)


def test_one_seed_draws_one_sample() -> None:
    np.testing.assert_array_equal(drawn().rows, drawn().rows)


@pytest.mark.parametrize("other", [drawn(seed=2), drawn(side="items")], ids=["seed", "side"])
def test_another_seed_and_the_other_side_have_samples_of_their_own(other: Entities) -> None:
    """Two independent samples of 100 of 1000 share about 10."""
    assert len(np.intersect1d(drawn().rows, other.rows)) < 30


@pytest.mark.parametrize("size", [None, 6, 7, 10_000])
def test_a_sample_of_as_many_as_there_are_is_all(size: int | None) -> None:
    entities = Entities.draw(6, size, queries=[2], seed=1, side="users")
    np.testing.assert_array_equal(entities.rows, np.arange(6))
    assert entities.are_all
    assert entities.n_drawn == entities.population == 6


def test_a_sample_and_queries_that_include_everybody_are_not_all() -> None:
    """Means are over those that were drawn, although everybody has a list."""
    entities = Entities.draw(3, 2, queries=[0, 1, 2], seed=1, side="users")
    assert (entities.rows.tolist(), entities.n_drawn, entities.are_all) == ([0, 1, 2], 2, False)


def test_every_user_is_drawn_equally_often() -> None:
    """4000 samples of 5 of 20: each is in 1000 of them, with a standard deviation of 27."""
    times = np.bincount(np.concatenate([drawn(20, 5, seed).rows for seed in range(4000)]), minlength=20)
    assert times.sum() == 20_000
    assert np.abs(times - 1000).max() < 5 * 27


def test_a_position_is_where_a_row_stands() -> None:
    sample = Entities.draw(1000, 100, queries=[421, 999], seed=1, side="users")
    assert [sample.rows[sample.position(index)] for index in (421, 999)] == [421, 999]
    assert [sample.position(index) for index in sample.rows.tolist()] == list(range(len(sample.rows)))


def test_values_of_the_sample_leave_out_queries_that_were_added() -> None:
    entities = Entities(np.array([1, 4, 8], dtype=np.int32), np.array([True, False, True]), 10)
    np.testing.assert_array_equal(entities.of_sample(np.array([[1, 2], [3, 4], [5, 6]])), [[1, 2], [5, 6]])


def test_values_of_all_are_not_copied() -> None:
    values = np.arange(4)
    assert Entities.all(4).of_sample(values) is values


def test_those_that_are_left_out_are_in_neither_the_sample_nor_what_it_was_drawn_from() -> None:
    entities = Entities(np.array([1, 3, 4, 7], np.int32), np.array([True, True, False, True]), 10)
    left_out = np.isin(np.arange(10), [0, 3, 4])
    left = entities.without(left_out)
    assert (left.rows.tolist(), left.drawn.tolist(), left.population) == ([1, 7], [True, True], 7)
    assert Entities.all(10).without(left_out).are_all
    assert Entities.all(10).without(left_out).position(7) == 4
