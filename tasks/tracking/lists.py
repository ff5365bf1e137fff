"""Lists and per-user metrics of runs that exist."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.comparison.agreement import RunLists
from tasks.core.comparison.query_lists import Names, QueryLists, query_lists
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.core.ranking.lists import Lists
from tasks.core.types import RawId
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tasks.core.data.interactions import Interactions

ARTIFACTS = {
    "users": ("neighbours/users.parquet", "neighbour"),
    "items": ("neighbours/items.parquet", "neighbour"),
    "recommendations": ("recommendations.parquet", "item"),
}
"""Target -> the artifact of its lists, and the column of what is listed."""
ACCURACY = "accuracy.parquet"


def read_lists(files: RunFiles, n_users: int, n_items: int) -> RunLists:
    """Return all lists of a complete run.

    Parameters
    ----------
    files : RunFiles
        Files of the run.
    n_users, n_items : int
        Number of users and of items.

    Returns
    -------
    RunLists
    """
    sizes = {"users": n_users, "items": n_items, "recommendations": n_users}
    return RunLists(**{target: read_target(files, target, size) for target, size in sizes.items()})


def lists_by_model(
    models: Iterable[str], runs: Iterable[RunRef], files: Mapping[str, RunFiles], interactions: "Interactions"
) -> dict[str, list[RunLists]]:
    """Return the lists of every run.

    Parameters
    ----------
    models : iterable of str
        Names of the models.
    runs : iterable of RunRef
        Those of the evaluation have no lists, and are left out.
    files : mapping of str to RunFiles
        Run id -> its files.
    interactions : Interactions
        What the models were fitted on.

    Returns
    -------
    dict of str to list of RunLists
        Model -> the lists of its runs, both in the order given.

    Raises
    ------
    TrackingError
        If a file is missing or damaged.
    """
    users, items = interactions.matrix.shape
    lists: dict[str, list[RunLists]] = {model: [] for model in models}
    for run in runs:
        if run.role == MODEL:
            lists[run.model].append(read_lists(files[run.run_id], users, items))
    return lists


def read_target(files: RunFiles, target: str, n_entities: int) -> Lists:
    """Return the lists of one target of a complete run.

    Parameters
    ----------
    files : RunFiles
        Files of the run.
    target : str
        `users`, `items` or `recommendations`.
    n_entities : int
        Number of lists.

    Returns
    -------
    Lists
    """
    import pandas as pd

    path, column = ARTIFACTS[target]
    with files.reading(path) as file:
        return Lists.from_frame(pd.read_parquet(file), column, n_entities)


def read_accuracy(files: RunFiles, metrics: Sequence[str]) -> "pd.DataFrame":
    """Return metrics of an evaluation run, user by user.

    Parameters
    ----------
    files : RunFiles
        Files of the run.
    metrics : sequence of str
        Names of the metrics.

    Returns
    -------
    DataFrame
        `index` of the user, and a column for each metric.
    """
    import pandas as pd

    with files.reading(ACCURACY) as file:
        return pd.read_parquet(file, columns=["index", *metrics])


def look_up(client: "MlflowClient", run: "Run", target: str, entity: str, *, n: int, raw: bool) -> QueryLists:
    """Return the list of one user or item in a run, or in every model of a comparison over all replicates.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run : Run
        A fit or a comparison.
    target : str
        `users`, `items` or `recommendations`.
    entity : str
        An index, or with `raw` one of the data set's own ids.
    n : int
        Length of the list.
    raw : bool
        Whether `entity` is a raw id.

    Returns
    -------
    QueryLists

    Raises
    ------
    ConfigError
        If there is no such user or item, `n` is more than what is stored, or the run has no lists.
    """
    if not 1 <= n <= LIST_LENGTH:
        raise ConfigError(f"found -n {n}; expected 1 to {LIST_LENGTH}, the number of entries that each run keeps")
    fits = _fits(client, run)
    names = _names(next(iter(fits.values()))[0])
    index = _index(names, target, entity, raw=raw)
    size = len(names.item_ids if target == "items" else names.user_ids)
    lists = {model: [read_target(files, target, size) for files in replicates] for model, replicates in fits.items()}
    return query_lists(f"{target}_{index}", target, index, n=n, names=names, lists=lists)


def _fits(client: "MlflowClient", run: "Run") -> dict[str, list[RunFiles]]:
    """Return the files to read, by model."""
    ref = run_ref(run)
    if ref.role == PARENT:
        fits: dict[str, list[RunFiles]] = {}
        for fit in result_of(client, run).runs:
            if fit.role == MODEL:
                fits.setdefault(fit.model, []).append(RunFiles(client, fit.run_id))
        return fits
    if ref.role != MODEL:
        role = ref.role or "not one of latentlab's"
        raise ConfigError(f"run {ref.run_id} has no lists: its role is {role}; name a model's run")
    return {f"{ref.model} #{ref.replicate}": [RunFiles(client, ref.run_id)]}


def _names(files: RunFiles) -> Names:
    """Return the users and items that a run's indexes mean."""
    import pandas as pd

    with files.reading("users.parquet") as users_file, files.reading("items.parquet") as items_file:
        users, items = pd.read_parquet(users_file), pd.read_parquet(items_file)
    titles = items["title"].to_numpy(dtype=np.str_)
    return Names(_raw_ids(users), _raw_ids(items), titles if titles.astype(bool).any() else None)


def _raw_ids(frame: "pd.DataFrame") -> "npt.NDArray[Any]":
    """Return ids as integers or as text, as `Interactions` has them."""
    ids = frame["raw_id"].to_numpy()
    return ids if ids.dtype.kind == "i" else ids.astype(np.str_)


def _index(names: Names, target: str, entity: str, *, raw: bool) -> int:
    kind, ids = ("item", names.item_ids) if target == "items" else ("user", names.user_ids)
    if raw:
        raw_ids: list[RawId] = ids.tolist()
        matching = [index for index, raw_id in enumerate(raw_ids) if str(raw_id) == entity]
        if not matching:
            raise ConfigError(f"found {kind} id {entity!r}, which is not among the data set's {len(ids)} {kind}s")
        return matching[0]
    if not entity.isdecimal() or int(entity) >= len(ids):
        raise ConfigError(
            f"found {kind} {entity!r}; the {kind}s are 0 to {len(ids) - 1} by first appearance "
            "(--raw for the data set's own ids)"
        )
    return int(entity)
