"""Endpoints: the sets of lists that get a verdict or a description."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tasks.core.comparison import query_lists
from tasks.core.comparison.agreement import TARGETS
from tasks.core.formatting import by_similarity
from tasks.core.ranking.similarity import FACTORS, SCORES

if TYPE_CHECKING:
    from tasks.core.config.experiment import ComparisonConfig, ExperimentConfig, ResampleConfig
    from tasks.core.config.queries import QueriesConfig


@dataclass(frozen=True)
class Endpoint:
    """A set of lists, of one entity or of all, that is judged as one.

    Attributes
    ----------
    target : str
        Its name in metrics: `users`, `items`, `recommendations`, or the name of a query.
    of : str
        Kind of the lists: `users`, `items` or `recommendations`.
    entity : int or None
        The query's user or item; None for all entities.
    n : int
        Length of the lists.
    family : bool
        Whether it gets a verdict: its p is adjusted together with those of the other endpoints of the family.
    margin : float
        The smallest Δ that matters, in units of overlap.
    similarity : str
        What neighbours are nearest by: `factors` or `scores`.
    dropped_fraction : float or None
        Fraction of the interactions that each run was fitted without; None for runs on all interactions.
    trained : bool
        Whether latentlab trained all of the models: their settings can then be changed here.
    """

    target: str
    of: str
    entity: int | None
    n: int
    family: bool
    margin: float
    similarity: str = FACTORS
    dropped_fraction: float | None = None
    trained: bool = True

    @property
    def subject(self) -> str:
        """The lists in words, such as `the 5 users nearest to user 10`."""
        if self.of == "recommendations":
            if self.entity is None:
                return f"every user's {self.n} recommendations"
            return f"the {self.n} recommendations for user {self.entity}"
        by = by_similarity(self.of, self.similarity)
        if self.entity is None:
            return f"every {self.of[:-1]}'s {self.n} nearest {self.of}{by}"
        return f"the {self.n} {self.of} nearest to {self.of[:-1]} {self.entity}{by}"

    @property
    def steadier_lists(self) -> str:
        """Settings with which two seeds give lists that are more alike, in words."""
        if not self.trained:
            return "Longer training, or lists that are merged from several seeds"
        if self.of == "recommendations" or self.similarity == SCORES:
            return "More iterations or acceleration: balanced"
        return "More iterations, acceleration: balanced, or similarity: scores"

    @property
    def entries(self) -> str:
        """What the lists consist of: `neighbours` or `recommendations`."""
        return "recommendations" if self.of == "recommendations" else "neighbours"


def endpoints(
    queries: "QueriesConfig",
    comparison: "ComparisonConfig",
    similarity: str = FACTORS,
    resample: "ResampleConfig | None" = None,
    targets: Collection[str] = TARGETS,
    *,
    trained: bool = True,
) -> Iterator[Endpoint]:
    """List the endpoints of an experiment.

    Parameters
    ----------
    queries : QueriesConfig
        The queried entities and the lengths of the lists.
    comparison : ComparisonConfig
        The margins.
    similarity : str
        What neighbours are nearest by: `factors` or `scores`.
    resample : ResampleConfig, optional
        What each run was fitted without.
    targets : collection of str
        Kinds of lists that are compared.
    trained : bool
        Whether latentlab trained all of the models.

    Yields
    ------
    Endpoint
        The family: the neighbours of each queried user, of all users, of all items, and all recommendations. Then the
        other queries, which are described only. The first endpoint is the primary one.
    """
    endpoint = partial(Endpoint, dropped_fraction=resample.fraction if resample else None, trained=trained)
    for user in queries.users:
        yield endpoint(f"user_{user}", "users", user, queries.n, True, comparison.margin_query, similarity)
    for target in ("users", "items"):
        if target in targets:
            yield endpoint(target, target, None, queries.n, True, comparison.margin, similarity)
    if "recommendations" in targets:
        yield endpoint("recommendations", "recommendations", None, queries.recommend_n, True, comparison.margin)
    for name, target, entity in query_lists.queries((), queries.items, queries.recommend_for):
        n = queries.recommend_n if target == "recommendations" else queries.n
        yield endpoint(name, target, entity, n, False, comparison.margin_query, similarity)


def family_size(config: "ExperimentConfig") -> int:
    """Return the number of p-values that are adjusted together: family endpoints times models besides the baseline."""
    return count_tests(list(endpoints(config.queries, config.comparison, targets=config.targets)), len(config.models))


def count_tests(endpoints: Sequence[Endpoint], models: int) -> int:
    """Count the p-values that are adjusted together.

    Parameters
    ----------
    endpoints : sequence of Endpoint
        All endpoints of the experiment.
    models : int
        Number of models, the baseline included.

    Returns
    -------
    int
        As for two models if there is only one.
    """
    return sum(endpoint.family for endpoint in endpoints) * max(models - 1, 1)
