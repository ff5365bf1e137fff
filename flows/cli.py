"""The `latentlab` command. Each command imports what it needs: `--help` and `check` start at once."""

import atexit
import contextlib
import io
import json
import logging
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows import environment
from flows.failures import Guarded
from tasks.core.errors import OrchestrationError

if TYPE_CHECKING:
    from mlflow.entities import Run

    from tasks.core.config.experiment import ExperimentConfig

DEFAULT_CONFIG = Path("configs/quickstart.yaml")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else on stdout.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B.C=VALUE", help="Replace one key of the config; repeatable.")
]
ConfigFile = Annotated[Path, typer.Argument(help="A config file.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run id, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT, or latest.")
]


app = typer.Typer(
    cls=Guarded,
    help="Is one ALS model significantly different from another? Experiments over neighbour lists.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="The catalogue of data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@app.callback()
def settings(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and Prefect's own log.")] = False,
) -> None:
    """Is one ALS model significantly different from another? Experiments over neighbour lists."""
    environment.prepare(debug=debug)


@app.command()
def run(
    config: ConfigFile = DEFAULT_CONFIG,
    sets: Sets = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train everything anew; earlier runs are superseded.")] = False,
    register: Annotated[
        str | None,
        typer.Option("--register", metavar="NAME", help="Register each model's first replicate as NAME-MODEL."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an experiment: download, preprocess, train, evaluate, compare."""
    settings = _config(config, sets)
    _log_to_stderr()
    from flows.console import bars, err, out, show_result
    from tasks.tracking import registry, store

    # what the flow would refuse is refused before Prefect is started
    if register is not None:
        registry.check_name(register)
    uri = store.resolve_uri(settings.tracking.uri)
    if store.is_new(uri):  # making it takes seconds, in which an embedded server starts
        Thread(target=_make_store, args=(uri,), daemon=True).start()
    else:
        store.open_store(uri)
    from flows.experiment import experiment

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with bars(hidden=as_json):
        outcome = experiment(settings, fresh=fresh, register_as=register)
    result = outcome.result
    if as_json:
        did = {"trained": outcome.trained, "reused": outcome.reused, "registered": outcome.registered}
        _print_json({**asdict(result), **did})
        return
    show_result(result)
    out.print(f"\n{outcome.trained} fits trained, {outcome.reused} found complete. Every depth: latentlab show latest")
    for name, version in outcome.registered.items():
        out.print(f"Registered: models:/{name}/{version}")
    err.print(f"Parent run {result.parent_id} in {_shown_store(settings)}; look at it with: latentlab ui")


def _make_store(uri: str) -> None:
    """What goes wrong is told by the flow, which opens the store once more."""
    from tasks.tracking import store

    with contextlib.suppress(Exception):
        store.open_store(uri)


@app.command()
def check(config: ConfigFile, sets: Sets = None, as_json: Json = False) -> None:
    """Validate a config; print it resolved, and the time, memory and disk that it will take on this machine."""
    settings = _config(config, sets)
    from tasks.core.data.catalogue import entry
    from tasks.core.planning.estimate import estimate as forecast

    if settings.dataset.name == "file":
        summary = _prepared(settings).summary
        size, bound = (summary.users, summary.items, summary.interactions), ""
    else:
        known = entry(settings.dataset.name)
        size, bound = (known.users, known.items, known.rows), "at most "
    found = forecast(settings, *size)
    if as_json:
        counts = dict(zip(("users", "items", "interactions"), size, strict=True))
        _print_json(
            {
                "config": settings.model_dump(mode="json"),
                "config_sha256": settings.digest(),
                "data": counts,
                **asdict(found),
            }
        )
        return
    print(settings.to_yaml())
    print(f"config sha256   {settings.digest()}")
    print(f"data            {bound}{size[0]:,} users, {size[1]:,} items, {size[2]:,} interactions")
    print(f"confidence      {_confidence(settings)}")
    print(f"work            {found.fits} fits, {found.iterations:,} iterations, {bound}{found.gflop:,.0f} GFLOP")
    print(f"smallest p      {_smallest_p(settings)}")
    print(f"time            {bound}about {_duration(found.seconds)} on this machine, {_at_a_time(found.workers)}")
    print(f"memory          {bound}about {found.memory_bytes / 2**20:,.0f} MiB beside the libraries")
    print(f"disk            {bound}about {found.disk_bytes / 2**20:,.0f} MiB written")


def _duration(seconds: float) -> str:
    hours, minutes = seconds / 3600, seconds / 60
    return (
        f"{hours:.1f} hours" if hours >= 2 else f"{minutes:.0f} minutes" if minutes >= 2 else f"{seconds:.0f} seconds"
    )


def _at_a_time(workers: int) -> str:
    return "a fit at a time" if workers == 1 else f"{workers} fits at a time"


@app.command()
def runs(as_json: Json = False) -> None:
    """List experiments, their comparisons, and every model's runs with their status."""
    from tasks.tracking.runs import is_complete, run_ref
    from tasks.tracking.search import our_runs

    client = _client()
    names = {str(found.experiment_id): found.name for found in client.search_experiments()}
    rows = []
    for found in sorted(our_runs(client), key=lambda found: (names[found.info.experiment_id], found.info.start_time)):
        ref = run_ref(found)
        superseded = "latentlab.superseded" in found.data.tags
        rows.append(
            {
                "experiment": names[found.info.experiment_id],
                "role": ref.role,
                "model": ref.model,
                "replicate": ref.replicate if ref.model else None,
                "status": found.info.status,
                "complete": is_complete(found),
                "superseded": superseded,
                "run_id": ref.run_id,
                "parent_id": found.data.tags.get("mlflow.parentRunId"),
            }
        )
    if as_json:
        _print_json({"store": _shown_store(), "runs": rows})
        return
    from flows.console import columns_table, out

    shown = [
        {
            "experiment": row["experiment"],
            "run": {"parent": "parent", "evaluation": "evaluation of "}.get(row["role"], "")
            + (f"{row['model']}/{row['replicate']}" if row["model"] else ""),
            "status": "superseded" if row["superseded"] else row["status"],
            "run id": row["run_id"],
        }
        for row in rows
    ]
    out.print(columns_table(shown, f"{len(rows)} runs in {_shown_store()}") if rows else "No runs yet: latentlab run")


@app.command()
def show(run: RunName, as_json: Json = False) -> None:
    """Show what is in a run: of a comparison its tables, of a model's run its parameters, metrics and lists."""
    from flows.console import columns_table, out, show_result
    from tasks.core.planning.runs import PARENT
    from tasks.tracking import results, runs, search

    client = _client()
    found = search.find_run(client, run)
    if runs.run_ref(found).role == PARENT:
        result = results.result_of(client, found)
        _print_json(asdict(result)) if as_json else show_result(result, every_depth=True)
        return
    content: dict[str, Any] = {
        "run_id": found.info.run_id,
        "name": found.info.run_name,
        "status": found.info.status,
        "complete": runs.is_complete(found),
        "params": dict(sorted(found.data.params.items())),
        "metrics": dict(sorted(found.data.metrics.items())),
        "tables": _tables(found),
    }
    if as_json:
        _print_json(content)
        return
    for part in ("params", "metrics"):
        rows = [{"name": key, "value": value} for key, value in content[part].items()]
        out.print(columns_table(rows, f"{content['name']}: {part} ({content['status']})"))
    for path, rows in content["tables"].items():
        out.print(columns_table(rows, path))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="EXPERIMENT/MODEL, a run, an EXPERIMENT, or latest.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    as_json: Json = False,
) -> None:
    """Compare models that were trained before; nothing is trained."""
    _log_to_stderr()
    from flows.compare import compare as compared
    from flows.console import bars, show_result
    from tasks.tracking.store import resolve_uri

    with bars(hidden=as_json):
        result = compared(a, b, resolve_uri())
    _print_json(asdict(result)) if as_json else show_result(result)


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="As for show.")] = "latest", as_json: Json = False
) -> None:
    """Open a comparison's report in the browser."""
    from tasks.reporting.report import REPORT
    from tasks.tracking import artifacts, search

    client = _client()
    path = artifacts.read_artifact(client, search.find_run(client, run).info.run_id, REPORT)
    _print_json({"report": str(path)}) if as_json else print(path)
    if not as_json:
        typer.launch(path.as_uri())


