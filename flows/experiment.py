"""The experiment, from a config to a comparison: what happens in which order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from prefect import flow, runtime
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.settings import PREFECT_API_URL

from tasks import progress, tracking
from tasks.compare import compare_models
from tasks.core import als
from tasks.core.config import ExperimentConfig
from tasks.core.errors import ConfigError
from tasks.core.plan import planned_runs
from tasks.download import download
from tasks.evaluate import evaluate
from tasks.preprocess import Prepared, load, preprocess
from tasks.result import Result
from tasks.train import Home, log_data, split, train


@dataclass(frozen=True)
class Outcome:
    """What a flow run did: the result, and how many fits it trained and how many it found complete."""

    result: Result
    trained: int
    reused: int


@flow(name="experiment", flow_run_name="{config.name}", validate_parameters=True)
def experiment(config: ExperimentConfig, fresh: bool = False) -> Outcome:
    """Train every model with every seed, list neighbours, and compare the models by their lists.

    What an earlier run of the same settings completed is used again; `fresh` trains everything anew.
    """
    ratings = download(config.dataset)
    data = preprocess(config.dataset, config.preprocess, ratings)
    check_queries(config, data)
    if config.evaluation is not None:
        split(config, load(data.file))  # refused now rather than when every model is trained
    where, was_complete = open_parent(config, data, fresh=fresh)
    client = tracking.open_store(where.uri)
    with closing(where, was_complete=was_complete):
        complete = tracking.complete_runs(client, [where.experiment_id])
        planned = planned_runs(config, data.sha256)
        missing = [run for run in planned if fresh or run.identity not in complete]
        replaced = [complete[run.identity].run_id for run in missing if run.identity in complete]
        size = (data.summary.users, data.summary.items), data.summary.interactions
        progress.plan({f"train {run.label}": als.gflop(*size, run.settings) for run in missing})
        shown = create_progress_artifact(0.0, key="training", description=f"{config.name}: {len(missing)} fits")
        for number, run in enumerate(missing, start=1):
            complete[run.identity] = evaluate(config, data, run, train(config, data, run, where), where)
            update_progress_artifact(cast(UUID, shown), 100.0 * number / len(missing))
        result = compare_models(config, data, [complete[run.identity] for run in planned], where)
        tracking.supersede(client, replaced, where.parent_id)
        publish(result)
        tracking.end_run(client, where.parent_id, "FINISHED")
    return Outcome(result, len(missing), len(planned) - len(missing))


@contextmanager
def closing(where: Home, *, was_complete: bool) -> Iterator[None]:
    """Close whatever of this flow run's is open in MLflow when the block fails: FAILED, or KILLED on cancellation."""
    try:
        yield
    except BaseException as error:
        client = tracking.open_store(where.uri)
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        reason = f"{type(error).__name__}: {error}"
        flow_run_id = where.tags["prefect.flow_run_id"]
        if was_complete:  # what it holds was finished by an earlier flow and still is
            tracking.end_run(client, where.parent_id, "FINISHED")
        tracking.close_open_runs(client, where.experiment_id, flow_run_id, status, reason)
        raise


def publish(result: Result) -> None:
    """The answer and the comparison as artifacts in Prefect."""
    create_table_artifact(
        [_readable(row) for row in result.comparison], key="comparison", description=result.experiment
    )
    create_markdown_artifact(_answer(result), key="verdict", description=result.experiment)


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


def open_parent(config: ExperimentConfig, data: Prepared, *, fresh: bool) -> tuple[Home, bool]:
    """The place in MLflow where this experiment's runs go."""
    uri = tracking.resolve_uri(config.tracking.uri)
    client = tracking.open_store(uri)
    experiment_id = tracking.open_experiment(client, uri, config.name)
    tags = {"prefect.flow_run_id": str(runtime.flow_run.id)}
    if PREFECT_API_URL.value():  # the embedded server is gone when anybody could follow a link to it
        tags["prefect.flow_run_url"] = str(runtime.flow_run.ui_url)
    models = list(config.models)
    parent_id, was_complete = tracking.open_parent(
        client,
        experiment_id,
        " vs ".join(models) if len(models) < 5 else f"{len(models)} models",
        description=_description(config, data),
        config_sha256=config.digest(),
        data_sha256=data.sha256,
        fresh=fresh,
        tags=tags,
    )
    if not was_complete:
        log_data(client, parent_id, config, data)
    return Home(uri, experiment_id, parent_id, tags), was_complete


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
        "| lists | n | models | within A | within B | between | Δ | 95% interval | n·Δ | p (Holm) | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in result.answers:
        interval = each.note or "" if each.low_95 is None else f"{each.low_95:.3f} to {each.high_95:.3f}"
        numbers = " | ".join(f"{x:.3f}" for x in (each.within_a, each.within_b, each.between, each.delta))
        p = "" if each.p_holm is None else f"{each.p_holm:.4f}"
        lines.append(
            f"| {each.target} | {each.n} | {each.a} (A), {each.b} (B) | {numbers} | {interval} | {each.n_delta:.2f} "
            f"| {p} | {each.verdict or 'described'} |"
        )
    return "\n".join(lines)


def _readable(row: object) -> dict[str, object]:
    """A row of the comparison with its means rounded, for people."""
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in vars(row).items()}
