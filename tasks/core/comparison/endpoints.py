"""The sets of lists that are judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.comparison.query_lists import queries

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig


@dataclass(frozen=True)
class Endpoint:
    """Lists that are judged as one.

    target : what the metrics call them: `users`, `items`, `recommendations`, or a query's name
    of : whose lists they are: `users`, `items` or `recommendations`
    entity : the query's user or item; None for all
    family : whether it is among the endpoints that decide
    margin : the Δ that matters, in units of overlap
    """

    target: str
    of: str
    entity: int | None
    n: int
    family: bool
    margin: float

    @property
    def subject(self) -> str:
        """The lists in words."""
        if self.entity is None:
            one, listed = {
                "users": ("user", "nearest users"),
                "items": ("item", "nearest items"),
                "recommendations": ("user", "recommendations"),
            }[self.of]
            return f"every {one}'s {self.n} {listed}"
        if self.of == "recommendations":
            return f"the {self.n} recommendations for user {self.entity}"
        return f"the {self.n} {self.of} nearest to {self.of[:-1]} {self.entity}"


def endpoints(config: "ExperimentConfig") -> Iterator[Endpoint]:
    """Each query user's neighbours, all users', all items', recommendations; then the other queries, described only.

    The first is the primary one.
    """
    asked, limits = config.queries, config.comparison
    for user in asked.users:
        yield Endpoint(f"user_{user}", "users", user, asked.n, True, limits.margin_query)
    yield Endpoint("users", "users", None, asked.n, True, limits.margin)
    yield Endpoint("items", "items", None, asked.n, True, limits.margin)
    yield Endpoint("recommendations", "recommendations", None, asked.recommend_n, True, limits.margin)
    for name, target, entity in queries((), asked.items, asked.recommend_for):
        n = asked.recommend_n if target == "recommendations" else asked.n
        yield Endpoint(name, target, entity, n, False, limits.margin_query)


def family_size(config: "ExperimentConfig") -> int:
    """How many tests p is adjusted over."""
    return sum(endpoint.family for endpoint in endpoints(config)) * max(len(config.models) - 1, 1)
