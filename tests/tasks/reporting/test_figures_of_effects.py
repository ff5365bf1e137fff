"""Figures of the disagreement beyond seed variance: what they say in words."""

from tasks.core.comparison.agreement import OtherSimilarity
from tasks.core.comparison.per_user import PerUser
from tasks.reporting.figures_of_effects import draw_similarities, draw_users
from tests.tasks.reporting.small_result import small_result


def test_both_similarities_of_each_kind_of_lists_are_named() -> None:
    answers = small_result().answers
    drawing = draw_similarities(answers, "factors", [OtherSimilarity("users", "scores", 5, "a", "b", 0.75, None, 0.5)])
    assert drawing.alt == (
        "Within a, within b, and between. users @5, factors: 0.900, 0.400, between 0.250; "
        "users @5, scores: 0.750, -, between 0.500."
    )
    assert "within a" in drawing.svg


def test_users_have_quartiles_and_the_queries() -> None:
    per_user = PerUser(5, "a", "b", 3, [0, 1, 2], [1, 2], (0.5, 1.0, 1.5), 0.3, 0.01, None, {"user_3": 1.25})
    drawing = draw_users(per_user, "beyond seed variance")
    assert drawing.alt == "3 users; median 1.00, quartiles 0.50 and 1.50. user_3: 1.2."
    assert drawing.title == "How many of 5 neighbours of each user are replaced beyond seed variance"
