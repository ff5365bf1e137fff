"""The parent run of a comparison: opened, kept alive, and ended together with the runs nested in it."""

import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.comparison.compare_lists import ALGORITHM
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import TrackingError
from tasks.core.files import combined_sha256
from tasks.core.planning.runs import PARENT
from tasks.recovery.heartbeat import heartbeat
from tasks.reporting.markdown import describe_experiment
from tasks.tracking.experiments import open_experiment
from tasks.tracking.results import ALGORITHM_TAG
from tasks.tracking.runs import ParentRun, log_dataset, start_run
from tasks.tracking.search import close_open_runs, complete_parents, finish_run
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """A comparison, and where in MLflow it is.

    Attributes
    ----------
    uri : str
        Of the store.
    experiment_id : str
    identity : str
        Digest of the config and of the data, wherever it runs: the one under which the comparison is stored, where the
        same config can be written in two ways.
    config : ExperimentConfig
    data : PreparedData
    """

    uri: str
    experiment_id: str
    identity: str
    config: ExperimentConfig
    data: PreparedData

    @classmethod
    def of(cls, client: "MlflowClient", uri: str, config: ExperimentConfig, data: PreparedData) -> "Comparison":
        """Return the comparison of a config's models, in its MLflow experiment.

        Parameters
        ----------
        client : MlflowClient
            Client of the store.
        uri : str
            URI of the store.
        config : ExperimentConfig
            The experiment.
        data : PreparedData
            Interactions, and their split.

        Returns
        -------
        Comparison
        """
        experiment_id = open_experiment(client, uri, config.mlflow_experiment)
        identities = [combined_sha256(digest, data.sha256) for digest in config.digests()]
        stored = (identity for identity in identities if complete_parents(client, experiment_id, identity))
        return cls(uri, experiment_id, next(stored, identities[0]), config, data)


@contextmanager
def parent_run(comparison: Comparison, tags: dict[str, str]) -> Iterator[ParentRun]:
    """Open a parent run, which supersedes earlier ones of the same comparison once the block has completed it.

    If the block fails, every open run of this flow run is closed: FAILED, or KILLED on cancellation.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    tags : dict of str to str
        Tags of all runs of the flow run; `prefect.flow_run_id` among them.

    Yields
    ------
    ParentRun
    """
    client = open_store(comparison.uri)
    experiment_id = comparison.experiment_id
    earlier = [run.info.run_id for run in complete_parents(client, experiment_id, comparison.identity)]
    with closing_open_runs(comparison.uri, experiment_id, tags):
        run_id = _start(client, comparison, tags)
        with heartbeat(client, run_id):
            yield ParentRun(comparison.uri, experiment_id, run_id, tags)
            finish_run(client, run_id, earlier)


@contextmanager
def closing_open_runs(uri: str, experiment_id: str, tags: Mapping[str, str]) -> Iterator[None]:
    """Close every open run of a flow run if the block fails: as FAILED, or as KILLED on cancellation.

    Parameters
    ----------
    uri : str
        Of the store.
    experiment_id : str
        Id of the MLflow experiment.
    tags : mapping of str to str
        Tags of all runs of the flow run; `prefect.flow_run_id` among them.
    """
    try:
        yield
    except BaseException as error:
        # Ctrl-C between two instructions can leave a transaction open, which its frames hold and which locks the store
        traceback.clear_frames(error.__traceback__)
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        try:
            close_open_runs(
                open_store(uri),
                experiment_id,
                tags["prefect.flow_run_id"],
                status=status,
                reason=f"{type(error).__name__}: {error}",
            )
        except TrackingError as unreachable:
            log.warning("the open runs could not be closed as %s: %s", status, unreachable)
        raise


def _start(client: "MlflowClient", comparison: Comparison, tags: dict[str, str]) -> str:
    config, data = comparison.config, comparison.data
    models = list(config.models)
    description = describe_experiment(config, data)
    run_id = start_run(
        client,
        comparison.experiment_id,
        " vs ".join(models) if len(models) < 5 else f"{len(models)} models",
        tags={
            "latentlab.role": PARENT,
            "latentlab.identity": comparison.identity,
            ALGORITHM_TAG: str(ALGORITHM),
            "latentlab.config_sha256": config.digest(),
            "latentlab.data_sha256": data.sha256,
            "latentlab.description": description,
            **tags,
        },
        description=description,
    )
    log_dataset(client, run_id, config.dataset, data)
    return run_id
