"""Lists of runs that exist."""

from typing import TYPE_CHECKING, Any

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.query_lists import Names, QueryLists, query_lists
from tasks.core.config.base import LIST_LENGTH
from tasks.core.data.interactions import Interactions
from tasks.core.errors import ConfigError
from tasks.core.planning.runs import MODEL, PARENT
from tasks.core.ranking.lists import Lists
from tasks.tracking import artifacts
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

LISTS = {
    "users": "neighbours/users.parquet",
    "items": "neighbours/items.parquet",
    "recommendations": "recommendations.parquet",
}
COLUMNS = {"users": "neighbour", "items": "neighbour", "recommendations": "item"}


def read_lists(client: "MlflowClient", run_id: str, loaded: Interactions) -> RunLists:
    """A complete run's lists, each file checked against the manifest."""
    users, items = loaded.matrix.shape
    sizes = {"users": users, "items": items, "recommendations": users}
    return RunLists(**{target: read_target(client, run_id, target, size) for target, size in sizes.items()})


def read_target(client: "MlflowClient", run_id: str, target: str, n_entities: int) -> Lists:
    """A complete run's lists of one target: `users`, `items` or `recommendations`."""
    import pandas as pd

    frame = pd.read_parquet(artifacts.read_artifact(client, run_id, LISTS[target]))
    return Lists.from_frame(frame, COLUMNS[target], n_entities)


def lookup(client: "MlflowClient", run: "Run", target: str, asked: str, *, n: int, raw: bool) -> QueryLists:
    """One entity's list in a run, or in every model of a parent run over all its replicates.

    Parameters
    ----------
    target : `users`, `items` or `recommendations`
    asked : an index, or with `raw` one of the data set's own ids

    Raises
    ------
    ConfigError
        No such user or item, a length beyond what is stored, or a run without lists.
    """
    if not 1 <= n <= LIST_LENGTH:
        raise ConfigError(f"found -n {n}; expected 1 to {LIST_LENGTH}, as many as each run keeps")
    fits = _fits(client, run)
    names = names_of(client, next(iter(fits.values()))[0])
    index = _index(names, target, asked, raw=raw)
    size = len(names.item_ids if target == "items" else names.user_ids)
    lists = {model: [read_target(client, run_id, target, size) for run_id in ids] for model, ids in fits.items()}
    return query_lists(f"{target}_{index}", target, index, n=n, names=names, lists=lists)


def names_of(client: "MlflowClient", run_id: str) -> Names:
    """The users and items that a run's indexes mean."""
    import numpy as np
    import pandas as pd

    users = pd.read_parquet(artifacts.read_artifact(client, run_id, "users.parquet"))
    items = pd.read_parquet(artifacts.read_artifact(client, run_id, "items.parquet"))
    titles = items["title"].to_numpy(dtype=np.str_)
    return Names(_raw_ids(users), _raw_ids(items), titles if titles.astype(bool).any() else None)


def _raw_ids(frame: "pd.DataFrame") -> "npt.NDArray[Any]":
    """Integers, or text, as `Interactions` has them."""
    import numpy as np

    ids = frame["raw_id"].to_numpy()
    return ids if ids.dtype.kind == "i" else ids.astype(np.str_)


def _fits(client: "MlflowClient", run: "Run") -> dict[str, list[str]]:
    """The run ids to read, by model."""
    ref = run_ref(run)
    if ref.role == PARENT:
        fits: dict[str, list[str]] = {}
        for fit in result_of(client, run).runs:
            if fit.role == MODEL:
                fits.setdefault(fit.model, []).append(fit.run_id)
        return fits
    if ref.role != MODEL:
        raise ConfigError(f"run {ref.run_id} holds no lists: its role is {ref.role or 'not ours'}; name a model's run")
    return {f"{ref.model} #{ref.replicate}": [ref.run_id]}


def _index(names: Names, target: str, asked: str, *, raw: bool) -> int:
    ids = names.item_ids if target == "items" else names.user_ids
    kind = "item" if target == "items" else "user"
    if raw:
        matching = [index for index, known in enumerate(ids.tolist()) if str(known) == asked]
        if not matching:
            raise ConfigError(f"found {kind} id {asked!r}, which is not among the data set's {len(ids)} {kind}s")
        return matching[0]
    if not asked.isdecimal() or int(asked) >= len(ids):
        raise ConfigError(
            f"found {kind} {asked!r}; the {kind}s are 0 to {len(ids) - 1} by first appearance "
            "(--raw for the data set's own ids)"
        )
    return int(asked)
