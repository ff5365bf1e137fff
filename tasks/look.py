"""A planned look: every run's lists so far -> whether the answer is decided. Nothing is logged in MLflow."""

import logging
from collections.abc import Sequence

from prefect import task

from tasks.compare import files_of
from tasks.core.comparison.answers import answer
from tasks.core.comparison.endpoints import endpoints
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.inference.sequential import Look
from tasks.core.planning.looks import is_decided
from tasks.core.planning.runs import RunRef, listed_entities
from tasks.recovery.working_directory import CompletedFit
from tasks.tracking.lists import ListReader, lists_by_model
from tasks.tracking.noise_of_data import lost_in_runs
from tasks.tracking.runs import ParentRun
from tasks.tracking.store import open_store

log = logging.getLogger(__name__)


@task(name="look", task_run_name="{look.title} at {config.name}")
def decides(
    config: ExperimentConfig,
    data: PreparedData,
    runs: Sequence[RunRef],
    parent: ParentRun,
    fits: Sequence[CompletedFit],
    look: Look,
) -> bool:
    """Compare the models' lists with the levels of a look.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.
    runs : sequence of RunRef
        The runs of this look.
    parent : ParentRun
        Parent of the run.
    fits : sequence of CompletedFit
        Those of the runs that this flow run has trained: their files are still on this machine.
    look : Look
        The look.

    Returns
    -------
    bool
        Whether the answer is decided, see `tasks.core.planning.looks.is_decided`.

    Raises
    ------
    TrackingError
        If a run's file is missing or damaged.
    """
    client = open_store(parent.uri)
    files = files_of(client, runs, fits)
    interactions, similarity = data.load(), config.neighbours.similarity
    lost = lost_in_runs(client, config, runs, interactions.matrix)
    entities = listed_entities(config, *interactions.matrix.shape, lost)
    judged = endpoints(config.queries, config.comparison, similarity)
    answers, _ = answer(
        lists_by_model(config.models, runs, files, ListReader(interactions, entities, lost=lost), similarity),
        [endpoint for endpoint in judged if endpoint.family],
        baseline=config.baseline,
        seed=config.seed,
        levels=look.levels,
        entities=entities,
    )
    decided = is_decided(answers, config)
    log.info(
        "%s, with %d seeds per model: %s is %s; %s",
        look.title,
        look.replicates,
        answers[0].target,
        answers[0].verdict,
        "decided" if decided else "the next look is taken",
    )
    return decided
