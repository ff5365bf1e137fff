"""The experiment, from a config to a comparison: what happens in which order."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, cast
from uuid import UUID

from prefect import flow, runtime
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.settings import PREFECT_API_URL

from flows import environment
from flows.fits import fits
from tasks.compare import compare_models
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, TrackingError
from tasks.core.files import combined_sha256
from tasks.core.models.cost import gflop
from tasks.core.planning.runs import EVALUATION, MODEL, PARENT, PlannedRun, RunRef, planned_runs
from tasks.download import download
from tasks.preprocess import Prepared, preprocess
from tasks.recovery import interrupts
from tasks.recovery.heartbeat import alive
from tasks.recovery.lock import lock
from tasks.recovery.reconcile import discard, reconcile
from tasks.reporting import progress
from tasks.reporting.result import Result
from tasks.tracking import experiments, registry, runs, search, store
from tasks.tracking.results import known_result
from tasks.train import Home, log_data

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.core.data.interactions import Summary

environment.set_defaults()  # a worker starts this module without the command line
log = logging.getLogger(__name__)

SCORE_GFLOP = 1.5e-8
"""A score and its part in a list take as long as so much of training (200,000 users, 85,000 items, k=64)."""


@dataclass(frozen=True)
class Outcome:
    """What a flow run did: the result, how many fits it trained and how many it found complete.

    registered : registered model -> version
    """

    result: Result
    trained: int
    reused: int
    registered: dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where in MLflow a comparison is, and which it is."""

    uri: str
    experiment_id: str
    identity: str


@flow(name="experiment", flow_run_name="{config.name}", validate_parameters=True)
def experiment(config: ExperimentConfig, fresh: bool = False, register_as: str | None = None) -> Outcome:
    """Train every model with every seed, list neighbours, and compare the models by their lists.

    Args:
        config: What is run on what; the same keys as in a YAML file.
        fresh: Train everything anew, and not use what an earlier run of the same settings completed.
        register_as: Register each model's first replicate in MLflow, as this name, a dash and the model's.
    """
    if register_as is not None:
        registry.check_name(register_as)
    uri = store.resolve_uri(config.tracking.uri)
    client = store.open_store(uri)  # a store that is away is found first
    ratings = download(config.dataset)
    data = preprocess(config, ratings)
    check_queries(config, data)
    planned = planned_runs(config, data.sha256, data.held_out.sha256 if data.held_out else None)
    place = Place(uri, experiments.open_experiment(client, uri, config.name), identity(config, data))
    with lock(f"comparison-{place.identity}", f"experiment {config.name}"):
        reconcile(client, [place.experiment_id])
        complete = search.resolve_duplicates(client, place.experiment_id)
        missing = [run for run in planned if fresh or run.identity not in complete]
        result = None
        if not missing:
            used = [complete[run.identity] for run in planned]
            result = known_result(client, place.experiment_id, place.identity, used)
        if result is None:
            with opened(place, config, data) as where:
                with interrupts.interruptible():
                    complete |= train_all(config, data, missing, where, complete)
                result = compare_models(config, data, [complete[run.identity] for run in planned], where)
        publish(result, place)
    registered = registry.register(client, result.runs, register_as) if register_as is not None else {}
    return Outcome(result, len(missing), len(planned) - len(missing), registered)


def train_all(
    config: ExperimentConfig,
    data: Prepared,
    missing: Sequence[PlannedRun],
    where: Home,
    complete: Mapping[str, RunRef],
) -> dict[str, RunRef]:
    """Fit, evaluate and upload what is missing; what was complete all the same is replaced."""
    Thread(target=_import_ahead, daemon=True).start()
    progress.plan(f"{len(missing)} fits", _work(data.summary, missing))
    replaced = {run.identity: complete[run.identity].run_id for run in missing if run.identity in complete}
    for again in replaced:
        discard(again)
    shown = create_progress_artifact(0.0, key="training", description=f"{config.name}: {len(missing)} fits")
    done = {}
    for number, ref in enumerate(fits(config, data, missing, where, replaced), start=1):
        done[ref.identity] = ref
        update_progress_artifact(cast(UUID, shown), 100.0 * number / len(missing))
    return done


def _work(size: "Summary", runs: Sequence[PlannedRun]) -> dict[str, float]:
    """What each part of the fits comes to beside the others, in Gflop of training."""
    lists = size.users * (size.users + size.items) + size.items**2
    scores = {MODEL: lists, EVALUATION: 2 * size.users * size.items}  # those that are measured are sorted too
    trained = {f"train {run.label}": gflop((size.users, size.items), size.interactions, run.settings) for run in runs}
    return trained | {f"lists of {run.label}": SCORE_GFLOP * scores[run.role] for run in runs}


def _import_ahead() -> None:
    """What uploads, statistics, figures and report need, while children train."""
    uploads = "pyarrow.dataset", "mlflow.pyfunc"
    for name in (*uploads, "implicit", "scipy.stats", "matplotlib.backends.backend_svg", "jinja2"):
        import_module(name)


