"""The commands that run flows: `run`, `compare`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import (
    Json,
    Sets,
    load,
    log_to_stderr,
    open_default_store,
    open_store,
    print_json,
    store_name,
)
from tasks.core.errors import ConfigError
from tasks.core.formatting import enumerated

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig
    from tasks.reporting.result import Result

_DEFAULT_CONFIG = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
"""It is in the checkout, wherever the command is called."""

commands = typer.Typer()


@commands.command()
def run(
    config: Annotated[
        Path, typer.Argument(help="A config file.", show_default="configs/quickstart.yaml of the checkout")
    ] = _DEFAULT_CONFIG,
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
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="VERDICT", help="Exit with code 7 if the verdict is another; not:VERDICT: if it is it."),
    ] = None,
    expect_accuracy: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL:METRIC>=VALUE", help="Exit with code 7 if the accuracy is lower; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an experiment: download, preprocess, train, evaluate, compare."""
    if consensus and register is None:
        raise typer.BadParameter("--consensus needs --register NAME")
    if expect and len(expect) > 1:  # of an option that takes one value, all but the last would be ignored
        raise ConfigError(f"--expect: found {enumerated(expect)}; expected the option once: there is one verdict")
    settings = load(config, sets)
    from tasks.core.planning.expectations import Expectations

    expected = Expectations.of(settings, expect[0] if expect else None, expect_accuracy or ())
    result = _run_experiment(settings, fresh=fresh, register=register, consensus=consensus, as_json=as_json)
    expected.check(next(iter(result.answers), None), {(row.model, row.metric): row.mean for row in result.accuracy})


def _run_experiment(
    settings: "ExperimentConfig",
    *,
    fresh: bool = False,
    register: str | None = None,
    consensus: bool = False,
    as_json: bool = False,
) -> "Result":
    """Run an experiment, print its result, and return it."""
    log_to_stderr()
    from flows.cli.printing.progress_bars import progress_bars
    from flows.cli.printing.result_tables import show_result
    from flows.cli.printing.tables import err, out
    from tasks.core.formatting import counted
    from tasks.tracking import store
    from tasks.tracking.experiments import check_name
    from tasks.tracking.local_reader.reader import open_reader
    from tasks.tracking.logged_models import registry

    # what the flow would refuse is refused before Prefect is started
    uri = store.resolve_uri(settings.tracking.uri)
    registry_uri = store.resolve_registry(uri, settings.tracking.registry)
    registry.check(register, settings.most_replicates, consensus=consensus, uri=registry_uri)
    if not store.is_new(uri) and open_reader(uri) is None:
        check_name(open_store(uri), uri, settings.mlflow_experiment)
    from flows.embedded_server import embedded_server

    with embedded_server():  # while it starts, a store is made, which takes seconds, or opened with an import of MLflow
        open_store(uri)
        from flows.experiment import experiment
    with progress_bars(hidden=as_json):
        outcome = experiment(settings, fresh=fresh, register_as=register, consensus=consensus)
    result = outcome.result
    if as_json:
        counts = {"trained": outcome.trained, "reused": outcome.reused, "registered": outcome.registered}
        print_json({**asdict(result), **counts})
        return result
    show_result(result)
    done = f"{counted(outcome.trained, 'fit')} trained, {outcome.reused} found complete. " if settings.trained else ""
    out.print(f"\n{done}Every depth: latentlab show latest")
    for name, version in outcome.registered.items():
        out.print(f"Registered: models:/{name}/{version}")
    err.print(f"Parent run {result.parent_id} in {store_name(settings)}; look at it with: latentlab ui")
    return result


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
    margin_query: Annotated[float | None, typer.Option(help="The same for the list of one query; 0.2.")] = None,
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
            margin_query=margin_query,
            overrides=sets or (),
        )
        _run_experiment(settings, as_json=as_json)
        return
    if a is None or b is None:
        raise typer.BadParameter(
            "expected two models A and B, or files: --lists MODEL=PATTERN, --factors MODEL=PATTERN"
        )
    log_to_stderr()
    from flows.cli.printing.progress_bars import progress_bars
    from flows.cli.printing.result_tables import show_result
    from flows.compare import compare as compare_flow
    from flows.embedded_server import start_embedded_server
    from tasks.tracking.store import resolve_uri

    open_default_store()  # here an old store can be asked about
    start_embedded_server()
    with progress_bars(hidden=as_json):
        result = compare_flow(a, b, resolve_uri())
    print_json(asdict(result)) if as_json else show_result(result)
