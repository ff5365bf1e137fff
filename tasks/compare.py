"""Step 6: every run's lists and accuracy -> how alike the models are, on the parent run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prefect import task

from tasks.core.comparison.accuracy_tests import (
    tested_metrics,
)
from tasks.core.comparison.agreement import OtherSimilarity, other_similarity
from tasks.core.comparison.compare_lists import compare_lists
from tasks.core.comparison.query_lists import queries
from tasks.core.comparison.sweep import sweep
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ComparisonConfig, ExperimentConfig
from tasks.core.config.file_models import ListFiles
from tasks.core.data.prepared import PreparedData
from tasks.core.inference.multiplicity import Levels
from tasks.core.inference.sequential import Look
from tasks.core.planning.runs import MODEL, RunRef, listed_entities
from tasks.core.planning.spark import spark_remark
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.similarity import SIMILARITIES
from tasks.core.types import Ids
from tasks.external import External
from tasks.held_out import HeldOutAccuracy, ReferencesOnSplit, held_out_accuracy
from tasks.recovery.working_directory import CompletedFit
from tasks.reporting import progress
from tasks.reporting.accuracy import metrics_by_model, tuning_note
from tasks.reporting.convergence import Convergence, summarize_fits
from tasks.reporting.explore.section import explore_section
from tasks.reporting.report import draw, draw_held_out, render
from tasks.reporting.result import Result
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.comparison import log_comparison
from tasks.tracking.lists import ListReader, lists_by_model, write_sample
from tasks.tracking.metrics import metric_history
from tasks.tracking.noise_of_data import LOST, lost_frame, lost_in_runs, noise_of_data
from tasks.tracking.results import earlier_looks
from tasks.tracking.runs import ParentRun
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient


@task(name="compare", task_run_name="compare {config.name}")
def compare_models(
    config: ExperimentConfig,
    data: PreparedData,
    runs: Sequence[RunRef],
    parent: ParentRun,
    references: Callable[[], list[ReferencesOnSplit]],
    fits: Sequence[CompletedFit] = (),
    look: Look | None = None,
    external: External | None = None,
    remarks: Sequence[str] = (),
) -> Result:
    """Compare the models' lists and accuracy, and log the result on the parent run.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions, and their split.
    runs : sequence of RunRef
        All runs of the models, wherever in the store they are.
    parent : ParentRun
        Parent of the run.
    references : callable
        Returns the reference recommenders on each split.
    fits : sequence of CompletedFit
        Those of the runs that this flow run has trained: their files are still on this machine.
    look : Look, optional
        The planned look at which training stopped.
    external : External, optional
        The models that are read from files.
    remarks : sequence of str
        What is not compared, as sentences.

    Returns
    -------
    Result

    Raises
    ------
    TrackingError
        If a run's file is missing or damaged.
    DataError
        If the models were evaluated on different users, or a queried user or item has no interaction in one of the
        runs.
    """
    client = open_store(parent.uri)
    files = files_of(client, runs, fits)
    with TemporaryDirectory(prefix="latentlab-") as folder:
        return _compare(references, config, data, runs, parent, files, look, external, remarks, Path(folder))


def _compare(
    references: Callable[[], list[ReferencesOnSplit]],
    config: ExperimentConfig,
    data: PreparedData,
    runs: Sequence[RunRef],
    parent: ParentRun,
    files: Mapping[str, RunFiles],
    look: Look | None,
    external: External | None,
    remarks: Sequence[str],
    folder: Path,
) -> Result:
    """Compare the models, and log the result with the files in `folder`, to which lists that fits lack are added."""
    client = open_store(parent.uri)
    metrics = {run.run_id: dict(client.get_run(run.run_id).data.metrics) for run in runs}
    models = {name: settings.model_dump() for name, settings in config.models.items()}
    are_trained = not config.from_files
    interactions = data.load()
    lost = lost_in_runs(client, config, runs, interactions.matrix)
    entities = listed_entities(config, *interactions.matrix.shape, lost, data.listed_rows())
    is_sample = write_sample(folder, entities) and are_trained
    reader = ListReader(interactions, entities, folder, lost, config.targets)
    similarity = config.neighbours.similarity
    lists = lists_by_model(config.models, runs, files, reader, similarity)
    compared = compare_lists(
        lists,
        interactions,
        models=models,
        baseline=config.baseline,
        queries=config.queries,
        comparison=_at_depths_of(config.comparison, external),
        seed=config.seed,
        levels=look.levels if look else Levels(),
        entities=entities,
        similarity=similarity,
        resample=config.resample,
        longest=external.longest if external and external.longest else LIST_LENGTH,
    )
    # lists that other fits lack are not kept: they are not those that this comparison is of
    others = ListReader(interactions, entities, lost=lost)
    noise = noise_of_data(client, config, runs, data.sha256, lists=lists, entities=entities, reader=others)
    explore = explore_section(lists, interactions, entities, config)
    del lists  # they are large
    described = _describe_other_similarity(config, runs, files, reader, entities)
    del interactions, reader, others  # what follows needs memory of its own
    result = Result(
        experiment=config.name,
        parent_id=parent.run_id,
        config_sha256=config.digest(),
        data_sha256=data.sha256,
        dataset=config.dataset.name,
        summary=data.summary,
        models=models,
        replicates=look.replicates if look else external.fewest if external else config.most_replicates,
        answers=compared.answers,
        smallest_p=compared.smallest_p,
        replicates_needed=compared.replicates_needed,
        factorial=compared.factorial,
        matrices=[matrix.record() for matrix in compared.matrices],
        references=compared.references,
        per_user=compared.per_user,
        comparison=compared.rows,
        curves=compared.curves,
        queries=compared.queries,
        tuning=tuning_note(config.tuned, config.evaluation) if are_trained else "",
        sweep=sweep(
            models,
            metrics_by_model(metrics, runs),
            next(matrix for matrix in compared.matrices if matrix.target == "users"),
            tested_metrics(config.evaluation.cutoffs if config.evaluation else ())[0],
        )
        if are_trained and "users" in config.targets
        else None,
        convergence=[
            _convergence(client, config, model, runs)
            for model, settings in config.trained.items()
            if not settings.is_of_spark  # without an objective before the last iteration
        ],
        runs=list(runs),
        look=look,
        earlier_looks=earlier_looks(client, parent.experiment_id, runs, data.sha256),
        similarity=similarity,
        other_similarity=described,
        sample={side: of_side.n_drawn for side, of_side in entities.items()} if is_sample else {},
        dropped_fraction=config.resample.fraction if config.resample else None,
        lost=lost.counts if lost else {},
        data_noise=noise,
        files=external.runs if external else [],
        remarks=[
            *remarks,
            *([remark] if (remark := spark_remark(config)) else []),
            *(external.remarks if external else []),
            *_left_out_of_the_test_file(data),
        ],
        ratings=data.ratings,
        compared_on=date.today().isoformat(),
        **vars(HeldOutAccuracy()),
    )
    # drawing keeps one thread in the interpreter, which the arithmetic of the reference recommenders hardly needs
    with progress.in_background(partial(draw, result, compared.matrices[0].models)) as figures:
        if of_splits := references():
            result = replace(result, **vars(held_out_accuracy(config, of_splits, runs, files, metrics)))
        drawings = [*figures.result(), *draw_held_out(result)]
    if lost:
        lost_frame(lost, runs).to_parquet(folder / LOST, index=False)
    report = render(result, drawings, config.to_yaml(), explore)
    log_comparison(client, config, result, drawings, report, folder)
    return result


def _left_out_of_the_test_file(data: PreparedData) -> list[str]:
    """Return a sentence on what `overlap: drop` left out of a published test part, if it left out anything."""
    published = data.splits[0].published if data.splits else None
    return [f"Test file: {published.left_out}."] if published and published.left_out else []


def _at_depths_of(comparison: ComparisonConfig, external: External | None) -> ComparisonConfig:
    """Return the section without depths that the lists of files do not reach."""
    if external is None or external.longest is None:
        return comparison
    depths = tuple(depth for depth in comparison.depths if depth <= external.longest) or (external.longest,)
    return comparison.model_copy(update={"depths": depths})


def _describe_other_similarity(
    config: ExperimentConfig,
    runs: Sequence[RunRef],
    files: Mapping[str, RunFiles],
    reader: ListReader,
    entities: Mapping[str, Entities],
) -> list[OtherSimilarity]:
    """Describe neighbours by the similarity that is not judged; files of lists have one kind only."""
    sides = {side: of_side for side, of_side in entities.items() if side in config.targets}
    if not sides or any(isinstance(model, ListFiles) for model in config.models.values()):
        return []
    by, n = next(by for by in SIMILARITIES if by != config.neighbours.similarity), config.queries.n
    return other_similarity(
        _other_neighbours(runs, files, reader, by=by, n=n, baseline=config.baseline, sides=list(sides)),
        by=by,
        n=n,
        query=list(queries(config.queries.users, config.queries.items, ())),
        entities=sides,
    )


def _other_neighbours(
    runs: Sequence[RunRef],
    files: Mapping[str, RunFiles],
    reader: ListReader,
    *,
    by: str,
    n: int,
    baseline: str,
    sides: Sequence[str],
) -> dict[str, list[dict[str, Ids]]]:
    """Return model -> for each replicate, the n nearest users and items by one similarity; the baseline first."""
    neighbours: dict[str, list[dict[str, Ids]]] = {baseline: []}
    for run in runs:
        if run.role == MODEL:
            ids = {target: reader.lists(run, files[run.run_id], target, by).ids for target in sides}
            # a copy: the lists are longer
            neighbours.setdefault(run.model, []).append({target: of[:, :n].copy() for target, of in ids.items()})
    return neighbours


def files_of(client: "MlflowClient", runs: Sequence[RunRef], fits: Sequence[CompletedFit]) -> dict[str, RunFiles]:
    """Return the files of every run.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    runs : sequence of RunRef
        The runs.
    fits : sequence of CompletedFit
        Those of the runs whose files are still on this machine, and are read there.

    Returns
    -------
    dict of str to RunFiles
        By run id.
    """
    local = {fit.ref.run_id: fit.directory.artifacts for fit in fits if fit.directory}
    return {run.run_id: RunFiles(client, run.run_id, local.get(run.run_id)) for run in runs}


def _convergence(client: "MlflowClient", config: ExperimentConfig, model: str, runs: Sequence[RunRef]) -> Convergence:
    """Return how far a model's fits had converged, from their metrics along the iterations."""
    run_ids = [run.run_id for run in runs if run.role == MODEL and run.model == model]

    def histories(metric: str) -> list[dict[int, float]]:
        return [metric_history(client, run_id, metric) for run_id in run_ids]

    return summarize_fits(
        model,
        config.trained[model].iterations,
        objectives=histories("objective"),
        overlaps=histories(f"overlap_final.users_at_{config.queries.n}"),
        imbalances=histories("imbalance"),
    )