@contextmanager
def opened(place: Place, config: ExperimentConfig, data: Prepared) -> Iterator[Home]:
    """A new parent run, which takes the place of earlier ones once the block has filled it.

    Where the block fails, whatever of this flow run's is open in MLflow is closed: FAILED, or KILLED on cancellation.
    """
    client = store.open_store(place.uri)
    earlier = [run.info.run_id for run in search.complete_parents(client, place.experiment_id, place.identity)]
    tags = {"prefect.flow_run_id": str(runtime.flow_run.id)}
    if PREFECT_API_URL.value():  # the embedded server is gone when anybody could follow a link to it
        tags["prefect.flow_run_url"] = str(runtime.flow_run.ui_url)
    try:
        parent_id = _start_parent(client, place, config, data, tags)
        with alive(client, parent_id):
            yield Home(place.uri, place.experiment_id, parent_id, tags)
            runs.end_run(client, parent_id, "FINISHED")
            runs.supersede(client, earlier, parent_id)
            search.resolve_duplicates(client, place.experiment_id, place.identity)
            overtaken = "another process was the first to complete this fit"
            runs.close_open_runs(client, place.experiment_id, tags["prefect.flow_run_id"], "KILLED", overtaken)
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        reason = f"{type(error).__name__}: {error}"
        try:
            client = store.open_store(place.uri)
            runs.close_open_runs(client, place.experiment_id, tags["prefect.flow_run_id"], status, reason)
        except TrackingError as unreachable:
            log.warning("the runs under way could not be closed as %s: %s", status, unreachable)
        raise


def identity(config: ExperimentConfig, data: Prepared) -> str:
    """Of a comparison: its config and its data, wherever it runs."""
    return combined_sha256(config.digest(), data.sha256)


def publish(result: Result, place: Place) -> None:
    """The answer, the comparison and the lists as artifacts in Prefect, and the way to the run in MLflow."""
    runs.note_use(store.open_store(place.uri), result.parent_id)
    name = result.experiment
    create_markdown_artifact(_answer(result), key="verdict", description=name)
    create_table_artifact([_readable(row) for row in result.comparison], key="comparison", description=name)
    lists = [
        {"list of": query.name, "model": model, **_readable(entry)}
        for query in result.queries
        for model, found in query.models.items()
        for entry in found[: query.n]
    ]
    if lists:
        create_table_artifact(lists, key="lists", description=f"{name}: the n entries that most seeds list")
    if link := store.run_url(place.uri, place.experiment_id, result.parent_id):
        create_link_artifact(link, "The run in MLflow", key="mlflow-run", description=name)


def check_queries(config: ExperimentConfig, data: Prepared) -> None:
    """Refuse queries for users and items that the data do not have, before anything is trained.

    Raises
    ------
    ConfigError
        Naming each of them, and how many there are.
    """
    asked = config.queries
    limits = {"users": data.summary.users, "items": data.summary.items, "recommend_for": data.summary.users}
    problems = [
        f"queries.{key}: found {index}; the data have {'items' if key == 'items' else 'users'} 0 to {limit - 1}"
        for key, limit in limits.items()
        for index in getattr(asked, key)
        if index >= limit
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def _start_parent(
    client: "MlflowClient", place: Place, config: ExperimentConfig, data: Prepared, tags: dict[str, str]
) -> str:
    models = list(config.models)
    description = _description(config, data)
    parent_id = runs.start_run(
        client,
        place.experiment_id,
        " vs ".join(models) if len(models) < 5 else f"{len(models)} models",
        tags={
            "latentlab.role": PARENT,
            "latentlab.identity": place.identity,
            "latentlab.config_sha256": config.digest(),
            "latentlab.data_sha256": data.sha256,
            "latentlab.description": description,
            **tags,
        },
        description=description,
    )
    log_data(client, parent_id, config, data)
    return parent_id


def _description(config: ExperimentConfig, data: Prepared) -> str:
    """What is compared, in markdown, for the MLflow UI."""
    size = f"{data.summary.users:,} users, {data.summary.items:,} items, {data.summary.interactions:,} interactions"
    lines = [
        f"Neighbour lists of {len(config.models)} ALS models on **{config.dataset.name}** ({size}), "
        f"{config.replicates} seeds a model.",
        "",
        "| model | k | iterations | regularization | alpha |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, model in config.models.items():
        lines.append(f"| {name} | {model.factors} | {model.iterations} | {model.regularization:g} | {model.alpha:g} |")
    return "\n".join(lines)


def _answer(result: Result) -> str:
    """The sentence and the endpoints, in markdown."""
    lines = [
        f"**{result.sentence}**",
        "",
        "| lists | n | A | B | verdict | n·Δ | Δ | 95% interval | p (Holm) | within A | within B | between |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in result.answers:
        interval = each.note or "" if each.low_95 is None else f"{each.low_95:.3f} to {each.high_95:.3f}"
        overlaps = " | ".join(f"{x:.3f}" for x in (each.within_a, each.within_b, each.between))
        p = "" if each.p_holm is None else f"{each.p_holm:.4f}"
        lines.append(
            f"| {each.target} | {each.n} | {each.a} | {each.b} | {each.verdict or 'described'} | {each.n_delta:.2f} "
            f"| {each.delta:.3f} | {interval} | {p} | {overlaps} |"
        )
    return "\n".join(lines)


def _readable(row: object) -> dict[str, object]:
    """A row of the comparison with its means rounded, for people."""
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in vars(row).items()}
