"""The commands that read runs: `runs`, `show`, `similar`, `recommend`, `report`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import Json, RunName, open_for_reading, print_json, store_name
from flows.cli.streams import say
from tasks.core.formatting import SIMILARITY_LABELS

if TYPE_CHECKING:
    from tasks.tracking.local_reader.types import StoredRun, StoreReader

_USER_HELP = "A user's index, by first appearance, or a unique part of an id that is text."

commands = typer.Typer()


@commands.command()
def runs(as_json: Json = False) -> None:
    """List experiments, their comparisons, and every model's runs with their status."""
    from tasks.core.search.plan import TRIAL
    from tasks.tracking.experiments import all_experiments
    from tasks.tracking.runs import is_complete, run_ref
    from tasks.tracking.search import our_runs

    client = open_for_reading()
    experiments = {str(experiment.experiment_id): experiment.name for experiment in all_experiments(client)}
    listed = sorted(our_runs(client), key=lambda run: (experiments[run.info.experiment_id], run.info.start_time))
    rows: list[dict[str, Any]] = []
    for run in listed:
        ref = run_ref(run)
        if ref.role == TRIAL:  # there are many, and the search stands for them
            continue
        rows.append(
            {
                "experiment": experiments[run.info.experiment_id],
                "role": ref.role,
                "model": ref.model,
                "replicate": ref.replicate if ref.model else None,
                "status": run.info.status,
                "complete": is_complete(run),
                "superseded": "latentlab.superseded" in run.data.tags,
                "run_id": ref.run_id,
                "parent_id": run.data.tags.get("mlflow.parentRunId"),
                "repeat": ref.repeat if ref.model else None,
            }
        )
    if as_json:
        print_json({"store": store_name(), "runs": rows})
        return
    from flows.cli.printing.tables import columns_table, out

    table = [
        {
            "experiment": row["experiment"],
            "run": {"parent": "parent", "search": "search", "evaluation": "evaluation of "}.get(row["role"], "")
            + (f"{row['model']}/{row['replicate']}" if row["model"] else "")
            + (f", split {row['repeat']}" if row["repeat"] else ""),
            "status": "superseded" if row["superseded"] else row["status"],
            "run id": row["run_id"],
        }
        for row in rows
    ]
    title = f"{len(rows)} runs in {store_name()}"
    out.print(columns_table(table, title, keys=2) if rows else f"No runs yet in {store_name()}: latentlab run")


@commands.command()
def show(run: RunName, as_json: Json = False) -> None:
    """Show what is in a run: of a comparison its tables, of a model's run its parameters, metrics and lists."""
    from flows.cli.printing.result_tables import show_result
    from flows.cli.printing.tables import columns_table, out
    from tasks.core.planning.runs import PARENT
    from tasks.tracking.reading.named_run import find_run
    from tasks.tracking.results import result_of
    from tasks.tracking.runs import is_complete, run_ref

    client = open_for_reading()
    shown = find_run(client, run)
    if run_ref(shown).role == PARENT:
        result = result_of(client, shown)
        print_json(asdict(result)) if as_json else show_result(result, every_depth=True)
        return
    content: dict[str, Any] = {
        "run_id": shown.info.run_id,
        "name": shown.info.run_name,
        "status": shown.info.status,
        "complete": is_complete(shown),
        "params": dict(sorted(shown.data.params.items())),
        "metrics": dict(sorted(shown.data.metrics.items())),
        "tables": _tables(client, shown),
    }
    if as_json:
        print_json(content)
        return
    for part in ("params", "metrics"):
        rows = [{"name": key, "value": value} for key, value in content[part].items()]
        out.print(columns_table(rows, f"{content['name']}: {part} ({content['status']})"))
    for path, rows in content["tables"].items():
        out.print(columns_table(rows, path))


