"""The commands that look after the store: `verify`, `reconcile`, `ui`."""

import json
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from flows.cli.common import Json, open_default_store, print_json, store_name
from flows.cli.streams import say, say_on_stderr

commands = typer.Typer()


@commands.command()
def verify(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="As for show; with all its fits.")] = None,
    as_json: Json = False,
) -> None:
    """Hash every file again: runs against their manifests, and without RUN the local store too."""
    from flows.cli.printing.progress_bars import progress_bars
    from tasks.recovery.verify_home import verify_home
    from tasks.tracking.search import find_run, our_runs, with_fits
    from tasks.tracking.verify import Verified, verify_runs

    client = open_default_store()
    with progress_bars(hidden=as_json):
        home = [verify_home()] if run is None else []
        runs = list(verify_runs(client, our_runs(client) if run is None else with_fits(client, find_run(client, run))))
    verified = Verified.of(home, runs)
    if as_json:
        print_json(asdict(verified))
    else:
        for problem in verified.problems:
            say(f"{problem.problem:8} {problem.place:32} {problem.path}")
        where = f"{verified.runs} complete runs" + (" and the local store" if run is None else "")
        say(f"{verified.files:,} files of {where} hashed, {len(verified.problems)} damaged, missing or extra")
    if verified.problems:
        advice = (
            "latentlab run CONFIG trains a run again that was deleted, and with --fresh one that lacks files or its "
            "model; what is damaged in the local store is made again"
        )
        say_on_stderr(f"latentlab: {len(verified.problems)} files are damaged, missing or extra; {advice}")
        raise typer.Exit(5)


@commands.command()
def reconcile(as_json: Json = False) -> None:
    """Close the runs that a crash left open; one whose process is alive is never touched."""
    from tasks.recovery.reconcile import reconcile as close_dead_runs

    closed = [str(run.info.run_id) for run in close_dead_runs(open_default_store())]
    if as_json:
        print_json({"closed": closed})
    else:
        say("\n".join([f"{run_id} closed as FAILED" for run_id in closed] or ["No run was left open"]))


@commands.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Where to listen, on this machine alone.")] = 5000,
    as_json: Json = False,
) -> None:
    """Start the MLflow UI on this project's store, and print the address of its runs; Ctrl-C ends it."""
    from tasks.tracking.search import latest_experiment
    from tasks.tracking.store import resolve_uri, training_view

    uri = resolve_uri()
    address = training_view(f"http://127.0.0.1:{port}", latest_experiment(open_default_store()))
    say(json.dumps({"store": store_name(), "url": address}) if as_json else f"{store_name()} at {address}")
    sys.stdout.flush()
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    os.execv(sys.executable, [*command, "--port", str(port), "--workers", "1"])
