"""The section `queries`: users and items, each by its index or by its own id in the data set."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator, Field, StringConstraints, Tag

from tasks.core.config.base import Depth, Index, Section
from tasks.core.types import RawId


def _id_tag(value: object) -> str:
    return "number" if isinstance(value, int) else "text"


class QueryById(Section):
    """A user or an item by its own id, as the ratings file has it."""

    id: Annotated[
        Annotated[int, Tag("number")] | Annotated[str, StringConstraints(min_length=1), Tag("text")],
        Discriminator(_id_tag),
    ]
    """The id, such as 50 or u001."""


def _query_tag(value: object) -> str:
    return "by_id" if isinstance(value, dict | QueryById) else "index"


if TYPE_CHECKING:
    # Whatever reads a config after `tasks.preprocess.resolve_queries` sees indexes only.
    Queries = tuple[int, ...]
else:
    _Query = Annotated[Annotated[Index, Tag("index")] | Annotated[QueryById, Tag("by_id")], Discriminator(_query_tag)]
    Queries = Annotated[tuple[_Query, ...], Field(strict=False)]


class QueriesConfig(Section):
    """Users and items whose lists are shown and compared individually.

    Each is an index or an id. Users and items are numbered from 0, in order of their first appearance in the filtered
    data; `{"id": "u001"}` is the one that the ratings file calls u001.
    """

    users: Queries = ()
    """Users whose nearest users are shown. The main verdict is about the list of the first one, or about the lists of
    all users if there is none."""
    items: Queries = ()
    """Items whose nearest items are shown."""
    recommend_for: Queries = ()
    """Users whose recommendations are shown."""
    n: Depth = 5
    """Number of neighbours in a list."""
    recommend_n: Depth = 10
    """Number of recommendations in a list."""

    def raw_ids(self) -> dict[str, list[RawId]]:
        """Return the ids of the queries that are not indexes, by key: `users`, `items`, `recommend_for`."""
        return {
            key: [query.id for query in getattr(self, key) if isinstance(query, QueryById)]
            for key in ("users", "items", "recommend_for")
        }

    @property
    def has_raw_ids(self) -> bool:
        """Whether a query is an id, and not an index."""
        return any(self.raw_ids().values())

    def with_first_indexes(self) -> "QueriesConfig":
        """Return the queries with the first indexes in place of ids, for estimates that do without the data."""
        return self.with_indexes(
            {
                key: {str(raw_id): index for index, raw_id in enumerate(raw_ids)}
                for key, raw_ids in self.raw_ids().items()
            }
        )

    def with_indexes(self, index_of: dict[str, dict[str, int]]) -> "QueriesConfig":
        """Return the queries with indexes in place of ids.

        Parameters
        ----------
        index_of : dict of str to dict of str to int
            For each key, the index of each id of `raw_ids`, as text.

        Returns
        -------
        QueriesConfig
        """
        indexes = {
            key: tuple(
                index_of[key][str(query.id)] if isinstance(query, QueryById) else query for query in getattr(self, key)
            )
            for key in index_of
        }
        return self.model_copy(update=indexes)