@commands.command()
def similar(
    run: RunName,
    user: Annotated[str | None, typer.Option("--user", help=_USER_HELP)] = None,
    item: Annotated[
        str | None, typer.Option("--item", help="An item's index, by first appearance, or a unique part of its title.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many neighbours.")] = 5,
    raw: Annotated[bool, typer.Option("--raw", help="It is the data set's own id.")] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", help="factors or scores: what similarity is computed from. Default: what was judged."),
    ] = None,
    consensus: Annotated[
        bool, typer.Option("--consensus", help="One list for each model, merged from those of all its seeds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the nearest neighbours of a user or an item, of each model side by side."""
    if (user is None) == (item is None):
        raise typer.BadParameter("give either --user or --item")
    if by not in (None, *SIMILARITY_LABELS):
        raise typer.BadParameter(f"found --by {by}; expected {' or '.join(SIMILARITY_LABELS)}")
    target, entity = ("items", str(item)) if user is None else ("users", user)
    _print_lists(run, target, entity, n=n, raw=raw, by=by, consensus=consensus, as_json=as_json)


@commands.command()
def recommend(
    run: RunName,
    user: Annotated[str | None, typer.Option("--user", help=_USER_HELP)] = None,
    items: Annotated[
        str | None,
        typer.Option(
            "--items",
            metavar="ITEM,ITEM,...",
            help="For somebody who is not among the users: the items that this user has, as for similar --item.",
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many items.")] = 10,
    raw: Annotated[bool, typer.Option("--raw", help="It is the data set's own id.")] = False,
    consensus: Annotated[
        bool, typer.Option("--consensus", help="One list for each model, merged from those of all its seeds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List recommendations for a user, or for somebody who has some items, of each model side by side."""
    if (user is None) == (items is None):
        raise typer.BadParameter("give either --user or --items")
    if user is not None:
        _print_lists(run, "recommendations", user, n=n, raw=raw, consensus=consensus, as_json=as_json)
        return
    from flows.cli.look_up.new_user import recommend_for_items
    from flows.cli.printing.tables import new_user_table, out
    from tasks.tracking.reading.named_run import find_run

    client = open_for_reading()
    texts = [text.strip() for text in str(items).split(",") if text.strip()]
    lists = recommend_for_items(client, find_run(client, run), texts, n=n, raw=raw, consensus=consensus)
    print_json(asdict(lists)) if as_json else out.print(new_user_table(lists, consensus=consensus))


@commands.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="As for show.")] = "latest", as_json: Json = False
) -> None:
    """Open a comparison's report in the browser."""
    from tasks.core.errors import ConfigError
    from tasks.core.planning.runs import PARENT
    from tasks.reporting.report import REPORT
    from tasks.tracking.artifacts import RunFiles
    from tasks.tracking.reading.named_run import find_run
    from tasks.tracking.runs import run_ref

    client = open_for_reading()
    found = find_run(client, run)
    role = run_ref(found).role
    if role != PARENT:
        raise ConfigError(f"run {found.info.run_id} has no report: its role is {role}; name a comparison")
    path = RunFiles(client, found.info.run_id).read(REPORT)
    if as_json:
        print_json({"report": str(path)})
    else:
        say(str(path))
        typer.launch(path.as_uri())


def _tables(client: "StoreReader", run: "StoredRun") -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a complete run, as rows."""
    from tasks.tracking.artifacts import RunFiles

    files = RunFiles(client, run.info.run_id)
    tables = {}
    for logged in json.loads(run.data.tags.get("mlflow.loggedArtifacts", "[]")):
        with files.reading(logged["path"]) as file:
            table = json.loads(file.read_text(encoding="utf-8"))
        tables[logged["path"]] = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    return tables


def _print_lists(
    run: str, target: str, entity: str, *, n: int, raw: bool, consensus: bool, as_json: bool, by: str | None = None
) -> None:
    from flows.cli.look_up.entity_lists import look_up
    from flows.cli.printing.tables import out, query_table
    from tasks.tracking.reading.named_run import find_run

    client = open_for_reading()
    lists = look_up(client, find_run(client, run), target, entity, n=n, raw=raw, by=by, consensus=consensus)
    print_json(asdict(lists)) if as_json else out.print(query_table(lists, consensus=consensus))
