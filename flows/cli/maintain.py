"""The commands that look after the store: `verify`, `reconcile`, `ui`, `promote`."""

import json
import os
import socket
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from flows.cli.common import Json, open_default_store, print_json, store_name
from flows.cli.streams import say, say_on_stderr
from tasks.core.errors import ConfigError

commands = typer.Typer()


@commands.command()
def verify(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="As for show; with all its fits.")] = None,
    as_json: Json = False,
) -> None:
    """Hash every file again: runs against their manifests, and without RUN the local store too."""
    from flows.cli.printing.progress_bars import progress_bars
    from tasks.recovery.verify_home import verify_home
    from tasks.tracking.reading.named_run import find_run
    from tasks.tracking.search import our_runs, with_fits
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
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="As for show: whose page to open, in place of all runs.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="The page with one fit of each model of the comparison side by side.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Where to listen, on this machine alone.")
    ] = 5000,
    as_json: Json = False,
) -> None:
    """Start the MLflow UI on this project's store, and print the address of a page; Ctrl-C ends it."""
    from tasks.tracking.store import page_url, resolve_uri
    from tasks.tracking.ui.pages import page_of

    uri = resolve_uri()
    page = page_of(open_default_store(), run, compare=compare)
    served = page_url(uri, page)  # a server has its UI already
    if not served:
        _check_free(port)
    address = served or f"http://127.0.0.1:{port}/{page}"
    say(json.dumps({"store": store_name(), "url": address}) if as_json else f"{store_name()} at {address}")
    if served:
        return
    sys.stdout.flush()
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    os.execv(sys.executable, [*command, "--port", str(port), "--workers", "1"])


def _check_free(port: int) -> None:
    """Refuse a port that cannot be listened on: MLflow's server would print a log, and end as if it had run."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as MLflow's server does
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            message = (
                f"--port: {port} cannot be listened on: {error.strerror}; choose another, such as --port {port + 1}"
            )
            raise ConfigError(message) from error


@commands.command()
def promote(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A registered model.")],
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Number of one of its versions.")],
    condition: Annotated[
        Literal["practically-same", "more-accurate"] | None,
        typer.Option("--if", help="Only if the last comparison with the champion finds this, else exit with code 7."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a version of a registered model the alias champion."""
    from tasks.tracking.logged_models.promotion import promote as make_champion

    promotion = make_champion(open_default_store(), name, str(version), condition)
    if as_json:
        print_json(asdict(promotion))
    else:
        before = f"; before it was version {promotion.before}" if promotion.before else ""
        was = " already" if promotion.before == promotion.version else before
        say(" ".join([f"models:/{name}@champion is version {version}{was}.", promotion.reason]).strip())
