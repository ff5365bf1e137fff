"""The experiment, from a config to a comparison: the order of the steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect import flow

from flows import environment
from flows.fits import run_fits
from flows.flow_run import completed, of_experiment, of_model
from flows.publish import flow_run_tags, publish
from tasks.compare import compare_models
from tasks.consensus import make_consensus
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import with_overrides
from tasks.core.errors import ConfigError
from tasks.core.planning.looks import Stage, stages
from tasks.core.planning.runs import RunRef, planned_runs
from tasks.core.planning.spark import check_spark
from tasks.download import download
from tasks.external import External, interactions_beside_files, log_files, read_files
from tasks.held_out import references_beside
from tasks.look import decides
from tasks.preprocess import check_queries, check_resample, preprocess, resolve_queries
from tasks.recovery.lock import lock
from tasks.recovery.parent_run import Comparison, parent_run
from tasks.recovery.reconcile import reconcile
from tasks.recovery.working_directory import CompletedFit
from tasks.reporting import progress
from tasks.reporting.result import Result
from tasks.tracking.comparison import last_verdict
from tasks.tracking.experiments import check_name
from tasks.tracking.logged_models import registry
from tasks.tracking.logged_models.accuracy import log_accuracy
from tasks.tracking.noise_of_data import has_all_seeds_only_fits
from tasks.tracking.results import known_result
from tasks.tracking.runs import ParentRun
from tasks.tracking.search import complete_runs
from tasks.tracking.store import open_store, resolve_registry, resolve_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

environment.set_defaults()  # a worker imports this module without the command line


@dataclass(frozen=True)
class Outcome:
    """What a flow run did.

    Attributes
    ----------
    result : Result
    trained, reused : int
        Numbers of fits.
    registered : dict of str to str
        Registered model -> version.
    """

    result: Result
    trained: int
    reused: int
    registered: dict[str, str]


@flow(name="experiment", flow_run_name="{config.name}", validate_parameters=True)
def experiment(
    config: ExperimentConfig,
    fresh: bool = False,
    register_as: str | None = None,
    consensus: bool = False,
    overrides: dict[str, Any] | None = None,
) -> Outcome:
    """Train every model with every seed, list neighbours, and compare the models by their lists.

    Args:
        config: What is run on what; the same keys as in a YAML file.
        fresh: Train everything again, and do not use what an earlier run of the same settings completed.
        register_as: Register each model's first replicate in MLflow, as this name, a dash and the model's.
        consensus: Register the consensus of each model's replicates in place of the first one.
        overrides: Keys of the config to replace, as with --set, such as {"replicates": 3,
            "models.k500.iterations": 200}. A section as a value replaces the whole section.
    """
    config = with_overrides(config, overrides or {})
    with of_experiment(config.name, flow_run_name=config.name):
        outcome = _outcome(config, fresh=fresh, register_as=register_as, consensus=consensus)
    return completed(outcome.result.sentence, outcome)


def _outcome(config: ExperimentConfig, *, fresh: bool, register_as: str | None, consensus: bool) -> Outcome:
    """Run the steps in their order."""
    uri = resolve_uri(config.tracking.uri)
    registry_uri = resolve_registry(uri, config.tracking.registry)
    registry.check(register_as, config.most_replicates, consensus=consensus, uri=registry_uri)
    # a store that does not answer, or does not take the name, is reported before anything is done
    client = open_store(uri, config.tracking.registry)
    check_name(client, uri, config.mlflow_experiment)
    external = None
    if config.from_files:
        if register_as is not None:
            raise ConfigError("models that are read from files have no logged model; run without --register")
        external = read_files(config, interactions_beside_files(config, preprocess, download))
        data = external.data
    else:
        data = preprocess(config, download(config.dataset))
    config = resolve_queries(config, data)
    check_queries(config, data)
    check_spark(config, data)
    runs = planned_runs(config, data.sha256, [split.sha256 for split in data.splits])
    check_resample(config, data, runs)
    planned = stages(config, runs)
    comparison = Comparison.of(client, uri, config, data)
    with lock(f"comparison-{comparison.identity}", f"experiment {config.name}"):
        reconcile(client, [comparison.experiment_id])
        complete = complete_runs(client, comparison.experiment_id)
        previous = last_verdict(client, comparison.experiment_id, config)
        fits: list[CompletedFit] = []
        result = None if fresh else _stored_result(client, comparison, planned, complete, external)
        if result is None:
            with parent_run(comparison, flow_run_tags()) as parent, references_beside(config, data) as references:
                for stage in planned:
                    missing = [run for run in stage.added if fresh or run.identity not in complete]
                    fits += run_fits(config, data, missing, parent, complete, stage.look)
                    complete |= {fit.ref.identity: fit.ref for fit in fits}
                    used = [complete[run.identity] for run in stage.runs]
                    if external:
                        used += _log_external(config, external, parent, complete, fresh=fresh)
                    look = stage.look
                    if look is None or look.last or decides(config, data, used, parent, fits, look):
                        break
                result = compare_models(config, data, used, parent, references, fits, look, external)
                for fit in fits:
                    fit.remove_local_files()
        else:  # an earlier version, which stored the result, logged no accuracy with the models
            log_accuracy(client, result)
        publish(result, comparison, previous)
    registered = {}
    if register_as is not None and consensus:
        with lock(f"consensus-{comparison.identity}", f"consensus of {config.name}"):
            models = make_consensus(config, data, result.runs, result.parent_id, uri)
            registered = registry.register_consensus(client, models, register_as, result, uri=registry_uri)
    elif register_as is not None:
        registered = registry.register(client, result, register_as, uri=registry_uri)
    fits_used = sum(run.model in config.trained for run in result.runs)
    return Outcome(result, len(fits), fits_used - len(fits), registered)


def _log_external(
    config: ExperimentConfig, external: External, parent: ParentRun, complete: Mapping[str, RunRef], *, fresh: bool
) -> list[RunRef]:
    """Return the runs of all models that are read from files; those that the store does not have are made."""
    refs = []
    progress.plan("files", {run.label: 1.0 for run in external.runs})
    for run in external.runs:
        known = complete.get(run.identity)
        if known is None or fresh:
            with of_model(run.model, run.role):
                known = log_files(config, external.data, run, parent, [known.run_id] if known else [])
        refs.append(known)
    return refs


def _stored_result(
    client: "MlflowClient",
    comparison: Comparison,
    planned: Sequence[Stage],
    complete: Mapping[str, RunRef],
    external: External | None,
) -> Result | None:
    """Return the result that an earlier run of the same config stored, at whichever stage it stopped."""
    of_files = [run.identity for run in external.runs] if external else []
    for stage in planned:
        identities = [*(run.identity for run in stage.runs), *of_files]
        if all(identity in complete for identity in identities):
            used = [complete[identity] for identity in identities]
            result = known_result(client, comparison.experiment_id, comparison.identity, used)
            if result is not None and has_all_seeds_only_fits(client, comparison.config, result):
                return result
    return None
