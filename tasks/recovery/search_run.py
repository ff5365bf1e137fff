"""The run of a search: opened or opened again, kept alive, and ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.recovery.heartbeat import heartbeat
from tasks.recovery.parent_run import closing_open_runs
from tasks.tracking.runs import ParentRun, end_run
from tasks.tracking.searches.trials import open_search
from tasks.tracking.store import open_store


@contextmanager
def search_run(
    uri: str,
    experiment_id: str,
    identity: str,
    *,
    config: ExperimentConfig,
    data: PreparedData,
    tags: dict[str, str],
) -> Iterator[ParentRun]:
    """Open the run of a search, and end it as FINISHED, FAILED or KILLED.

    Parameters
    ----------
    uri : str
        Of the store.
    experiment_id : str
        Id of the MLflow experiment.
    identity : str
        Of the search: its run is opened again if there is one.
    config : ExperimentConfig
        A config with `search`.
    data : PreparedData
        Interactions, and the split of their validation part.
    tags : dict of str to str
        Tags of all runs of the flow run; `prefect.flow_run_id` among them.

    Yields
    ------
    ParentRun
    """
    client = open_store(uri)
    with closing_open_runs(uri, experiment_id, tags):
        run_id = open_search(client, experiment_id, identity, config, data, tags)
        with heartbeat(client, run_id):
            yield ParentRun(uri, experiment_id, run_id, tags)
            end_run(client, run_id, "FINISHED")
