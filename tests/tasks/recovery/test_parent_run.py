"""Runs of a flow run whose block fails: closed, whatever it holds."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from mlflow import MlflowClient

from tasks.recovery.parent_run import closing_open_runs
from tasks.tracking.experiments import open_experiment

FLOW_RUN = {"prefect.flow_run_id": "the-flow-run"}


def leave_a_transaction_open(store: Path, error: type[BaseException]) -> NoReturn:
    """Fail as code does that an interrupt hits between two instructions: nothing ends its transaction."""
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    raise error


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED")])
def test_a_transaction_that_the_failed_block_left_open_does_not_lock_the_store(
    client: MlflowClient,
    uri: str,
    tmp_path: Path,
    open_run: Callable[..., str],
    error: type[BaseException],
    status: str,
) -> None:
    run_id = open_run()
    client.set_tag(run_id, "prefect.flow_run_id", FLOW_RUN["prefect.flow_run_id"])
    store = Path(uri.removeprefix("sqlite:///"))
    with pytest.raises(error), closing_open_runs(uri, open_experiment(client, uri, tmp_path.name), FLOW_RUN):
        leave_a_transaction_open(store, error)
    assert client.get_run(run_id).info.status == status
