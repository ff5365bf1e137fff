"""Recommendations for somebody whom no model was trained on, by the items that this user has."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flows.cli.look_up.find_index import find_index
from tasks.core.comparison.query_lists import Entry, Named, merge
from tasks.core.config.als import AlsConfig
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError
from tasks.core.planning.runs import RunRef
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.recommendations import recommend_to_new_user
from tasks.tracking.lists import MEDIAN_CONFIDENCE, read_factors
from tasks.tracking.reading.fits import open_fits

if TYPE_CHECKING:
    from tasks.tracking.local_reader.types import StoredRun, StoreReader


@dataclass(frozen=True)
class NewUserLists:
    """Recommendations for somebody who has some items and is not among the users.

    Attributes
    ----------
    items : list of Named
        What this user has.
    confidence : float
        Of each of them, before alpha.
    n : int
        Length of each replicate's list.
    models : dict of model to list of Entry
        Entries that most replicates list come first.
    target : str
        `recommendations`.
    """

    items: list[Named]
    confidence: float
    n: int
    models: dict[str, list[Entry]]
    target: str = "recommendations"


def recommend_for_items(
    client: "StoreReader", run: "StoredRun", texts: Sequence[str], *, n: int, raw: bool, consensus: bool = False
) -> NewUserLists:
    """Return recommendations for somebody who has some items, in a run or in every model of a comparison.

    The user is folded in against the item factors of each fit, with the confidence of a typical interaction.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    run : Run
        A fit or a comparison.
    texts : sequence of str
        The items, as for `look_up`.
    n, raw, consensus
        As for `look_up`.

    Returns
    -------
    NewUserLists

    Raises
    ------
    ConfigError
        If there is no item, no such item, or one of them twice, `n` is more than what is stored, or a run was not
        trained by ALS or does not say the confidences that it was trained on.
    DataError
        If one of the runs of a comparison has no interaction of one of the items.
    TrainingError
        If the user cannot be folded in.
    """
    if not texts:
        raise ConfigError("--items: found none; expected at least one, such as --items 12,50,181")
    fits = open_fits(client, run, n=n, consensus=consensus)
    indexes = [find_index(fits.names, "items", text, raw=raw) for text in texts]
    items = [Named(index, *fits.names.of(index, item=True)) for index in indexes]
    for item, number in Counter(items).items():
        fits.check_lost("items", item.index)
        if number > 1:
            raise ConfigError(f"--items: found item {item.index} (id {item.raw_id}) {number} times; expected it once")
    lists: dict[str, list[Lists]] = {}
    for fit, files in fits.files.items():
        settings, confidence = _trained_with(client, fit)
        owned = np.array(indexes, dtype=np.int32)
        of_fit = recommend_to_new_user(read_factors(files).items, owned, settings, confidence=confidence, n=LIST_LENGTH)
        lists.setdefault(fits.label(fit), []).append(of_fit.without(fits.unlisted("items")))
    return NewUserLists(items, confidence, n, merge(lists, 0, n, fits.names, item=True, by_consensus=consensus))


def _trained_with(client: "StoreReader", fit: RunRef) -> tuple[AlsConfig, float]:
    """Return the settings of a fit that folding in depends on, and the confidence of a typical interaction."""
    data = client.get_run(fit.run_id).data
    if "alpha" not in data.params:
        raise ConfigError(
            f"--items: run {fit.run_id} was read from a file, and its alpha and regularization are not known; expected "
            "a run that was trained; name a user of it with --user"
        )
    if MEDIAN_CONFIDENCE not in data.metrics:
        raise ConfigError(
            f"--items: run {fit.run_id} is of an earlier version, which did not log the confidences that it was "
            "trained on; train it again with --fresh"
        )
    settings = AlsConfig(
        factors=int(data.params["factors"]),
        iterations=int(data.params["iterations"]),
        regularization=float(data.params["regularization"]),
        alpha=float(data.params["alpha"]),
        engine="spark" if data.params.get("engine") == "spark" else "implicit",
    )
    return settings, data.metrics[MEDIAN_CONFIDENCE]
