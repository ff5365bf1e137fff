"""Which run RUN on the command line means: an id, an experiment, a fit of it, or the latest comparison."""

import re
from itertools import islice
from typing import TYPE_CHECKING

from tasks.core.errors import TrackingError
from tasks.core.planning.runs import MODEL, PARENT
from tasks.tracking.experiments import all_experiments, experiment_ids_of, find_experiment
from tasks.tracking.runs import USED, is_complete, last_use, run_ref
from tasks.tracking.search import complete_parents, our_runs, search_runs
from tasks.tracking.store import reporting_missing

if TYPE_CHECKING:
    from tasks.tracking.local_reader.types import StoredRun, StoreReader

_MAX_NAMES = 20
"""Experiments in one message."""


def find_run(client: "StoreReader", text: str) -> "StoredRun":
    """Return the run that RUN on the command line means.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    text : str
        A run id, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT for its last used comparison, or `latest`.

    Returns
    -------
    Run

    Raises
    ------
    TrackingError
        If there is none; the message says which runs there are.
    """
    if text == "latest":
        latest = _latest(client)
        if latest is None:
            raise TrackingError("there is no finished experiment yet; start one with `latentlab run`")
        return latest
    if re.fullmatch("[0-9a-f]{32}", text):
        return _by_id(client, text)
    experiment_id, name, rest = split_name(client, text)
    if experiment_id is None:
        names = sorted({experiment.name for experiment in all_experiments(client)} - {"Default"})
        more = [f"and {len(names) - _MAX_NAMES:,} more"] if len(names) > _MAX_NAMES else []
        listed = ", ".join([*names[:_MAX_NAMES], *more]) or "none yet"
        raise TrackingError(f"there is no experiment {name!r}; experiments here: {listed}")
    if rest:
        return _fit(client, experiment_id, name, rest)
    parents = complete_parents(client, experiment_id)
    if not parents:
        raise TrackingError(f"{name} has no finished comparison; run its config")
    return parents[0]


def split_name(client: "StoreReader", text: str) -> tuple[str | None, str, str]:
    """Return the experiment that RUN on the command line names, and what follows it.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    text : str
        EXPERIMENT, EXPERIMENT/MODEL or EXPERIMENT/MODEL/REPLICATE. The name of an experiment may have slashes, such as
        `/Users/someone@example.org/ml-100k`. Of several experiments, it is the longest of such paths, and of other
        names the shortest that nothing, MODEL or MODEL/REPLICATE follows.

    Returns
    -------
    experiment_id : str or None
        None if no part of the text is the name of an experiment.
    name, rest : str
        Then `name` is what stands before the first slash, or the whole text if it begins with one.
    """
    parts = text.split("/")
    splits = [("/".join(parts[:end]), "/".join(parts[end:])) for end in range(1, len(parts) + 1)]
    if text.startswith("/"):
        ordered = splits[::-1]
    else:  # the sort is stable
        ordered = sorted(splits, key=lambda split: not re.fullmatch(r"([^/]+(/\d+)?)?", split[1]))
    for name, rest in ordered:
        if name and (experiment_id := find_experiment(client, name)) is not None:
            return experiment_id, name, rest
    return (None, *splits[0]) if parts[0] else (None, text, "")


def latest_experiment(client: "StoreReader") -> str | None:
    """Return the id of the experiment of the latest comparison; None if there is none."""
    latest = _latest(client)
    return str(latest.info.experiment_id) if latest else None


def _latest(client: "StoreReader") -> "StoredRun | None":
    """Return the comparison that was completed or last asked for last, of all experiments."""
    condition = f"attributes.status = 'FINISHED' and tags.`latentlab.role` = '{PARENT}'"
    latest = []
    for order in ("attributes.end_time DESC", f"tags.`{USED}` DESC"):  # `last_use` is the later of the two
        parents = search_runs(client, experiment_ids_of(client), condition, order, page_size=20)
        latest += [run for run in islice(filter(is_complete, parents), 1)]
    return max(latest, key=last_use, default=None)


def _by_id(client: "StoreReader", run_id: str) -> "StoredRun":
    with reporting_missing(f"there is no run {run_id}; `latentlab runs` lists them"):
        return client.get_run(run_id)


def _fit(client: "StoreReader", experiment_id: str, name: str, rest: str) -> "StoredRun":
    """Return the complete fit that MODEL/REPLICATE means in the experiment called `name`."""
    model, _, replicate = rest.partition("/")
    wanted = (model, int(replicate or 0) if (replicate or "0").isdecimal() else -1)
    finished = [run for run in our_runs(client, [experiment_id]) if run.info.status == "FINISHED"]
    fits = [(run_ref(run), run) for run in finished if run_ref(run).role == MODEL]
    matching = [run for ref, run in fits if (ref.model, ref.replicate) == wanted and is_complete(run)]
    if not matching:
        names = ", ".join(sorted({f"{ref.model}/{ref.replicate}" for ref, _ in fits})) or "none"
        raise TrackingError(f"{name} has no complete run {rest!r}; it has {names}")
    return max(matching, key=lambda run: run.info.end_time)
