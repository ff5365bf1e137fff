"""The command `export`: lists, factors and accuracy by user as files."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import Json, RunName, open_for_reading, print_json
from flows.cli.streams import say

commands = typer.Typer()


@commands.command()
def export(
    run: RunName,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="TARGET", help="A new folder, or one file of all lists: NAME.csv, NAME.parquet."),
    ],
    as_json: Json = False,
) -> None:
    """Write the lists, factors and accuracy by user of a comparison or of a fit as files for other programs."""
    from tasks.core.formatting import counted
    from tasks.tracking.reading.export import export as export_run
    from tasks.tracking.reading.named_run import find_run

    client = open_for_reading()
    exported = export_run(client, find_run(client, run), to)
    if as_json:
        print_json(asdict(exported))
        return
    for sentence in exported.left_out:
        say(sentence)
    inside = f", {counted(len(exported.files), 'file')}; README.md there says what they hold" if not to.suffix else ""
    say(f"{exported.path} written{inside}")
