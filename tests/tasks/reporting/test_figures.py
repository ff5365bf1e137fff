"""Tests of the figures: what they say in words, and that they are the same each time."""

import numpy as np
import pytest

from tasks.core.comparison.agreement import Curve
from tasks.core.comparison.per_user import PerUser
from tasks.core.comparison.query_lists import Entry, QueryLists
from tasks.core.comparison.verdict import Matrix
from tasks.reporting import figures

QUERY = QueryLists(
    "user_3",
    "users",
    3,
    "u3",
    "",
    2,
    {
        "a": [Entry(1, "u1", "", 1.0, 1.0, 0.9), Entry(2, "u2", "", 0.5, 2.0, 0.8)],
        "b": [Entry(4, "<b>&", "", 1.0, 1.0, 0.9), Entry(1, "u1", "", 0.25, 2.0, 0.8)],
    },
)


def test_scaling_gives_back_distances_on_a_plane():
    points = np.random.default_rng(1).normal(size=(7, 2))
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    found = figures.scaled(squared)
    assert ((found[:, None] - found[None]) ** 2).sum(axis=2) == pytest.approx(squared)


def test_one_run_is_one_point():
    assert figures.scaled(np.zeros((1, 1))).tolist() == [[0, 0]]


def test_candidates_tell_the_shares_of_both_models():
    drawn = figures.candidates(QUERY, "a", "b")
    assert drawn.name == "candidates-user_3"
    assert "1 (id u1): 100% and 25%" in drawn.alt
    assert "2 (id u2): 50% and 0%" in drawn.alt
    assert "4 (id <b>&): 0% and 100%" in drawn.alt
    assert drawn.svg.startswith("<svg")
    assert "<b>" not in drawn.svg  # text, whatever it holds


def test_equal_figures_are_equal_bytes():
    assert figures.candidates(QUERY, "a", "b").svg == figures.candidates(QUERY, "a", "b").svg


def test_runs_tell_the_agreement_within_each_model():
    overlap = [[1, 0.8, 0.2], [0.8, 1, 0.4], [0.2, 0.4, 1]]
    drawn = figures.runs(Matrix("users", 5, ["a #0", "a #1", "b #0"], overlap), ["a", "b"])
    assert drawn.alt == "Mean overlap of two runs of one model. a: 0.800; b: 1.000."


def test_depths_tell_every_line():
    pairs = {("a", "a"): 0.9, ("b", "b"): 0.8, ("a", "b"): 0.3}
    rows = [Curve("users", *pair, [value, value + 0.01, value], [0.01] * 3) for pair, value in pairs.items()]
    drawn = figures.depths(rows, "users", "a", "b")
    assert "seeds of a: 0.900 at 1, 0.910 at 2; seeds of b: 0.800 at 1, 0.810 at 2" in drawn.alt
    assert "a against b: 0.300 at 1, 0.310 at 2; chance: 0.010 at 1" in drawn.alt


def test_users_mark_the_queries():
    found = PerUser(5, "a", "b", 3, [0, 1, 2], [1, 2], (0.5, 1.0, 1.5), 0.3, 0.01, None, {"user_3": 1.25})
    assert figures.users(found).alt == "3 users; median 1.00, quartiles 0.50 and 1.50. user_3: 1.2."


def test_an_objective_that_is_at_its_end_is_drawn():
    assert "a: 5 after iteration 1, 5 after 1" in figures.objective({"a": [(1, 5.0)]}).alt