@app.command()
def similar(
    run: RunName,
    user: Annotated[str | None, typer.Option("--user", help="A user's index, by first appearance.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="An item's index, by first appearance.")] = None,
    n: Annotated[int, typer.Option("-n", help="How many neighbours.")] = 5,
    raw: Annotated[bool, typer.Option("--raw", help="The number is the data set's own id.")] = False,
    as_json: Json = False,
) -> None:
    """List the nearest neighbours of a user or an item, of each model side by side."""
    if (user is None) == (item is None):
        raise typer.BadParameter("give either --user or --item")
    target, asked = ("items", str(item)) if user is None else ("users", user)
    _print_lists(run, target, asked, n=n, raw=raw, as_json=as_json)


@app.command()
def recommend(
    run: RunName,
    user: Annotated[str, typer.Option("--user", help="A user's index, by first appearance.")],
    n: Annotated[int, typer.Option("-n", help="How many items.")] = 10,
    raw: Annotated[bool, typer.Option("--raw", help="The number is the data set's own id.")] = False,
    as_json: Json = False,
) -> None:
    """List recommendations for a user, of each model side by side."""
    _print_lists(run, "recommendations", user, n=n, raw=raw, as_json=as_json)


@app.command()
def verify(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="As for show; with all its fits.")] = None,
    as_json: Json = False,
) -> None:
    """Hash every file again: runs against their manifests, and without RUN the local store too."""
    from flows.console import bars
    from tasks.tracking.search import find_run, our_runs, with_fits
    from tasks.tracking.verify import verify as verified

    client = _client()
    chosen = our_runs(client) if run is None else with_fits(client, find_run(client, run))
    with bars(hidden=as_json):
        found = verified(client, chosen, with_home=run is None)
    if as_json:
        _print_json(asdict(found))
    else:
        for each in found.problems:
            print(f"{each.problem:8} {each.place:32} {each.path}")
        where = f"{found.runs} complete runs" + (" and the local store" if run is None else "")
        print(f"{found.files:,} files of {where} hashed, {len(found.problems)} not as they were written")
    if found.problems:
        advice = "latentlab run CONFIG --fresh trains a run anew; what is damaged in the local store is made anew"
        typer.echo(f"latentlab: {len(found.problems)} files are damaged, missing or extra; {advice}", err=True)
        raise typer.Exit(5)


