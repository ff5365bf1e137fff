"""The command `search`: settings of models, chosen on the validation part."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import (
    ConfigFile,
    Json,
    Sets,
    load,
    log_to_stderr,
    open_store,
    print_json,
    refuse_existing,
    store_name,
    write_new,
)
from flows.cli.streams import say

if TYPE_CHECKING:
    from tasks.core.search.result import SearchResult, Tuning

_SHOWN_AFTER = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Numbers of trials after which the best value is shown, in addition to all of them."""

commands = typer.Typer()


@commands.command()
def search(
    config: ConfigFile,
    sets: Sets = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="TUNED", help="Write a config with the best settings to a new file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose settings of models by their accuracy on the validation part; a search that was interrupted resumes."""
    settings = load(config, sets)
    from tasks.core.search.plan import on_validation_part
    from tasks.core.search.study import require_optuna

    # what the flow would refuse is refused before Prefect is started
    on_validation_part(settings)
    require_optuna()
    if write is not None:
        refuse_existing(write)
    log_to_stderr()
    from flows.cli.printing.progress_bars import progress_bars
    from flows.embedded_server import start_embedded_server
    from flows.search import search as search_flow
    from tasks.core.search.tuned_config import tuned_config
    from tasks.tracking.experiments import check_name
    from tasks.tracking.store import resolve_uri

    uri = resolve_uri(settings.tracking.uri)
    check_name(open_store(uri), uri, settings.mlflow_experiment)  # here an old store can be asked about
    start_embedded_server()
    with progress_bars(hidden=as_json):
        result = search_flow(settings)
    if write is not None:
        write_new(write, tuned_config(settings, result.tunings, result.metric, str(config)))
    if as_json:
        print_json({**asdict(result), "written": write and str(write)})
        return
    _show(result)
    say(f"Run {result.run_id} in {store_name(settings)}")
    if write is not None:
        say(f"{write} written; run it with: {shlex.join(['latentlab', 'run', str(write)])}")


def _show(result: "SearchResult") -> None:
    from flows.cli.printing.tables import columns_table, out
    from tasks.core.formatting import counted

    rows = [
        {
            "model": tuning.model,
            "best": f"{tuning.value:.4f}",
            **{name: tuning.settings.get(name, "") for each in result.tunings for name in each.settings},
            "trials": tuning.trials,
            "pruned": tuning.pruned,
            "failed": tuning.failed,
            "seconds": f"{tuning.seconds:.0f}",
        }
        for tuning in result.tunings
    ]
    out.print(columns_table(rows, f"{result.metric} on the validation part, mean over {counted(result.seeds, 'seed')}"))
    after = sorted({n for tuning in result.tunings for n in _numbers(tuning)})
    rows = [{"model": tuning.model, **{str(n): _best_after(tuning, n) for n in after}} for tuning in result.tunings]
    out.print(columns_table(rows, "Best after trials"))
    for tuning in result.tunings:
        for reason in tuning.failures:
            say(f"{tuning.model}: a trial failed: {reason}")


def _numbers(tuning: "Tuning") -> set[int]:
    return {n for n in _SHOWN_AFTER if n < tuning.trials} | {tuning.trials}


def _best_after(tuning: "Tuning", n: int) -> str:
    best = tuning.best_after[min(n, tuning.trials) - 1]
    return "none" if best is None else f"{best:.4f}"
