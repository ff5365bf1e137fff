"""The section Explore of the report: the lists of any user or item, in a page that loads nothing."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.comparison.agreement import SIDES, RunLists
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions
from tasks.core.formatting import enumerated
from tasks.core.models.seeds import run_seed
from tasks.core.ranking.entities import Entities
from tasks.core.types import Ids
from tasks.reporting.explore.page_data import KEPT, page_data

MOST_ENTITIES = 5000
"""Most users, and most items, that can be chosen."""
MOST_BYTES = 8_000_000
"""Most bytes of the data in the page. The figures and tables of a report take up to two million more."""
_LEVEL = 4
"""Of the compression: several times faster than zlib's default, 6, and less than a tenth larger."""


def explore_section(
    lists: Mapping[str, Sequence[RunLists]],
    interactions: Interactions,
    entities: Mapping[str, Entities],
    config: ExperimentConfig,
) -> str:
    """Return the section of the report in which a reader looks up users and items.

    It has the lists of all users and items of the comparison, or of a random sample with the queried ones, where they
    are more than `MOST_ENTITIES` or take more than `MOST_BYTES`.

    Parameters
    ----------
    lists : mapping of model to sequence of RunLists
        The lists that are compared, one element for each replicate.
    interactions : Interactions
        What the models were fitted on; without stored values for lists that others made.
    entities : mapping of str to Entities
        The `users` and the `items` that have lists.
    config : ExperimentConfig
        The experiment.

    Returns
    -------
    str
        HTML with its style, data and script. Empty if not even a single user fits.
    """
    sides = {SIDES[target] for target in next(iter(lists.values()))[0].targets}
    size = _first_size(interactions, len(lists), config)
    while size:
        chosen = {side: choose(entities[side], _queried(config, side), config.seed, side, size) for side in sides}
        data = page_data(lists, interactions, entities, chosen, lengths=_lengths(config))
        data |= {
            "start": {side: next(iter(_queried(config, side)), None) for side in sides},
            "replicate": "file" if config.from_files else "seed",
            "value": "rating" if config.preprocess.confidence == "rating" else "confidence",
            "left_out": _left_out(chosen, entities),
        }
        packed = pack(data)
        if len(packed) <= MOST_BYTES:
            return _html(packed)
        size //= 2
    return ""


def choose(entities: Entities, queried: Sequence[int], seed: int, side: str, size: int) -> Ids:
    """Return the users or items that a reader can choose: all, or the queried ones and a random sample of the others.

    Parameters
    ----------
    entities : Entities
        Those that have lists.
    queried : sequence of int
        Indexes of the queries, which come first where not all can be taken.
    seed : int
        Root seed of the experiment.
    side : str
        `users` or `items`: the samples of both are independent.
    size : int
        Most that are chosen. The sample of a smaller size is a part of that of a larger one.

    Returns
    -------
    (E,) int32
        Their indexes, ascending.
    """
    if len(entities.rows) <= size:
        return entities.rows
    generator = np.random.default_rng(run_seed(seed, "", 0, f"explore {side}"))
    shuffled = generator.permutation(entities.rows)
    first = np.array(queried, dtype=np.int32)
    return np.sort(np.concatenate([first, shuffled[~np.isin(shuffled, first)]])[:size]).astype(np.int32)


def pack(data: Mapping[str, Any]) -> str:
    """Return data as text for a page, which reads it with `atob` and `DecompressionStream("deflate")`.

    Parameters
    ----------
    data : mapping
        What JSON can represent.

    Returns
    -------
    str
        JSON, compressed by zlib (RFC 1950), in Base64: no markup, whatever the data are.
    """
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), _LEVEL)).decode()


def _first_size(interactions: Interactions, n_models: int, config: ExperimentConfig) -> int:
    """Return how many users to try first: so few that their histories and their neighbours' may fit.

    An interaction takes about a byte. Data that cannot fit are not made, because they take memory.
    """
    number, size = interactions.matrix.nnz, MOST_ENTITIES
    per_chosen = number / max(1, interactions.matrix.shape[0]) * (1 + n_models * KEPT * config.queries.n)
    while min(number, size * per_chosen) > MOST_BYTES:
        size //= 2
    return size


def _queried(config: ExperimentConfig, side: str) -> list[int]:
    """Return the users or items that the config queries, each once, in its order."""
    queries = config.queries
    return list(dict.fromkeys([*queries.users, *queries.recommend_for] if side == "users" else queries.items))


def _lengths(config: ExperimentConfig) -> dict[str, int]:
    """Return the length of each replicate's list by target."""
    return {"users": config.queries.n, "items": config.queries.n, "recommendations": config.queries.recommend_n}


def _left_out(chosen: Mapping[str, Ids], entities: Mapping[str, Entities]) -> str:
    """Return a sentence on the users and items that cannot be chosen; empty if all can."""
    sizes = {side: (len(rows), entities[side].candidates or entities[side].population) for side, rows in chosen.items()}
    if all(rows == number for rows, number in sizes.values()):
        return ""
    parts = [f"{rows:,} of {number:,} {side}" for side, (rows, number) in sorted(sizes.items(), reverse=True)]
    is_sample = any(len(rows) < entities[side].population for side, rows in chosen.items())
    which = "a random sample, with those that the config queries" if is_sample else "the others have no lists"
    return f"{enumerated(parts)} can be chosen: {which}."


def _html(packed: str) -> str:
    """Return the section with its data."""
    css, html, lists, search = (
        Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("explore.css", "explore.html", "lists.js", "search.js")
    )
    embedded = f'<script type="text/plain" id="explore-data">{packed}</script>'
    return f'<style>\n{css}</style>\n{html}{embedded}\n<script type="module">\n{lists}\n{search}</script>\n'
