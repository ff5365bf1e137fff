"""Addresses of pages in MLflow's UI, below the address of the UI itself.

Without the parameter `workflowType` MLflow opens them among its GenAI pages, where an experiment looks like a list of
traces.
"""

import json
from collections.abc import Sequence
from urllib.parse import quote

_TRAINING = "workflowType=machine_learning"


def experiments_page() -> str:
    """Return the address of the list of experiments."""
    return f"#/experiments?{_TRAINING}"


def runs_page(experiment_id: str, condition: str = "") -> str:
    """Return the address of the table of an experiment's runs.

    Parameters
    ----------
    experiment_id : str
        Id of the MLflow experiment.
    condition : str
        As for `search_runs`: only runs that fulfil it; all by default.

    Returns
    -------
    str
    """
    search = f"&searchFilter={quote(condition, safe='')}" if condition else ""
    return f"#/experiments/{experiment_id}/runs?{_TRAINING}{search}"


def run_page(experiment_id: str, run_id: str) -> str:
    """Return the address of a run's page.

    Parameters
    ----------
    experiment_id, run_id : str
        Ids of the experiment and of the run.

    Returns
    -------
    str
    """
    return f"#/experiments/{experiment_id}/runs/{run_id}?{_TRAINING}"


def compare_page(experiment_ids: Sequence[str], run_ids: Sequence[str]) -> str:
    """Return the address of the page that shows several runs side by side.

    Parameters
    ----------
    experiment_ids : sequence of str
        Ids of the runs' experiments.
    run_ids : sequence of str
        Ids of the runs, in the order of the columns.

    Returns
    -------
    str
    """
    runs, experiments = (quote(json.dumps(list(ids)), safe="") for ids in (run_ids, experiment_ids))
    return f"#/compare-runs?runs={runs}&experiments={experiments}&{_TRAINING}"
