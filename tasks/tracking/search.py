"""Runs that exist, and which of them readers may take.

A run is *complete* once its files are uploaded, listed again and found to agree with `manifest.json`, whose sha256 then
becomes the tag `latentlab.complete`. FINISHED comes last. Readers take only runs that are FINISHED, complete and not
superseded. Where two runs have one identity, they take the one that replaced the other, else the one that ended first.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from tasks.core.errors import TrackingError
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.tracking.experiments import experiment_ids_of
from tasks.tracking.runs import (
    ENDED,
    end_run,
    is_complete,
    last_use,
    log_generation,
    precedence,
    run_ref,
    supersede,
    was_completed,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.tracking.local_reader.types import StoredRun, StoreReader


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
        experiment_ids = experiment_ids_of(client)
    return [run for run in search_runs(client, experiment_ids) if "latentlab.role" in run.data.tags]


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
    complete = filter(is_complete, search_runs(client, [experiment_id], condition))
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
    refs = map(
        run_ref, sorted(filter(is_complete, search_runs(client, experiment_ids_of(client), condition)), key=precedence)
    )
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
    return sorted(filter(wanted, search_runs(client, [experiment_id], condition)), key=last_use, reverse=True)


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
    return search_runs(client, [experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")


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
    return search_runs(client, [experiment_id], f"tags.`latentlab.role` = '{role}'{_and_identity(identity)}")


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
    for run in search_runs(client, [experiment_id], f"tags.`prefect.flow_run_id` = '{flow_run_id}'"):
        if run.info.status not in ENDED:
            end_run(client, run.info.run_id, status, reason)


def search_runs(
    client: "StoreReader",
    experiment_ids: Sequence[str],
    condition: str = "",
    order: str = "attributes.start_time DESC",
    page_size: int = 1000,
) -> "Iterator[StoredRun]":
    """Yield all runs that fulfil a condition, page by page, each of them once.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    experiment_ids : sequence of str
        Where to search.
    condition : str
        In MLflow's language of filters; every run by default.
    order : str
        In MLflow's language.
    page_size : int
        Runs that are asked for at a time.

    Yields
    ------
    Run
    """
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
