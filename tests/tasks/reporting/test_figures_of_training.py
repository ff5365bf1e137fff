"""Figures of what changes along the iterations: what they say in words."""

import re
from itertools import pairwise
from xml.etree import ElementTree

from tasks.reporting.figures_of_training import draw_list_stability, draw_objective


def test_an_objective_of_a_single_iteration_is_drawn() -> None:
    assert "a: 5 after iteration 1, 5 after 1" in draw_objective({"a": [(1, 5.0)]}).alt


def test_an_objective_that_ends_at_zero_is_drawn_in_absolute_terms() -> None:
    drawing = draw_objective({"a": [(1, 2.0), (5, 0.0)], "b": [(1, 3000.0), (5, 0.00123)], "c": [(1, 1.0), (5, -1e-7)]})
    assert "a: 2 after iteration 1, 0 after 5; b: 3,000 after iteration 1, 0.00123 after 5; c: 1 " in drawing.alt
    assert "objective - final" in drawing.svg
    assert "/ final" not in drawing.svg


def test_list_stability_has_every_snapshot() -> None:
    assert draw_list_stability({"a": [(1, 0.25), (5, 1.0)]}).alt == "a: 0.25 at 1, 1.00 at 5."


def ticks(svg: str) -> list[str]:
    """Return the numbers on the x axis."""
    axis = svg.partition('<g id="matplotlib.axis_1">')[2].partition('<g id="matplotlib.axis_2">')[0]
    return re.findall(r">(\d+)</text>", axis)


def test_few_iterations_are_on_a_linear_axis_and_many_on_a_logarithmic_one() -> None:
    """Ticks of a linear axis are at equal distances."""
    few = ticks(draw_list_stability({"a": [(1, 0.25), (5, 0.5), (15, 1.0)]}).svg)
    assert len({int(after) - int(before) for before, after in pairwise(few)}) == 1
    assert ticks(draw_list_stability({"a": [(1, 0.25), (1500, 1.0)]}).svg) == ["1", "10", "100", "1000"]


def test_an_axis_of_iterations_has_whole_numbers_even_around_a_single_point() -> None:
    drawing = draw_objective({"a": [(1, 3.0), (5, 2.0)]})
    texts = ["".join(element.itertext()).strip() for element in ElementTree.fromstring(drawing.svg).iter()]
    assert "1" in texts
    assert not [text for text in texts if "." in text and text.replace(".", "").isdigit()]