@app.command()
def reconcile(as_json: Json = False) -> None:
    """Close the runs that a crash left open; one whose process is alive is never touched."""
    from tasks.recovery.reconcile import reconcile as reconciled

    closed = [str(run.info.run_id) for run in reconciled(_client())]
    if as_json:
        _print_json({"closed": closed})
    else:
        print("\n".join([f"{run_id} closed as FAILED" for run_id in closed] or ["Nothing was left open"]))


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Where to listen, on this machine alone.")] = 5000,
    as_json: Json = False,
) -> None:
    """Start the MLflow UI on this project's store; Ctrl-C ends it."""
    from tasks.tracking import store

    uri = store.resolve_uri()
    store.open_store(uri)
    address = f"http://127.0.0.1:{port}"
    print(
        json.dumps({"store": _shown_store(), "url": address}) if as_json else f"{_shown_store()} at {address}",
        flush=True,
    )
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    os.execv(sys.executable, [*command, "--port", str(port), "--workers", "1"])


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets known by name, with their terms."""
    from tasks.core.data.catalogue import catalogue

    entries = catalogue()
    if as_json:
        _print_json({"datasets": {name: known.model_dump(mode="json") for name, known in entries.items()}})
        return
    for name, known in entries.items():
        print(f"{name}\n  {known.title}: {known.users:,} users, {known.items:,} items, {known.rows:,} ratings")
        for text in (known.homepage, known.licence, known.citation):
            if text:
                print(f"  {text}")


@data_app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(help="A name from `data list`.")], as_json: Json = False) -> None:
    """Download (or make) a data set, unless it is here already."""
    _log_to_stderr()
    from flows.console import bars
    from tasks.core.config.dataset import DatasetConfig
    from tasks.download import fetch_dataset

    with bars(hidden=as_json):
        located = fetch_dataset(DatasetConfig(name=name))
    _print_json(asdict(located)) if as_json else print(f"{located.path}\nsha256 of the ratings {located.sha256}")


@data_app.command("describe")
def data_describe(config: ConfigFile, sets: Sets = None, as_json: Json = False) -> None:
    """Prepare a config's data, and print how many users, items and interactions it gives."""
    settings = _config(config, sets)
    _log_to_stderr()
    prepared = _prepared(settings)
    if as_json:
        _print_json({"dataset": settings.dataset.name, "data_sha256": prepared.sha256, **asdict(prepared.summary)})
        return
    from flows.console import out, summary_table

    out.print(summary_table(settings.dataset.name, prepared.summary))


