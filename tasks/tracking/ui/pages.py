"""Which page of MLflow's UI RUN on the command line leads to."""

from typing import TYPE_CHECKING

from tasks.core.errors import ConfigError
from tasks.core.planning.runs import PARENT, first_fits
from tasks.tracking.comparison import used_fits
from tasks.tracking.reading.named_run import find_run, latest_experiment
from tasks.tracking.runs import run_ref
from tasks.tracking.ui.addresses import compare_page, experiments_page, run_page, runs_page

if TYPE_CHECKING:
    from mlflow import MlflowClient


def page_of(client: "MlflowClient", run: str | None, *, compare: bool = False) -> str:
    """Return the address of a page, below that of the UI.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run : str or None
        As for `tasks.tracking.reading.named_run.find_run`: the page of a comparison, a fit or a search. None for the
        runs of the experiment of the last used comparison, or for the list of experiments if there is none.
    compare : bool
        The page that shows the first fit of each model of a comparison side by side; by default the last used one.

    Returns
    -------
    str

    Raises
    ------
    TrackingError
        If there is no such run.
    ConfigError
        If fits are to be compared, and the run is no comparison of two models or more.
    """
    if run is None and not compare:
        experiment_id = latest_experiment(client)
        return runs_page(experiment_id) if experiment_id else experiments_page()
    found = find_run(client, run or "latest")
    run_id = str(found.info.run_id)
    if not compare:
        return run_page(str(found.info.experiment_id), run_id)
    role = run_ref(found).role
    if role != PARENT:
        raise ConfigError(f"--compare: the role of run {run_id} is {role or 'unknown'}; expected a comparison")
    fits = [fit.run_id for fit in first_fits(used_fits(client, run_id)).values()]
    if len(fits) < 2:
        raise ConfigError(f"--compare: run {run_id} has one model; expected a comparison of two or more")
    experiment_ids = [str(client.get_run(fit).info.experiment_id) for fit in fits]
    return compare_page(list(dict.fromkeys(experiment_ids)), fits)
