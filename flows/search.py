"""The search of settings, from a config to the best settings of each model."""

from typing import Any

from prefect import flow

from flows import environment
from flows.flow_run import completed, of_experiment, of_model
from flows.publish import flow_run_tags
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import with_overrides
from tasks.core.files import combined_sha256
from tasks.core.search.plan import SEARCH, on_validation_part, planned_searches
from tasks.core.search.result import SearchResult
from tasks.core.search.study import require_optuna
from tasks.download import download
from tasks.preprocess import preprocess
from tasks.recovery.interrupts import deferred_signals
from tasks.recovery.lock import lock
from tasks.recovery.reconcile import reconcile
from tasks.recovery.search_run import search_run
from tasks.reporting import progress
from tasks.search import search_model
from tasks.tracking.experiments import check_name, open_experiment
from tasks.tracking.searches.trials import log_search
from tasks.tracking.store import open_store, resolve_uri

environment.set_defaults()  # as in flows/experiment.py


@flow(name="search", flow_run_name="search {config.name}", validate_parameters=True)
def search(config: ExperimentConfig, overrides: dict[str, Any] | None = None) -> SearchResult:
    """Choose settings of models by their accuracy on the validation part; trials of an earlier run are used again.

    Args:
        config: A config with `search`; the same keys as in a YAML file.
        overrides: Keys of the config to replace, as with --set, such as {"search.trials": 20}. A section as a value
            replaces the whole section.
    """
    config = with_overrides(config, overrides or {})
    with of_experiment(config.name, flow_run_name=f"search {config.name}"):
        result = _result(config)
    return completed(result.sentence, result)


def _result(config: ExperimentConfig) -> SearchResult:
    """Run the steps in their order."""
    require_optuna()
    config = on_validation_part(config)
    assert config.search is not None, "it was checked just now"
    uri = resolve_uri(config.tracking.uri)
    client = open_store(uri)
    check_name(client, uri, config.mlflow_experiment)
    data = preprocess(config, download(config.dataset))
    searches = planned_searches(config, data)
    identity = combined_sha256(*(each.identity for each in searches))
    experiment_id = open_experiment(client, uri, config.mlflow_experiment)
    with lock(f"search-{identity}", f"search {config.name}"):
        reconcile(client, [experiment_id])
        with search_run(uri, experiment_id, identity, config=config, data=data, tags=flow_run_tags()) as run:
            progress.plan(f"search {config.name}", {each.label: 1.0 for each in searches})
            with deferred_signals() as stop, progress.stoppable(stop):
                found = []
                for each in searches:
                    with of_model(each.model, SEARCH):
                        found.append(search_model(data, each, run))
            result = SearchResult(
                experiment=config.name,
                run_id=run.run_id,
                metric=config.search.metric,
                seeds=config.search.seeds,
                tunings=[tuning for tuning, _ in found],
                trained=sum(trained for _, trained in found),
            )
            log_search(client, run.run_id, result)
    return result
