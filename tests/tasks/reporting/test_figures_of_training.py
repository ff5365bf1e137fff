"""Figures of what changes along the iterations: what they say in words."""

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
