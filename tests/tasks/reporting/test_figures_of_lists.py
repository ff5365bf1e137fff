"""Figures of lists and of their overlaps: what they say in words, and the map of the runs."""

from xml.etree import ElementTree

import numpy as np
import pytest

from tasks.core.comparison.agreement import Curve
from tasks.core.comparison.query_lists import Entry, QueryLists
from tasks.core.comparison.run_matrix import Matrix
from tasks.reporting.figures_of_lists import _classical_scaling, _clear_offsets, draw_candidates, draw_depths, draw_runs

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


def test_candidates_have_the_shares_of_both_models() -> None:
    drawing = draw_candidates(QUERY, "a", "b")
    assert drawing.name == "candidates-user_3"
    assert "1 (id u1): 100% and 25%" in drawing.alt
    assert "2 (id u2): 50% and 0%" in drawing.alt
    assert "4 (id <b>&): 0% and 100%" in drawing.alt
    assert drawing.svg.startswith("<svg")
    assert "<b>" not in drawing.svg  # an id is text, even if it is markup


def test_equal_lists_give_equal_bytes() -> None:
    assert draw_candidates(QUERY, "a", "b").svg == draw_candidates(QUERY, "a", "b").svg


def test_runs_have_the_mean_overlap_within_each_model() -> None:
    overlap = [[1, 0.8, 0.2], [0.8, 1, 0.4], [0.2, 0.4, 1]]
    matrix = Matrix("users", 5, ["a #0", "a #1", "b #0"], overlap)
    drawing = draw_runs(matrix, owners=["a", "a", "b"], models=["a", "b"])
    assert drawing.name == "runs-users"
    assert drawing.alt == "Mean overlap of two runs of the same model. a: 0.800; b: one run."


def test_the_model_of_a_run_is_not_read_from_its_label() -> None:
    matrix = Matrix("users", 5, ["x #0", "x #1"], [[1, 0.5], [0.5, 1]])
    drawing = draw_runs(matrix, owners=["a #0", "a #0"], models=["a #0"])
    assert drawing.alt == "Mean overlap of two runs of the same model. a #0: 0.500."


def test_depths_have_every_line() -> None:
    pairs = {("a", "a"): 0.9, ("b", "b"): 0.8, ("a", "b"): 0.3}
    curves = [Curve("users", *pair, [value, value + 0.01, value], [0.01] * 3) for pair, value in pairs.items()]
    drawing = draw_depths(curves, "users", "a", "b")
    assert "within a: 0.900 at 1, 0.910 at 2; within b: 0.800 at 1, 0.810 at 2" in drawing.alt
    assert "between a and b: 0.300 at 1, 0.310 at 2; chance: 0.010 at 1" in drawing.alt


def test_scaling_reproduces_distances_on_a_plane() -> None:
    points = np.random.default_rng(1).normal(size=(7, 2))
    squared_distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    scaled = _classical_scaling(squared_distances)
    assert ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2) == pytest.approx(squared_distances)


def test_scaling_of_a_single_run_is_a_single_point() -> None:
    assert _classical_scaling(np.zeros((1, 1))).tolist() == [[0, 0]]


def test_dollar_signs_and_control_characters_of_titles_are_text() -> None:
    entries = [Entry(1, "u1", "$x_1$ \\frac", 1.0, 1.0, 0.9), Entry(2, "\x1b[31m\x00", "", 0.5, 2.0, 0.8)]
    drawing = draw_candidates(QueryLists("user_3", "users", 3, "u3", "", 2, {"a": entries, "b": entries}), "a", "b")
    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(drawing.svg).iter()]
    assert r"1 $x_1$ \frac" in texts
    assert r"2 (id \x1b[31m\x00)" in texts


def test_runs_at_one_point_of_the_map_are_counted() -> None:
    """Three runs of b give one list, which no run of a shares; the runs of a differ."""
    overlap = np.eye(5)
    overlap[2:, 2:] = 1
    drawing = draw_runs(Matrix("users", 5, [], overlap.tolist()), owners=["a", "a", "b", "b", "b"], models=["a", "b"])
    assert drawing.alt.endswith(" At one point of the map: 3 runs of b coincide.")
    assert ">3 runs</text>" in drawing.svg
    apart = draw_runs(Matrix("users", 5, [], np.eye(3).tolist()), owners=["a", "a", "b"], models=["a", "b"])
    assert "coincide" not in apart.alt


def test_without_a_second_run_no_overlap_within_a_model_is_named() -> None:
    curves = [Curve("users", *pair, [0.3] * 3 if pair == "ab" else [], [0.01] * 3) for pair in ("aa", "ab", "bb")]
    drawing = draw_depths(curves, "users", "a", "b")
    assert drawing.alt.startswith("Mean overlap. between a and b: 0.300 at 1")
    assert "within" not in drawing.svg


@pytest.mark.parametrize("size", [(300, 220), (260, 260)])
def test_a_count_on_the_map_covers_no_marker_and_no_other_count(size: tuple[int, int]) -> None:
    """Of random maps, on a wide page and on a phone, texts right beside their places would cover markers."""
    generator = np.random.default_rng(3)
    for _ in range(200):
        points = generator.normal(size=(8, 2))
        scale = np.min(size / (1.3 * np.ptp(points, axis=0)))
        middles = points[:2] * scale + _clear_offsets(points[:2], points)
        of_markers = np.abs(points * scale - middles[:, None]) < (20, 6)
        assert not of_markers.all(axis=2).any()
        assert (np.abs(middles[0] - middles[1]) >= (40, 12)).any()
        frame = np.array(size) / 2 - (20, 6)
        assert (np.abs(middles - (points.max(axis=0) + points.min(axis=0)) * scale / 2) <= frame).all()
