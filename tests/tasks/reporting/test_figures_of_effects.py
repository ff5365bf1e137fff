"""Figures of the disagreement beyond seed variance: what they say in words."""

from tasks.core.comparison.per_user import PerUser
from tasks.reporting.figures_of_effects import draw_users


def test_users_have_quartiles_and_the_queries() -> None:
    per_user = PerUser(5, "a", "b", 3, [0, 1, 2], [1, 2], (0.5, 1.0, 1.5), 0.3, 0.01, None, {"user_3": 1.25})
    assert draw_users(per_user).alt == "3 users; median 1.00, quartiles 0.50 and 1.50. user_3: 1.2."
