"""Files of lists or factors that others made -> runs in the store, like those of fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from prefect import task

from tasks.core.comparison.agreement import SIDES
from tasks.core.comparison.query_lists import queries
from tasks.core.config.dataset import NO_DATA_SET, DatasetConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.prepared import PreparedData, store_interactions
from tasks.core.data.splits.store import with_splits
from tasks.core.external.alignment import align_factors, align_lists
from tasks.core.external.list_files import RawLists
from tasks.core.external.runs import FileRun, file_runs, longest_common_depth, read_run, read_runs
from tasks.core.external.sources import RunSource, find_run
from tasks.core.files import StoredFile
from tasks.core.models.factors import Factors
from tasks.core.planning.runs import EVALUATION, MODEL, RunRef, listed_entities, split_seeds
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.evaluation import evaluate, evaluate_lists
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.recommendations import preferences
from tasks.evaluate import query_table, write_evaluation, write_model_lists
from tasks.reporting import progress
from tasks.tracking import artifacts
from tasks.tracking.file_runs import start_file_run
from tasks.tracking.lists import FACTORS_FILE, artifact, write_sample
from tasks.tracking.metrics import log_metrics
from tasks.tracking.runs import ParentRun
from tasks.tracking.search import finish_run
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from tasks.core.types import Ids


@dataclass(frozen=True)
class External:
    """What the models of an experiment that are read from files consist of.

    Attributes
    ----------
    data : PreparedData
        The users and items that are compared; with the interactions, if there is a data set.
    runs : list of FileRun
    remarks : list of str
        What is compared and what was left out, as sentences.
    longest : int or None
        Greatest depth at which the lists of all files can be compared. None if there are no lists.
    fewest : int
        Number of runs of the model that has fewest, trained ones included.
    """

    data: PreparedData
    runs: list[FileRun]
    remarks: list[str]
    longest: int | None
    fewest: int


@task(name="read files", task_run_name="read files of {config.name}")
def read_files(config: ExperimentConfig, data: PreparedData | None = None) -> External:
    """Read the files of all models that are not trained, and find what their runs share.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData, optional
        Its interactions, if it has a data set.

    Returns
    -------
    External

    Raises
    ------
    ConfigError, DataError
        See `tasks.core.external.runs.read_runs`.
    """
    read = read_runs(config, data.load() if data else None)
    prepared = store_interactions(read.shared.interactions, read.shared.listed)
    prepared = replace(prepared, ratings=data.ratings if data else None)
    if config.evaluation:
        prepared = with_splits(
            prepared,
            config.evaluation,
            dataset=config.dataset,
            settings=config.preprocess,
            ratings=StoredFile("", prepared.sha256),
            seeds=split_seeds(config),
        )
    runs, longest = file_runs(config, read, prepared), longest_common_depth(read)
    if longest is not None and longest < config.comparison.depths[-1]:
        read.shared.remarks.append(f"Overlaps are shown up to depth {longest}: the lists of one run are no longer.")
    counts = [sum((run.model, run.role) == (model, MODEL) for run in runs) for model in config.from_files]
    fewest = min([*counts, *([config.most_replicates] if config.trained else [])])
    return External(prepared, runs, read.shared.remarks, longest, fewest)


def interactions_beside_files(
    config: ExperimentConfig,
    prepare: Callable[[ExperimentConfig, StoredFile], PreparedData],
    locate: Callable[[DatasetConfig], StoredFile],
) -> PreparedData | None:
    """Return the interactions beside models that are read from files, without a split: users may be left out of it.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    prepare, locate : callable
        The steps `preprocess` and `download`.

    Returns
    -------
    PreparedData or None
        None without a data set.
    """
    if config.dataset.name == NO_DATA_SET:
        return None
    return prepare(config.model_copy(update={"evaluation": None}), locate(config.dataset))


@task(name="log files", task_run_name="log {run.label}")
def log_files(
    config: ExperimentConfig, data: PreparedData, run: FileRun, parent: ParentRun, replaces: Sequence[str] = ()
) -> RunRef:
    """Make one run of files a run in the store.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        What is compared.
    run : FileRun
        The run.
    parent : ParentRun
        Parent of the run.
    replaces : sequence of str
        Ids of complete runs of the same identity, which the new one supersedes.

    Returns
    -------
    RunRef

    Raises
    ------
    DataError
        If the files have changed since they were read.
    TrackingError
        If the store does not answer, or the files did not arrive.
    """
    client = open_store(parent.uri)
    source = find_run(run.model, config.from_files[run.model], run.replicate, run.sha256)
    run_id = start_file_run(client, parent, run, data, of=", ".join(config.targets))
    interactions = data.load()
    with TemporaryDirectory(prefix="latentlab-") as name:
        folder = Path(name)
        if run.role == EVALUATION:
            metrics = _write_accuracy(folder, config, source, data, interactions)
        else:
            metrics = _write_lists(folder, config, source, data, interactions)
        log_metrics(client, run_id, metrics)
        tables = [f"queries/{path.name}" for path in sorted((folder / "queries").glob("*.json"))]
        artifacts.upload(client, run_id, folder, tables=tables)
    progress.step(run.label, 1, 1, "runs")
    return finish_run(client, run_id, replaces)


def _write_lists(
    folder: Path, config: ExperimentConfig, source: RunSource, data: PreparedData, interactions: Interactions
) -> dict[str, float]:
    """Write the files that a fit would have: lists, factors if there are some, and the names of users and items."""
    raw = read_run(config, source)
    entities = listed_entities(config, *interactions.matrix.shape, listed=data.listed_rows())
    if isinstance(raw, RawLists):
        assert config.of is not None, "the cross-checks of the config ask for it"
        lists, rows = align_lists(raw, config.of, interactions)
        interactions.users_frame().to_parquet(folder / "users.parquet", index=False)
        interactions.items_frame().to_parquet(folder / "items.parquet", index=False)
        _write_target(folder, config, config.of, lists, rows, interactions)
    else:
        factors = align_factors(raw, interactions)
        factors.save(folder / FACTORS_FILE)
        write_model_lists(folder, factors, interactions, config, entities, lambda done, total: None, config.targets)
    return {"summary_users": float(data.summary.users), "summary_items": float(data.summary.items)}


def _write_target(
    folder: Path, config: ExperimentConfig, of: str, lists: Lists, rows: "Ids", interactions: Interactions
) -> None:
    """Write the lists of one kind, and the tables of the queries."""
    side = SIDES[of]
    number = interactions.matrix.shape[0 if side == "users" else 1]
    own = Entities.only(rows, number)
    others = {"users": Entities.all(interactions.matrix.shape[0]), "items": Entities.all(interactions.matrix.shape[1])}
    write_sample(folder, {**others, side: own if len(rows) < number else others[side]})
    path, column = artifact(of)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    lists.frame(column, rows).to_parquet(folder / path, index=False)
    settings = config.queries
    for name, target, entity in queries(settings.users, settings.items, settings.recommend_for):
        if target == of and entity in rows:
            n = settings.recommend_n if target == "recommendations" else settings.n
            table = query_table(lists, target, own.position(entity), n=n, interactions=interactions)
            artifacts.write_table(folder, f"queries/{name}.json", table)


def _write_accuracy(
    folder: Path, config: ExperimentConfig, source: RunSource, data: PreparedData, interactions: Interactions
) -> dict[str, float]:
    """Write the accuracy of each user on the held-out interactions; return its means, and the counts of the split."""
    assert config.evaluation is not None, "evaluation runs come from a config with evaluation"
    assert data.splits, "and with a split"
    split, cutoffs = data.splits[0].load(), config.evaluation.cutoffs
    raw = read_run(config, source)
    if isinstance(raw, RawLists):
        lists, rows = align_lists(raw, "recommendations", interactions)
        recommended = np.full((split.test.shape[0], lists.ids.shape[1]), -1, dtype=np.int32)
        recommended[rows] = lists.ids
        evaluation = evaluate_lists(recommended, split, cutoffs)
    else:
        evaluation = evaluate(
            preferences(_extended(align_factors(raw, interactions), split.test.shape)), split, cutoffs
        )
    return write_evaluation(folder, evaluation, split)


def _extended(factors: Factors, shape: tuple[int, int]) -> Factors:
    """Return the factors with zeros for users and items that only the test part has: they were not trained."""
    users, items = (
        np.pad(of_side, ((0, size - len(of_side)), (0, 0)))
        for of_side, size in zip((factors.users, factors.items), shape, strict=True)
    )
    return Factors(users, items)
