"""Step 4: factors -> neighbour lists or held-out accuracy, in the fit's working directory."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from prefect import task

from tasks.core.comparison.agreement import SIDES, TARGETS
from tasks.core.comparison.query_lists import queries
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.prepared import PreparedData
from tasks.core.data.splits.split import Split
from tasks.core.files import listing, writing
from tasks.core.formatting import decimals
from tasks.core.models.factors import Factors
from tasks.core.planning.runs import PlannedRun, listed_entities
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.evaluation import Evaluation, evaluate_factors
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import make_lists
from tasks.core.types import OnProgress
from tasks.reporting import progress
from tasks.tracking.artifacts import write_table
from tasks.tracking.lists import ACCURACY, KINDS, MEDIAN_CONFIDENCE, SUFFIXES, artifact, write_sample
from tasks.train import OpenFit

if TYPE_CHECKING:
    import pandas as pd


@task(name="evaluate", task_run_name="evaluate {run.label}")
def evaluate(config: ExperimentConfig, data: PreparedData, run: PlannedRun, open_fit: OpenFit) -> OpenFit:
    """Write a fit's lists, or its accuracy, beside its factors, unless an earlier run has done so.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.
    run : PlannedRun
        The fit.
    open_fit : OpenFit
        The trained fit, and its open run.

    Returns
    -------
    OpenFit
        The same, with the files and metrics of the evaluation.

    Raises
    ------
    DataError
        If a file is damaged or cannot be written.
    Stopped
        If the work is to stop.
    """
    fit = open_fit.fit
    if fit.files is not None:
        progress.step(run.lists_label, 1, 1, "lists")
        return open_fit
    factors = Factors.load(fit.stored_files()[0].check())
    folder = fit.directory.artifacts

    def on_progress(done: int, total: int) -> None:
        progress.step(run.lists_label, done, total, "lists")

    with writing(folder):
        if run.is_evaluation:
            results = _write_accuracy(folder, factors, data, config, run, on_progress)
        else:
            interactions = data.load()
            entities = listed_entities(config, *interactions.matrix.shape)
            write_model_lists(folder, factors, interactions, config, entities, on_progress)
            results = {f"summary_{key}": float(value) for key, value in asdict(data.summary).items()}
            results[MEDIAN_CONFIDENCE] = float(np.median(interactions.matrix.data))
    fit = replace(fit, files=listing(folder), results=results)
    fit.save()
    return replace(open_fit, fit=fit)


def query_table(lists: Lists, target: str, position: int, *, n: int, interactions: Interactions) -> "pd.DataFrame":
    """Return one entity's list as a table for the MLflow UI, which compares the tables of several runs.

    The UI groups by the first column, and shows the second one of each run side by side.

    Parameters
    ----------
    lists : Lists
        Lists of the target.
    target : str
        `users`, `items` or `recommendations`.
    position : int
        Of the list among them.
    n : int
        Entries of the list.
    interactions : Interactions
        They name users and items.

    Returns
    -------
    DataFrame
        `rank`, `neighbour` or `item` (index, title or else raw id, and score in one text), `index`, `raw_id`, `title`
        if items with titles are listed, and `score`.
    """
    import pandas as pd

    ids = lists.ids[position, :n]
    ids = ids[ids >= 0]
    scores = lists.scores[position, : len(ids)]
    raw_ids = (interactions.user_ids if target == "users" else interactions.item_ids)[ids]
    titles = interactions.item_titles[ids] if target != "users" and interactions.item_titles is not None else None
    names = [f"(id {raw_id})" for raw_id in raw_ids] if titles is None else titles
    # lists that others made may have no scores
    shown = ["" if np.isnan(score) else f", {decimals(score)}" for score in scores]
    entries = [f"{index} {name}{score}" for index, name, score in zip(ids, names, shown, strict=True)]
    column = "item" if target == "recommendations" else "neighbour"
    table = pd.DataFrame({"rank": np.arange(1, len(ids) + 1), column: entries, "index": ids, "raw_id": raw_ids})
    if titles is not None:
        table["title"] = titles
    return table.assign(score=scores)


def write_model_lists(
    folder: Path,
    factors: Factors,
    interactions: Interactions,
    config: ExperimentConfig,
    entities: Mapping[str, Entities],
    on_progress: OnProgress,
    targets: Collection[str] = TARGETS,
) -> None:
    """Write the lists of a model, the names of users and items, and the tables of the queries.

    Parameters
    ----------
    folder : Path
        Where they are written.
    factors : Factors
        Of the model.
    interactions : Interactions
        What it was fitted on.
    config : ExperimentConfig
        The experiment.
    entities : mapping of str to Entities
        The `users` and the `items` whose lists are made.
    on_progress : callable
        Called with the lists done and the total.
    targets : collection of str
        Which lists are made.
    """
    kinds = [(target, by) for target, by in KINDS if target in targets]
    done, total = 0, sum(len(entities[SIDES[target]].rows) for target, _ in kinds)
    (folder / "neighbours").mkdir(parents=True, exist_ok=True)
    interactions.users_frame().to_parquet(folder / "users.parquet", index=False)
    interactions.items_frame().to_parquet(folder / "items.parquet", index=False)
    write_sample(folder, entities)
    settings = config.queries
    named_queries = list(queries(settings.users, settings.items, settings.recommend_for))
    for target, by in kinds:
        of_side = entities[SIDES[target]]

        def after(of_kind: int, _: int, before: int = done) -> None:
            on_progress(before + of_kind, total)

        rows = None if of_side.are_all else of_side.rows
        lists = make_lists(factors, target, by, liked=interactions.matrix, n=LIST_LENGTH, rows=rows, on_progress=after)
        done += len(of_side.rows)
        path, column = artifact(target, by)
        lists.frame(column, rows).to_parquet(folder / path, index=False)
        for name, of, entity in named_queries:
            if of == target:
                n = settings.recommend_n if target == "recommendations" else settings.n
                table = query_table(lists, target, of_side.position(entity), n=n, interactions=interactions)
                write_table(folder, f"queries/{name}{SUFFIXES[by]}.json", table)


def _write_accuracy(
    folder: Path,
    factors: Factors,
    data: PreparedData,
    config: ExperimentConfig,
    run: PlannedRun,
    on_progress: OnProgress,
) -> dict[str, float]:
    """Write the accuracy of each user on the held-out interactions; return its means, and the counts of the split."""
    assert config.evaluation is not None, "evaluation runs come from a config with evaluation"
    assert data.splits, "and with a split"
    split = data.splits[run.repeat].load()
    evaluation = evaluate_factors(factors, split, run.settings, config.evaluation.cutoffs, on_progress)
    return write_evaluation(folder, evaluation, split)


def write_evaluation(folder: Path, evaluation: Evaluation, split: Split) -> dict[str, float]:
    """Write the accuracy of each user.

    Parameters
    ----------
    folder : Path
        Where it is written.
    evaluation : Evaluation
        The accuracy.
    split : Split
        What it was measured on.

    Returns
    -------
    dict of str to float
        Its means, and the counts of the split.
    """
    import pandas as pd

    frame = pd.DataFrame({"index": evaluation.users, **evaluation.per_user})
    frame.to_parquet(folder / ACCURACY, index=False)
    return evaluation.means() | {name: float(count) for name, count in split.counts().items()}
