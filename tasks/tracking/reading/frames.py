"""Lists and accuracy of runs that exist, as frames."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.comparison.agreement import LISTED, SIDES
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError
from tasks.core.planning.runs import EVALUATION, PARENT, RunRef
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import ACCURACY
from tasks.tracking.reading.fits import OpenedFits
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.comparison.query_lists import Names
    from tasks.tracking.local_reader.types import StoredRun, StoreReader


def lists_frame(fits: OpenedFits, fit: RunRef, target: str, *, by: str, n: int = LIST_LENGTH) -> "pd.DataFrame":
    """Return the lists of a fit in long form: a row for each entry of a list.

    Parameters
    ----------
    fits : OpenedFits
        The fits that a run stands for.
    fit : RunRef
        One of them.
    target : str
        `users`, `items` or `recommendations`.
    by : str
        Similarity of neighbours: `factors` or `scores`.
    n : int
        Most entries of a list.

    Returns
    -------
    DataFrame
        `model` and `target` (categories), `replicate`; `index` and `id` of the user or item whose list it is; `rank`
        (from 1); `listed_index` and `listed_id` of the entry, its `title` where items have titles, and its `score`
        (float32; not a number for lists that others made without scores).
    """
    import pandas as pd

    rows = fits.rows(fit, SIDES[target])
    entries = fits.lists(fit, target, rows, by).frame("listed_index", rows)
    entries = entries[entries["rank"] <= n].reset_index(drop=True)
    index, listed = entries["index"].to_numpy(), entries["listed_index"].to_numpy()
    models = list(dict.fromkeys(each.model for each in fits.files))
    columns: dict[str, Any] = {
        "model": pd.Categorical(np.full(len(entries), fit.model), models),
        "replicate": np.full(len(entries), fit.replicate, dtype=np.int32),
        "target": pd.Categorical(np.full(len(entries), target), list(SIDES)),
        "index": index,
        "id": fits.names.ids(SIDES[target])[index],
        "rank": entries["rank"].to_numpy(),
        "listed_index": listed,
        "listed_id": fits.names.ids(LISTED[target])[listed],
    }
    titles = fits.names.item_titles
    if titles is not None:
        columns["title"] = titles[listed] if LISTED[target] == "items" else ""
    return pd.DataFrame({**columns, "score": entries["score"].to_numpy()})


def accuracy_frame(client: "StoreReader", run: "StoredRun", names: "Names") -> "pd.DataFrame":
    """Return the held-out accuracy of a comparison's models, user by user.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    run : Run
        A comparison.
    names : Names
        Its users and items.

    Returns
    -------
    DataFrame
        `model`, `replicate`, `split` (from 0), `index` and `id` of the user, and a column for each metric. No rows if
        the comparison measured no accuracy.

    Raises
    ------
    ConfigError
        If the run is not a comparison.
    TrackingError
        If a file is missing or damaged.
    """
    import pandas as pd

    ref = run_ref(run)
    if ref.role != PARENT:
        raise ConfigError(
            f"run {ref.run_id} has no accuracy by user: its role is {ref.role}; name a comparison, whose models were "
            "evaluated with fits of their own"
        )
    frames = []
    for evaluation in result_of(client, run).runs:
        if evaluation.role == EVALUATION:
            with RunFiles(client, evaluation.run_id).reading(ACCURACY) as file:
                metrics = pd.read_parquet(file)
            index = metrics.pop("index").to_numpy()
            head = {
                "model": evaluation.model,
                "replicate": evaluation.replicate,
                "split": evaluation.repeat,
                "index": index,
                "id": _known_ids(names.user_ids, index),
            }
            frames.append(pd.concat([pd.DataFrame(head), metrics], axis=1))
    if not frames:
        return pd.DataFrame(columns=["model", "replicate", "split", "index", "id"])
    return pd.concat(frames, ignore_index=True)


def _known_ids(ids: "npt.NDArray[Any]", index: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    """Return ids by index; None for a user that only a published test part has."""
    known = index < len(ids)
    if known.all():
        return np.asarray(ids[index])
    found = np.full(len(index), None, dtype=object)
    found[known] = ids[index[known]]
    return found
