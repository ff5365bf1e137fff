"""Endpoints and their family."""

from tasks.core.comparison.endpoints import Endpoint, count_tests, endpoints, family_size
from tests.core.comparison.examples import config_of


def endpoints_of(*models: str, **changes: object) -> list[Endpoint]:
    config = config_of(list(models), **changes)
    return list(endpoints(config.queries, config.comparison))


def test_endpoints_are_queried_users_all_users_items_and_recommendations_then_the_other_queries():
    rows = endpoints_of("a", "b")
    assert [(endpoint.target, endpoint.n, endpoint.family, endpoint.margin) for endpoint in rows] == [
        ("user_1", 3, True, 0.2),
        ("users", 3, True, 0.1),
        ("items", 3, True, 0.1),
        ("recommendations", 2, True, 0.1),
        ("item_2", 3, False, 0.2),
        ("recommend_for_0", 2, False, 0.2),
    ]
    assert [endpoint.subject for endpoint in rows] == [
        "the 3 users nearest to user 1",
        "every user's 3 nearest users",
        "every item's 3 nearest items",
        "every user's 2 recommendations",
        "the 3 items nearest to item 2",
        "the 2 recommendations for user 0",
    ]


def test_only_the_lists_that_are_compared_have_endpoints():
    config = config_of(["a", "b"], queries={"users": [1]})
    rows = list(endpoints(config.queries, config.comparison, targets=["users"], trained=False))
    assert [endpoint.target for endpoint in rows] == ["user_1", "users"]
    assert {endpoint.steadier_lists for endpoint in rows} == {
        "Longer training, or lists that are merged from several seeds"
    }


def test_lists_consist_of_neighbours_or_recommendations():
    entries = [endpoint.entries for endpoint in endpoints_of("a", "b")]
    assert entries == ["neighbours"] * 3 + ["recommendations", "neighbours", "recommendations"]


def test_margins_come_from_the_config():
    rows = endpoints_of("a", "b", comparison={"margin": 0.05, "margin_query": 0.4})
    assert [endpoint.margin for endpoint in rows] == [0.4, 0.05, 0.05, 0.05, 0.4, 0.4]


def test_the_family_has_four_endpoints_for_each_model_besides_the_baseline():
    assert family_size(config_of(["a"])) == family_size(config_of(["a", "b"])) == 4
    assert family_size(config_of(["a", "b", "c"])) == count_tests(endpoints_of("a", "b", "c"), 3) == 8
