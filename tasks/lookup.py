"""Lists read back from runs that exist: what `show`, `similar` and `recommend` print."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tasks import artifacts
from tasks.compare import read_target
from tasks.core.comparison import Names, QueryLists, query_lists
from tasks.core.config import LIST_LENGTH, ExperimentConfig, load_config
from tasks.core.errors import ConfigError, TrackingError
from tasks.core.plan import MODEL, PARENT
from tasks.result import RESULT, Result
from tasks.runs import RunRef, complete_parents, run_ref

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)


def result_of(client: "MlflowClient", parent: "Run") -> Result:
    """What a finished parent run found.

    Raises
    ------
    TrackingError
        Another version of latentlab wrote it in another form.
    """
    from pydantic import ValidationError

    text = artifacts.read_artifact(client, parent.info.run_id, RESULT).read_text(encoding="utf-8")
    try:
        return Result.from_json(text)
    except ValidationError:
        made_by = parent.data.tags.get("latentlab.version", "?")
        raise TrackingError(
            f"run {parent.info.run_id}: its {RESULT} is of another form (latentlab {made_by}); run its config again, "
            "which trains nothing that is complete"
        ) from None


def known_result(client: "MlflowClient", experiment_id: str, identity: str, runs: Sequence[RunRef]) -> Result | None:
    """What a complete comparison found of the very same runs, if this version of latentlab wrote it."""
    for parent in complete_parents(client, experiment_id, identity):
        if parent.data.tags.get("latentlab.version") != version("latentlab"):
            continue
        try:
            result = result_of(client, parent)
        except TrackingError as error:
            log.warning("%s; it is compared anew", error)
            continue
        if result.runs == list(runs):
            return result
    return None


def config_of(client: "MlflowClient", parent: "Run") -> ExperimentConfig:
    """The resolved config of a finished parent run."""
    return load_config(artifacts.read_artifact(client, parent.info.run_id, "config.yaml"))


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
