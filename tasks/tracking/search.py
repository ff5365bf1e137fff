"""Runs that exist: which of them readers may take, and which one a name means.

A run is *complete* once its files are uploaded, listed again and found to agree with `manifest.json`, whose sha256 then
becomes the tag `latentlab.complete`. FINISHED comes last. Readers take only runs that are FINISHED, complete and not
superseded. Where two runs have one identity, they take the one that replaced the other, else the one that ended first.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tasks.core.errors import TrackingError
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.tracking.experiments import all_experiments, find_experiment
from tasks.tracking.runs import (
    ENDED,
    USED,
    end_run,
    is_complete,
    last_use,
    log_generation,
    precedence,
    run_ref,
    supersede,
    was_completed,
)
from tasks.tracking.store import reporting_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.tracking.local_reader.types import StoredRun, StoreReader

_MAX_NAMES = 20
"""Experiments in one message."""


def our_runs(client: "StoreReader", experiment_ids: Sequence[str] | None = None) -> "list[StoredRun]":
    """Return every run that latentlab made, the latest first.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    experiment_ids : sequence of str, optional
        All experiments by default.

    Returns
    -------
    list of Run
    """
    if experiment_ids is None:
        experiment_ids = _all_ids(client)
    return [run for run in _search(client, experiment_ids) if "latentlab.role" in run.data.tags]


def complete_runs(client: "MlflowClient", experiment_id: str, identity: str = "") -> dict[str, RunRef]:
    """Return the complete runs of an experiment by identity, and resolve duplicates.

    MLflow has no compare-and-swap: two processes may complete one identity. Readers agree on which run precedes
    (`tasks.tracking.runs.precedence`), and the others are tagged as superseded.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    identity : str
        Only runs of this identity; all by default.

    Returns
    -------
    dict of str to RunRef
    """
    condition = f"attributes.status = 'FINISHED'{_and_identity(identity)}"
    complete = filter(is_complete, _search(client, [experiment_id], condition))
    runs: dict[str, RunRef] = {}
    for run in sorted(complete, key=precedence):
        ref = run_ref(run)
        if runs.setdefault(ref.identity, ref) != ref:
            supersede(client, [ref.run_id], runs[ref.identity].run_id)
    return runs


def complete_fits(client: "MlflowClient", identities: Collection[str], data_sha256: str) -> dict[str, RunRef]:
    """Return the complete fits for lists that have one of some identities, in all experiments of the store.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    identities : collection of str
        Identities of the fits.
    data_sha256 : str
        Digest of the interactions, which narrows the search.

    Returns
    -------
    dict of str to RunRef
        By identity.
    """
    condition = (
        f"attributes.status = 'FINISHED' and tags.`latentlab.role` = '{MODEL}' "
        f"and tags.`latentlab.data_sha256` = '{data_sha256}'"
    )
    refs = map(run_ref, sorted(filter(is_complete, _search(client, _all_ids(client), condition)), key=precedence))
    fits: dict[str, RunRef] = {}
    for ref in refs:
        if ref.identity in identities:
            fits.setdefault(ref.identity, ref)
    return fits


def finish_run(client: "MlflowClient", run_id: str, replaces: Sequence[str] = ()) -> RunRef:
    """End a run whose files are complete as FINISHED, and resolve duplicates.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    replaces : sequence of str
        Ids of complete runs of the same identity, which the new one supersedes.

    Returns
    -------
    RunRef
        The run, or the one of the same identity that another process completed before.

    Raises
    ------
    TrackingError
        If the store has no complete run of the identity: somebody deleted it just now.
    """
    log_generation(client, run_id, replaces)
    end_run(client, run_id, "FINISHED")
    run = client.get_run(run_id)
    identity = run_ref(run).identity
    complete = complete_runs(client, str(run.info.experiment_id), identity)
    if identity not in complete:
        raise TrackingError(f"run {run_id} was deleted in MLflow before it could be read; run the same command again")
    return complete[identity]


def complete_parents(
    client: "StoreReader", experiment_id: str, identity: str = "", *, superseded: bool = False
) -> "list[StoredRun]":
    """Return the complete comparisons of an experiment, the last used first.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    experiment_id : str
        Id of the MLflow experiment.
    identity : str
        Only comparisons of this identity; all by default.
    superseded : bool
        Return those that another one superseded, too.

    Returns
    -------
    list of Run
    """
    condition = f"tags.`latentlab.role` = '{PARENT}'{_and_identity(identity)}"
    wanted = was_completed if superseded else is_complete
    return sorted(filter(wanted, _search(client, [experiment_id], condition)), key=last_use, reverse=True)


def with_fits(client: "StoreReader", run: "StoredRun") -> "list[StoredRun]":
    """Return a run and the runs nested in it.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    run : Run
        The run.

    Returns
    -------
    list of Run
    """
    return [run, *runs_within(client, str(run.info.experiment_id), run.info.run_id)]


def runs_within(client: "StoreReader", experiment_id: str, run_id: str) -> "Iterator[StoredRun]":
    """Yield the runs nested in a run.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    experiment_id, run_id : str
        Of the run.

    Yields
    ------
    Run
    """
    return _search(client, [experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")


def runs_of_role(client: "MlflowClient", experiment_id: str, role: str, identity: str) -> "Iterator[StoredRun]":
    """Yield the runs of a role and an identity, whatever their status, the latest first.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id, role, identity : str
        Of the runs.

    Yields
    ------
    Run
    """
    return _search(client, [experiment_id], f"tags.`latentlab.role` = '{role}'{_and_identity(identity)}")


def close_open_runs(client: "MlflowClient", experiment_id: str, flow_run_id: str, *, status: str, reason: str) -> None:
    """End every run that a flow run has opened and not ended.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Id of the MLflow experiment.
    flow_run_id : str
        Prefect's id of the flow run.
    status, reason : str
        See `tasks.tracking.runs.end_run`.
    """
    for run in _search(client, [experiment_id], f"tags.`prefect.flow_run_id` = '{flow_run_id}'"):
        if run.info.status not in ENDED:
            end_run(client, run.info.run_id, status, reason)


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
    name, rest = split_name(client, text)
    experiment_id = find_experiment(client, name)
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


def split_name(client: "StoreReader", text: str) -> tuple[str, str]:
    """Return the experiment that RUN on the command line names, and what follows it.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    text : str
        EXPERIMENT, EXPERIMENT/MODEL or EXPERIMENT/MODEL/REPLICATE. The name of an experiment may have slashes, such as
        `/Users/someone@example.org/ml-100k`.

    Returns
    -------
    name, rest : str
        If no part of the text is the name of an experiment, `name` is what stands before the first slash, or the whole
        text if it begins with one.
    """
    parts = text.split("/")
    splits = [("/".join(parts[:end]), "/".join(parts[end:])) for end in range(max(1, len(parts) - 2), len(parts) + 1)]
    known = (split for split in splits if split[0] and find_experiment(client, split[0]) is not None)
    return next(known, (parts[0], "/".join(parts[1:])) if parts[0] else (text, ""))


def latest_experiment(client: "StoreReader") -> str | None:
    """Return the id of the experiment of the latest comparison; None if there is none."""
    latest = _latest(client)
    return str(latest.info.experiment_id) if latest else None


def _latest(client: "StoreReader") -> "StoredRun | None":
    """Return the comparison that was completed or last asked for last, of all experiments."""
    condition = f"attributes.status = 'FINISHED' and tags.`latentlab.role` = '{PARENT}'"
    latest = []
    for order in ("attributes.end_time DESC", f"tags.`{USED}` DESC"):  # `last_use` is the later of the two
        parents = _search(client, _all_ids(client), condition, order, page_size=20)
        latest += [run for run in islice(filter(is_complete, parents), 1)]
    return max(latest, key=last_use, default=None)


def _all_ids(client: "StoreReader") -> list[str]:
    return [str(experiment.experiment_id) for experiment in all_experiments(client)]


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


def _search(
    client: "StoreReader",
    experiment_ids: Sequence[str],
    condition: str = "",
    order: str = "attributes.start_time DESC",
    page_size: int = 1000,
) -> "Iterator[StoredRun]":
    """Yield all runs that fulfil a condition, page by page, each of them once."""
    yielded = set[str]()  # a run that starts meanwhile moves others to the next page
    token = None
    while experiment_ids:
        page = client.search_runs(
            list(experiment_ids), condition, max_results=page_size, order_by=[order], page_token=token
        )
        for run in page:
            if run.info.run_id not in yielded:
                yielded.add(run.info.run_id)
                yield run
        if not (token := page.token):
            return


def _and_identity(identity: str) -> str:
    """Return a further condition for one identity; none for all."""
    return f" and tags.`latentlab.identity` = '{identity}'" if identity else ""