def main() -> None:
    """The console script's entry point.

    The process ends after Python's own exit handlers and before the destructors of C++ libraries: pyarrow's, when its
    threads have only just started, abort a finished command now and then (seen with Python 3.13).
    """
    code = 1

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)

    atexit.register(leave)  # the first to be registered is the last to be run
    try:
        app(prog_name="latentlab")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if code == OrchestrationError.exit_code:  # why was said: Prefect's threads would go on about it for 30 seconds
            logging.disable()
            sys.stderr = io.StringIO()
        raise


def _config(path: Path, sets: list[str] | None) -> "ExperimentConfig":
    from tasks.core.config.load import load_config
    from tasks.core.data.catalogue import entry

    config = load_config(path, sets or ())
    if config.dataset.name != "file":
        entry(config.dataset.name)
    return config


def _prepared(config: "ExperimentConfig") -> Any:
    from flows.console import bars
    from tasks.download import fetch_dataset
    from tasks.preprocess import prepare

    with bars(hidden=False):
        return prepare(config.dataset, config.preprocess, fetch_dataset(config.dataset))


def _confidence(config: "ExperimentConfig") -> str:
    kind = config.preprocess.confidence
    if kind == "binary":
        stored = "1"
    elif kind == "rating":
        stored = "r"
    elif kind.transform == "linear":
        stored = f"1 + {kind.alpha:g}·r"
    else:
        stored = f"1 + {kind.alpha:g}·log(1 + r/{kind.epsilon:g})"
    alphas = {name: f"{settings.alpha:g}" for name, settings in config.models.items()}
    shown = ", ".join(f"{name} {alpha}" for name, alpha in alphas.items())
    if len(set(alphas.values())) == 1:
        shown = next(iter(alphas.values()))
    return f"alpha·({stored}) reaches ALS; r the rating, 1 where there is none; alpha of the models: {shown}"


def _smallest_p(config: "ExperimentConfig") -> str:
    from tasks.core.comparison.endpoints import family_size
    from tasks.core.inference.multiplicity import LEVEL
    from tasks.core.inference.permutation import replicates_needed, smallest_p

    if config.replicates < 2 or len(config.models) < 2:
        return "none: a test needs two models with two replicates each"
    tests = family_size(config)
    least = smallest_p(config.replicates, config.replicates, endpoints=tests)
    said = f"{least:.2g} after Holm over {tests} tests, with {config.replicates} replicates"
    needed = f": nothing can be significant; {replicates_needed(tests)} would suffice"
    return said + (needed if least > LEVEL else "")


def _client() -> Any:
    from tasks.tracking import store

    return store.open_store(store.resolve_uri())


def _shown_store(config: "ExperimentConfig | None" = None) -> str:
    from tasks.tracking.store import resolve_uri, without_secrets

    return without_secrets(resolve_uri(config.tracking.uri if config else None))


def _tables(run: "Run") -> dict[str, list[dict[str, Any]]]:
    """The tables of a complete run, as rows."""
    from tasks.tracking import artifacts

    client = _client()
    found = {}
    for logged in json.loads(run.data.tags.get("mlflow.loggedArtifacts", "[]")):
        table = json.loads(artifacts.read_artifact(client, run.info.run_id, logged["path"]).read_text(encoding="utf-8"))
        found[logged["path"]] = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    return found


def _print_lists(run: str, target: str, asked: str, *, n: int, raw: bool, as_json: bool) -> None:
    from flows.console import out, query_table
    from tasks.tracking import lists, search

    client = _client()
    found = lists.lookup(client, search.find_run(client, run), target, asked, n=n, raw=raw)
    _print_json(asdict(found)) if as_json else out.print(query_table(found))


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, allow_nan=False))


def _log_to_stderr() -> None:
    """Our own messages, as short lines above the bars."""
    from rich.logging import RichHandler

    from flows.console import err

    handler = RichHandler(console=err, show_time=False, show_level=False, show_path=False)
    for name in ("tasks", "flows"):
        logging.getLogger(name).addHandler(handler)


if __name__ == "__main__":
    main()
