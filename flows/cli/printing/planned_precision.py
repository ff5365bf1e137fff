"""What the design of a config can show: the expected precision, from an earlier run of its models (a pilot)."""

import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from flows.cli.printing.tables import STYLE, err, out, plain, titled
from flows.cli.streams import say
from tasks.core.errors import TrackingError
from tasks.core.formatting import decimals

if TYPE_CHECKING:
    from rich.console import Group

    from tasks.core.config.experiment import ExperimentConfig
    from tasks.core.planning.precision import Precision
    from tasks.tracking.results import Pilot


@dataclass(frozen=True)
class Planned:
    """The expected precision of an experiment.

    Attributes
    ----------
    pilot : Pilot or None
        What it is predicted from.
    precision : list of Precision
        Empty without a pilot.
    problem : str
        Why the store could not be asked for a pilot; else empty.
    """

    pilot: "Pilot | None" = None
    precision: "list[Precision]" = field(default_factory=list)
    problem: str = ""

    def record(self) -> dict[str, Any]:
        """Return what `check --json` prints of it; a problem goes to stderr."""
        if self.problem:
            err.print(plain(f"no pilot: {self.problem}"))
        pilot = self.pilot and {"run_id": self.pilot.run_id, "replicates": self.pilot.replicates}
        return {"pilot": pilot, "precision": [asdict(row) for row in self.precision]}


def plan(config: "ExperimentConfig", data_sha256: str | None) -> Planned:
    """Predict the precision of an experiment from the store, which is only read: no store and no experiment is made.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data_sha256 : str or None
        Digest of its interactions, if they were prepared.

    Returns
    -------
    Planned
        Without a pilot if there is none, or if the store cannot be used.
    """
    from tasks.tracking.local_store import sqlite_path
    from tasks.tracking.store import open_store, resolve_uri, store_errors

    uri = resolve_uri(config.tracking.uri)
    path = sqlite_path(uri)
    others = [model for model in config.models if model != config.baseline]
    if not others or (path is not None and not path.exists()):
        return Planned()
    from tasks.core.comparison.endpoints import endpoints
    from tasks.core.planning.precision import planned_precision
    from tasks.tracking.results import find_pilot

    try:
        with store_errors(uri):
            pilot = find_pilot(open_store(uri), config, data_sha256)
    except TrackingError as error:
        return Planned(problem=str(error))
    if pilot is None:
        return Planned()
    judged = endpoints(config.queries, config.comparison)
    return Planned(pilot, planned_precision(pilot.matrices, judged, baseline=config.baseline, others=others))


def show_plan(planned: Planned, config: "ExperimentConfig", file: Path, sets: list[str] | None) -> None:
    """Print the expected precision, or how to make a pilot.

    Parameters
    ----------
    planned : Planned
        What is shown.
    config : ExperimentConfig
        The experiment.
    file : Path
        File of the config.
    sets : list of str or None
        Keys that were replaced.
    """
    if len(config.models) < 2:
        return
    if planned.problem:
        say(f"precision       unknown: {planned.problem}")
    elif planned.pilot is None:
        kept = [f"--set={text}" for text in sets or () if not text.startswith("replicates=")]
        command = shlex.join(["latentlab", "run", str(file), *kept, "--set", "replicates=3"])
        say("precision       unknown: no earlier run of these models with 3 or more replicates.")
        say("                To make one, whose fits are used again:")
        say(f"                {command}")
    else:
        out.print()
        out.print(_precision_table(planned.pilot, planned.precision))


def _precision_table(pilot: "Pilot", precision: "list[Precision]") -> "Group":
    from tasks.core.planning.precision import REPLICATES

    table = Table(**STYLE)
    for column in ("lists", "n", "B"):
        table.add_column(column, justify="right" if column == "n" else "left", no_wrap=True)
    for column in (*map(str, REPLICATES), "margin", "seeds"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in precision:
        widths = row.half_widths or dict.fromkeys(REPLICATES)
        needed = str(row.replicates_needed or (">1000" if row.half_widths else "-"))
        table.add_row(row.target, str(row.n), row.b, *map(decimals, widths.values()), f"{row.margin:.3f}", needed)
    note = (
        f"{REPLICATES[0]} to {REPLICATES[-1]}: replicates. seeds: those with which the half-width is the margin. "
        "Predicted from the "
        f"{pilot.replicates} replicates of run {pilot.run_id}. Few replicates give a rough variance: from 3 the "
        "prediction is 0.4 to 4 times the half-width that follows, from 6 it is 0.6 to 2.2 times "
        "(docs/verdict.md, How many seeds)."
    )
    if not all(row.half_widths for row in precision):
        note += " -: the lists of the pilot do not vary between seeds, and no width follows from that."
    title = f"Expected half-width of the 95% interval of Δ, {precision[0].a} (A) against B"
    return titled(title, table, note, keys=3)
