"""The commands that run flows: `run`, `check`, `compare`."""

import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import (
    ConfigFile,
    Json,
    Sets,
    load,
    log_to_stderr,
    open_default_store,
    open_store,
    print_json,
    store_name,
)
from flows.cli.streams import say

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig
    from tasks.core.inference.sequential import Look

DEFAULT_CONFIG = Path("configs/quickstart.yaml")
_UNRESOLVED = "queries name users or items by their ids, which are looked up when `run` reads the data"

commands = typer.Typer()


@commands.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    sets: Sets = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train everything again; earlier runs are superseded.")
    ] = False,
    register: Annotated[
        str | None,
        typer.Option("--register", metavar="NAME", help="Register each model's first replicate as NAME-MODEL."),
    ] = None,
    consensus: Annotated[
        bool,
        typer.Option("--consensus", help="Register the consensus of each model's seeds instead."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run an experiment: download, preprocess, train, evaluate, compare."""
    if consensus and register is None:
        raise typer.BadParameter("--consensus needs --register NAME")
    _run_experiment(load(config, sets), fresh=fresh, register=register, consensus=consensus, as_json=as_json)


def _run_experiment(
    settings: "ExperimentConfig",
    *,
    fresh: bool = False,
    register: str | None = None,
    consensus: bool = False,
    as_json: bool = False,
) -> None:
    log_to_stderr()
    from flows.cli.progress_bars import progress_bars
    from flows.cli.result_tables import show_result
    from flows.cli.tables import err, out
    from tasks.core.formatting import counted
    from tasks.tracking import store
    from tasks.tracking.logged_models import registry

    # what the flow would refuse is refused before Prefect is started
    registry.check(register, settings.most_replicates, consensus=consensus)
    uri = store.resolve_uri(settings.tracking.uri)
    if store.is_new(uri):  # making it takes seconds, during which an embedded Prefect server starts
        Thread(target=_make_store, args=(uri,), daemon=True).start()
    else:
        open_store(uri)
    from flows.embedded_server import start_embedded_server
    from flows.experiment import experiment

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start_embedded_server()
    with progress_bars(hidden=as_json):
        outcome = experiment(settings, fresh=fresh, register_as=register, consensus=consensus)
    result = outcome.result
    if as_json:
        counts = {"trained": outcome.trained, "reused": outcome.reused, "registered": outcome.registered}
        print_json({**asdict(result), **counts})
        return
    show_result(result)
    done = f"{counted(outcome.trained, 'fit')} trained, {outcome.reused} found complete. " if settings.trained else ""
    out.print(f"\n{done}Every depth: latentlab show latest")
    for name, version in outcome.registered.items():
        out.print(f"Registered: models:/{name}/{version}")
    err.print(f"Parent run {result.parent_id} in {store_name(settings)}; look at it with: latentlab ui")


@commands.command()
def check(config: ConfigFile, sets: Sets = None, as_json: Json = False) -> None:
    """Validate a config; print it resolved, the time, memory and disk that it will take here, and what it can show."""
    settings = load(config, sets)
    from flows.cli.planned_precision import Planned, plan, show_plan
    from tasks.core.data.catalogue import catalogue_entry
    from tasks.core.planning.estimate import estimate
    from tasks.core.planning.looks import fits_until, planned_looks

    data_sha256, ratings, test_file, unresolved = None, None, None, False
    if settings.dataset.name == "file":
        from flows.cli.progress_bars import progress_bars
        from tasks.core.planning.runs import planned_runs
        from tasks.download import fetch_dataset
        from tasks.preprocess import check_queries, check_resample, preprocess, resolve_queries

        with progress_bars():
            prepared = preprocess.fn(settings, fetch_dataset(settings.dataset))  # refuses what a run refuses
        settings = resolve_queries(settings, prepared)
        check_queries(settings, prepared)
        check_resample(settings, prepared, planned_runs(settings, prepared.sha256))
        summary, ratings = prepared.summary, prepared.ratings
        test_file = prepared.held_out.published if prepared.held_out else None
        size, bound, data_sha256 = (summary.users, summary.items, summary.interactions), "", prepared.sha256
    else:
        entry = catalogue_entry(settings.dataset.name)
        size, bound = (entry.users, entry.items, entry.rows), "at most "
        unresolved = settings.queries.has_raw_ids
    # which users and items they are changes no estimate
    estimated = settings.with_queries(settings.queries.with_first_indexes()) if unresolved else settings
    work = estimate(estimated, *size)
    looks = planned_looks(settings)
    planned = Planned(problem=_UNRESOLVED) if unresolved else plan(settings, data_sha256)
    if as_json:
        print_json(
            {
                "config": settings.model_dump(mode="json"),
                "config_sha256": settings.digest(),
                "data": dict(zip(("users", "items", "interactions"), size, strict=True)),
                "ratings": ratings and asdict(ratings),
                "test_file": test_file and asdict(test_file),
                **asdict(work),
                "looks": [
                    {**asdict(look), "replicates": look.replicates, "fits": fits_until(look, settings)}
                    for look in looks
                ],
                **planned.record(),
            }
        )
        return
    at_a_time = "one fit at a time" if work.workers == 1 else f"{work.workers} fits at a time"
    say(settings.to_yaml())
    say(f"config sha256   {settings.digest()}")
    say(f"data            {bound}{size[0]:,} users, {size[1]:,} items, {size[2]:,} interactions")
    if ratings:
        say(f"ratings         {ratings.text(settings.preprocess)}")
    if test_file:
        say(f"test file       {test_file.text(settings.preprocess)}")
    say(f"confidence      {_confidence(settings)}")
    most = "at most " if looks else ""  # with planned looks, training may stop before the last
    bound = bound or most
    say(f"work            {most}{work.fits} fits, {work.iterations:,} iterations, {bound}{work.gflop:,.0f} GFLOP")
    say(f"smallest p      {_smallest_p(settings)}")
    for look in looks:
        say(f"{look.title:15} {_look_text(look, fits_until(look, settings))}")
    say(f"time            {bound}about {_duration(work.seconds)} on this machine, {at_a_time}")
    say(f"memory          {bound}about {work.memory_bytes / 2**20:,.0f} MiB beside the libraries")
    say(f"disk            {bound}about {work.disk_bytes / 2**20:,.0f} MiB written")
    show_plan(planned, settings, config, sets)


@commands.command()
def compare(
    a: Annotated[
        str | None, typer.Argument(metavar="A", help="EXPERIMENT/MODEL, a run, an EXPERIMENT, or latest.")
    ] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help="The same.")] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=PATTERN", help="Files of lists that others made, one for each run; repeatable."),
    ] = None,
    factors: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=PATTERN", help="Files of factors, one or a pair for each run; repeatable."),
    ] = None,
    of: Annotated[
        str | None, typer.Option(metavar="WHAT", help="What the files list: users, items or recommendations.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the MLflow experiment.")] = "files",
    interactions: Annotated[
        str | None, typer.Option(metavar="FILE", help="Ratings that the models were trained on.")
    ] = None,
    test: Annotated[str | None, typer.Option(metavar="FILE", help="Held-out ratings, to measure accuracy.")] = None,
    intersect: Annotated[
        bool, typer.Option("--intersect", help="Compare the users and items that all models have.")
    ] = False,
    baseline: Annotated[str | None, typer.Option(metavar="MODEL", help="Default: the first model.")] = None,
    n: Annotated[int | None, typer.Option("-n", "--n", help="Length of the lists; 5, or 10 recommendations.")] = None,
    depths: Annotated[str | None, typer.Option(metavar="N,N,...", help="Lengths at which overlaps are shown.")] = None,
    margin: Annotated[float | None, typer.Option(help="The smallest difference that matters; 0.1.")] = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Compare models that exist, two of the store or those of files; nothing is trained."""
    from flows.compare import config_of_files

    if lists or factors:
        if a is not None:
            raise typer.BadParameter(f"found {a!r} beside --lists or --factors; expected either runs or files")
        settings = config_of_files(
            lists or [],
            factors or [],
            name=name,
            of=of,
            interactions=interactions,
            test=test,
            intersect=intersect,
            baseline=baseline,
            n=n,
            depths=depths,
            margin=margin,
            overrides=sets or (),
        )
        _run_experiment(settings, as_json=as_json)
        return
    if a is None or b is None:
        raise typer.BadParameter(
            "expected two models A and B, or files: --lists MODEL=PATTERN, --factors MODEL=PATTERN"
        )
    log_to_stderr()
    from flows.cli.progress_bars import progress_bars
    from flows.cli.result_tables import show_result
    from flows.compare import compare as compare_flow
    from flows.embedded_server import start_embedded_server
    from tasks.tracking.store import resolve_uri

    open_default_store()  # here an old store can be asked about
    start_embedded_server()
    with progress_bars(hidden=as_json):
        result = compare_flow(a, b, resolve_uri())
    print_json(asdict(result)) if as_json else show_result(result)


def _make_store(uri: str) -> None:
    """Make a store. The flow opens it again, and reports what is wrong."""
    from tasks.tracking.store import open_store

    with suppress(Exception):
        open_store(uri)


def _duration(seconds: float) -> str:
    hours, minutes = seconds / 3600, seconds / 60
    if hours >= 2:
        return f"{hours:.1f} hours"
    return f"{minutes:.0f} minutes" if minutes >= 2 else f"{seconds:.0f} seconds"


def _confidence(config: "ExperimentConfig") -> str:
    """Return what reaches ALS for a rating r, as a formula."""
    kind = config.preprocess.confidence
    if kind == "binary":
        stored = "1"
    elif kind == "rating":
        stored = "r"
    elif kind.transform == "linear":
        stored = f"1 + {kind.alpha:g}·r"
    else:
        stored = f"1 + {kind.alpha:g}·log(1 + r/{kind.epsilon:g})"
    alphas = {name: f"{settings.alpha:g}" for name, settings in config.trained.items()}
    if len(set(alphas.values())) == 1:
        alpha = next(iter(alphas.values()))
    else:
        alpha = ", ".join(f"{name} {alpha}" for name, alpha in alphas.items())
    return f"alpha·({stored}) reaches ALS; r is the rating, 1 if there is none; alpha of the models: {alpha}"


def _look_text(look: "Look", fits: int) -> str:
    """Return what a planned look costs and whether it can find a difference."""
    text = f"{look.replicates} seeds per model, {fits} fits: "
    level, smallest = f"level {look.levels.difference:.2g}", f"smallest p {look.smallest_p:.2g}"
    if look.skipped:
        return f"{text}skipped ({smallest}, {level})"
    cannot_decide = look.smallest_p > look.levels.difference
    return f"{text}{level}, {smallest}" + (": nothing can be significant" if cannot_decide else "")


def _smallest_p(config: "ExperimentConfig") -> str:
    from tasks.core.comparison.endpoints import family_size
    from tasks.core.inference.multiplicity import LEVEL
    from tasks.core.inference.permutation import replicates_needed, smallest_p

    replicates = config.most_replicates
    if replicates < 2 or len(config.models) < 2:
        return "none: a test needs two models with two replicates each"
    tests = family_size(config)
    smallest = smallest_p(replicates, replicates, endpoints=tests)
    text = f"{smallest:.2g} after Holm over {tests} tests, with {replicates} replicates"
    needed = f": nothing can be significant; {replicates_needed(tests)} would suffice"
    return text + (needed if smallest > LEVEL else "")
