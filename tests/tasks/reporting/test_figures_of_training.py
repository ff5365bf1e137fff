"""Figures of what changes along the iterations: what they say in words."""

from tasks.reporting.figures_of_training import draw_list_stability, draw_objective


def test_an_objective_of_a_single_iteration_is_drawn() -> None:
    assert "a: 5 after iteration 1, 5 after 1" in draw_objective({"a": [(1, 5.0)]}).alt


def test_list_stability_has_every_snapshot() -> None:
    assert draw_list_stability({"a": [(1, 0.25), (5, 1.0)]}).alt == "a: 0.25 at 1, 1.00 at 5."
