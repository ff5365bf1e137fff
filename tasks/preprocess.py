"""Step 2: ratings -> interactions and their held-out split, in the store."""

import logging
from collections.abc import Sequence

from prefect import task

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData, prepare
from tasks.core.data.raw_ids import resolve_raw_ids
from tasks.core.data.resample import check_fraction, lost
from tasks.core.data.splits.store import with_splits
from tasks.core.errors import ConfigError
from tasks.core.files import StoredFile
from tasks.core.planning.runs import PlannedRun, split_seeds
from tasks.reporting.accuracy import held_out_text

log = logging.getLogger(__name__)


@task(name="preprocess", task_run_name="preprocess {config.dataset.name}")
def preprocess(config: ExperimentConfig, ratings: StoredFile) -> PreparedData:
    """Filter and index the ratings, and split them if the config asks for evaluation.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    ratings : StoredFile
        The located data set.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `tasks.core.data.prepared`.
    """
    data = prepare(config.dataset, config.preprocess, ratings)
    if data.ratings and data.ratings.dropped:
        log.info("%s: %s", config.dataset.name, data.ratings.text(config.preprocess))
    if config.evaluation is None:
        return data
    data = with_splits(
        data,
        config.evaluation,
        dataset=config.dataset,
        settings=config.preprocess,
        ratings=ratings,
        seeds=split_seeds(config),
    )
    if data.splits and data.splits[0].published:
        log.info("test file: %s", data.splits[0].published.text(config.preprocess))
    if data.splits and data.splits[0].visible:
        log.info("%s", held_out_text(data.splits[0].load().counts()))
    return data


def resolve_queries(config: ExperimentConfig, data: PreparedData) -> ExperimentConfig:
    """Return the config with the index of each user and item that its queries name by its own id.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.

    Returns
    -------
    ExperimentConfig
        Of the same digest.

    Raises
    ------
    ConfigError
        If the data do not have an id.
    """
    if not config.queries.has_raw_ids:
        return config
    return config.with_queries(resolve_raw_ids(config.queries, data.load()))


def check_queries(config: ExperimentConfig, data: PreparedData) -> None:
    """Refuse queries and a sample of users and items that the data do not have, before anything is trained.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.

    Raises
    ------
    ConfigError
        Naming each of them, and how many users and items there are.
    """
    users, items = ("users", data.summary.users), ("items", data.summary.items)
    sections = {"users": users, "items": items, "recommend_for": users}
    problems = [
        f"queries.{key}: found {index}; the data have {kind} 0 to {count - 1}"
        for key, (kind, count) in sections.items()
        for index in getattr(config.queries, key)
        if index >= count
    ]
    listed = data.listed_rows()
    for key, (kind, count) in sections.items():
        rows = listed.get(kind)
        problems += [
            f"queries.{key}: {kind[:-1]} {index} has no list in some of the runs that are read from files"
            for index in getattr(config.queries, key)
            if rows is not None and index < count and index not in rows
        ]
    sample = config.neighbours.sample
    if sample is not None and sample > max(data.summary.users, data.summary.items):
        problems.append(
            f"neighbours.sample: found {sample:,}; the data have {data.summary.users:,} users and "
            f"{data.summary.items:,} items; expected fewer than one of these, or null for all"
        )
    if problems:
        raise ConfigError("\n".join(problems))


def check_resample(config: ExperimentConfig, data: PreparedData, runs: Sequence[PlannedRun]) -> None:
    """Refuse what the fits leave out if it is nothing, too much, or all of a query, before anything is trained.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.
    runs : sequence of PlannedRun
        All fits, those of later planned looks included.

    Raises
    ------
    ConfigError
        If the fraction leaves out no interaction, or all of them.
    DataError
        If a queried user or item has no interaction in one of the fits, or hardly any user or item has some in all.
    """
    if config.resample is None:
        return
    check_fraction(data.summary.interactions, config.resample)
    resampled = [run for run in runs if run.resample]
    seeds, labels = [run.seed for run in resampled], [run.label for run in resampled]
    lost(data.load().matrix, config.resample, seeds).check(config.queries, config.resample, labels)
