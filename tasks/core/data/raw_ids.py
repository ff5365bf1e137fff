"""The indexes of users and items that a config names by their own ids."""

from collections.abc import Sequence
from itertools import islice

from tasks.core.config.queries import QueriesConfig
from tasks.core.data.interactions import Interactions
from tasks.core.errors import ConfigError
from tasks.core.formatting import did_you_mean, examples, shortened

_MOST_SUGGESTED_FROM = 100_000
"""Ids among which a similar one is looked for; each takes microseconds."""
_MOST_REPORTED = 5
"""Unknown ids in one message."""


def resolve_raw_ids(queries: QueriesConfig, interactions: Interactions) -> QueriesConfig:
    """Return queries of indexes only.

    Parameters
    ----------
    queries : QueriesConfig
        Indexes and ids. Ids are compared as text.
    interactions : Interactions
        The data.

    Returns
    -------
    QueriesConfig

    Raises
    ------
    ConfigError
        If the data do not have an id. The message names the first five such ids, each with the most similar one.
    """
    problems: list[str] = []
    index_of: dict[str, dict[str, int]] = {}
    for key, raw_ids in queries.raw_ids().items():
        kind = "item" if key == "items" else "user"
        ids = list(map(str, (interactions.item_ids if kind == "item" else interactions.user_ids).tolist()))
        wanted = {str(raw_id) for raw_id in raw_ids}
        index_of[key] = {text: index for index, text in enumerate(ids) if text in wanted}
        unknown = [text for text in dict.fromkeys(map(str, raw_ids)) if text not in index_of[key]]
        problems += [_unknown(key, kind, text, ids) for text in unknown[: _MOST_REPORTED - len(problems)]]
    if problems:
        raise ConfigError("\n".join(problems))
    return queries.with_indexes(index_of)


def _unknown(key: str, kind: str, text: str, ids: Sequence[str]) -> str:
    return (
        f"queries.{key}: found the id {shortened(text)}, which is that of no {kind} after filtering; the {len(ids):,} "
        f"{kind}s have ids such as {examples(ids)}{did_you_mean(text, islice(ids, _MOST_SUGGESTED_FROM))}"
    )
