"""Step 4: factors -> neighbour lists or held-out accuracy, in the fit's working directory."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from prefect import task

from tasks.core.comparison.query_lists import queries
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions
from tasks.core.files import listing, writing
from tasks.core.models.factors import Factors
from tasks.core.planning.runs import MODEL, PlannedRun
from tasks.core.ranking.evaluation import evaluate as evaluated
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.neighbours import nearest
from tasks.core.ranking.recommendations import preferences, recommend
from tasks.core.types import OnProgress
from tasks.preprocess import Prepared, load, load_split
from tasks.recovery import working_directory
from tasks.recovery.heartbeat import alive
from tasks.recovery.working_directory import Staged
from tasks.reporting import progress
from tasks.tracking import store
from tasks.tracking.artifacts import write_table
from tasks.tracking.lists import COLUMNS, LISTS
from tasks.train import Home

if TYPE_CHECKING:
    import pandas as pd


@task(name="evaluate", task_run_name="evaluate {run.label}")
def evaluate(config: ExperimentConfig, data: Prepared, run: PlannedRun, staged: Staged, where: Home) -> Staged:
    """Stage a run's lists or its accuracy beside its factors, unless an earlier run has done so."""
    what = f"lists of {run.label}"
    if staged.files is not None:
        progress.step(what, 1, 1, "lists")
        return staged
    factors = Factors.load(staged.stored[0].check())
    folder = staged.folder
    with alive(store.open_store(where.uri), staged.run_id), writing(folder):
        if run.role == MODEL:
            _write_lists(folder, factors, load(data.file), config, what)
            results = {f"summary_{key}": float(value) for key, value in asdict(data.summary).items()}
        else:
            results = _write_accuracy(folder, factors, data, config, what)
    staged = replace(staged, files=listing(folder), results=results)
    working_directory.keep(staged)
    return staged


def query_table(lists: Lists, target: str, entity: int, n: int, loaded: Interactions) -> "pd.DataFrame":
    """One entity's first n: `rank`, `index`, `raw_id`, `title` where the listed are items with titles, `score`."""
    import pandas as pd

    found = lists.ids[entity, :n]
    found = found[found >= 0]
    ids = loaded.user_ids if target == "users" else loaded.item_ids
    columns = {"rank": np.arange(1, len(found) + 1), "index": found, "raw_id": ids[found]}
    if target != "users" and loaded.item_titles is not None:
        columns["title"] = loaded.item_titles[found]
    return pd.DataFrame({**columns, "score": lists.scores[entity, : len(found)]})


def _write_lists(folder: Path, factors: Factors, loaded: Interactions, config: ExperimentConfig, what: str) -> None:
    """Every list of a model, the names of its rows, and the query tables."""
    users, items = loaded.matrix.shape

    def told(before: int) -> OnProgress:
        return lambda done, _: progress.step(what, before + done, 2 * users + items, "lists")

    lists = {
        "users": nearest(factors.users, n=LIST_LENGTH, told=told(0)),
        "items": nearest(factors.items, n=LIST_LENGTH, told=told(users)),
        "recommendations": recommend(factors, loaded.matrix, n=LIST_LENGTH, told=told(users + items)),
    }
    (folder / "neighbours").mkdir(parents=True, exist_ok=True)
    loaded.users_frame().to_parquet(folder / "users.parquet", index=False)
    loaded.items_frame().to_parquet(folder / "items.parquet", index=False)
    for target, found in lists.items():
        found.frame(COLUMNS[target]).to_parquet(folder / LISTS[target], index=False)
    asked = config.queries
    for name, target, entity in queries(asked.users, asked.items, asked.recommend_for):
        n = asked.recommend_n if target == "recommendations" else asked.n
        write_table(folder, f"queries/{name}.json", query_table(lists[target], target, entity, n, loaded))


def _write_accuracy(
    folder: Path, factors: Factors, data: Prepared, config: ExperimentConfig, what: str
) -> dict[str, float]:
    """Per-user accuracy on the held-out interactions; its means, and what the split is like."""
    import pandas as pd

    assert config.evaluation is not None, "evaluation runs come from a config with evaluation"
    assert data.held_out is not None, "and with a split"
    split = load_split(data.held_out)
    found = evaluated(
        preferences(factors),
        split,
        config.evaluation.cutoffs,
        told=lambda done, total: progress.step(what, done, total, "lists"),
    )
    pd.DataFrame({"index": found.users, **found.per_user}).to_parquet(folder / "accuracy.parquet", index=False)
    return found.means() | {name: float(count) for name, count in split.counts().items()}
