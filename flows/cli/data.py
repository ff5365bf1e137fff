"""The commands on data sets: `data list`, `data fetch`, `data describe`, `data init`."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import ConfigFile, Json, Sets, load, log_to_stderr, print_json, refuse_existing, write_new
from flows.cli.streams import say

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig
    from tasks.core.data.prepared import PreparedData

commands = typer.Typer()
data = typer.Typer(help="The catalogue of data sets.", no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(data, name="data")


@data.command("list")
def list_data(as_json: Json = False) -> None:
    """List the data sets known by name, with their terms."""
    from tasks.core.data.catalogue import catalogue

    entries = catalogue()
    if as_json:
        print_json({"datasets": {name: entry.model_dump(mode="json") for name, entry in entries.items()}})
        return
    for name, entry in entries.items():
        say(f"{name}\n  {entry.title}: {entry.users:,} users, {entry.items:,} items, {entry.rows:,} ratings")
        for text in (entry.homepage, entry.licence, entry.citation):
            if text:
                say(f"  {text}")


@data.command("fetch")
def fetch_data(name: Annotated[str, typer.Argument(help="A name from `data list`.")], as_json: Json = False) -> None:
    """Download (or make) a data set, unless it is here already."""
    log_to_stderr()
    from flows.cli.printing.progress_bars import progress_bars
    from tasks.core.config.dataset import DatasetConfig
    from tasks.download import fetch_dataset

    with progress_bars(hidden=as_json):
        located = fetch_dataset(DatasetConfig(name=name))
    print_json(asdict(located)) if as_json else say(f"{located.path}\nsha256 of the ratings {located.sha256}")


@data.command("describe")
def describe_data(config: ConfigFile, sets: Sets = None, as_json: Json = False) -> None:
    """Prepare a config's data, and print how many users, items and interactions it gives, and what was dropped."""
    settings = load(config, sets)
    log_to_stderr()
    from tasks.core.data.inspection.confidences import spread_of
    from tasks.core.data.timestamps import time_span

    prepared = prepare_data(settings)
    interactions = prepared.load(times=settings.dataset.order is None)
    times = None if interactions.times is None else time_span(interactions.times)
    confidence = spread_of(interactions.matrix.data)
    if as_json:
        content = {"dataset": settings.dataset.name, "data_sha256": prepared.sha256, **asdict(prepared.summary)}
        content |= {"ratings": prepared.ratings and asdict(prepared.ratings)}
        print_json({**content, "times": times and asdict(times), "confidence": asdict(confidence)})
        return
    from flows.cli.printing.tables import out, summary_table

    ratings = prepared.ratings.text(settings.preprocess) if prepared.ratings else ""
    notes = [ratings, times.text if times else "", confidence.heavy_tail]
    out.print(summary_table(settings.dataset.name, prepared.summary, "\n".join(filter(None, notes))))


@data.command("init")
def init_data(
    file: Annotated[
        str, typer.Argument(help="A CSV, TSV or Parquet file of ratings, or a folder of Parquet files; or its address.")
    ],
    write: Annotated[
        Path | None, typer.Option("--write", metavar="CONFIG", help="Write the config to a new file instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at a ratings file, and print a config with comments that say what it contains and what is to be decided."""
    from flows.cli.printing.progress_bars import progress_bars
    from tasks.core.data.inspection.inspect_file import inspect_file
    from tasks.core.data.inspection.starter_config import open_questions, starter_config
    from tasks.reporting import progress

    if write is not None:
        refuse_existing(write)
    with progress_bars(hidden=as_json):
        label = f"look at {Path(file).name}"
        inspection = inspect_file(file, on_step=lambda done, total: progress.step(label, done, total, "steps"))
    config, questions = starter_config(inspection), open_questions(inspection)
    if write is not None:
        write_new(write, config)
    if as_json:
        print_json({**asdict(inspection), "to_decide": questions, "config": config})
    elif write is None:
        say(config.removesuffix("\n"))
    else:
        say("\n".join([f"{write} written", *(f"to decide: {question}" for question in questions)]))
        say(f"check it with: {shlex.join(['latentlab', 'check', str(write)])}")


def prepare_data(config: "ExperimentConfig") -> "PreparedData":
    """Return the interactions of a config, without a split."""
    from flows.cli.printing.progress_bars import progress_bars
    from tasks.core.data.prepared import prepare
    from tasks.download import fetch_dataset

    with progress_bars():
        return prepare(config.dataset, config.preprocess, fetch_dataset(config.dataset))
