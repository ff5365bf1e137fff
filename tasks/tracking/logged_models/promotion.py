"""The champion of a registered model: the alias that the version in use has, and when another version gets it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.comparison.verdict import Verdict
from tasks.core.errors import TrackingError, UnmetExpectation
from tasks.core.formatting import enumerated
from tasks.core.planning.runs import MODEL, PARENT
from tasks.reporting.result import Result
from tasks.tracking.comparison import used_fits
from tasks.tracking.experiments import experiment_ids_of
from tasks.tracking.local_store import file_path
from tasks.tracking.logged_models.files import output_models
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref
from tasks.tracking.search import complete_parents
from tasks.tracking.store import reporting_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases of the version in use, and of the last one that was registered since."""
MORE_ACCURATE = "more-accurate"


@dataclass(frozen=True)
class Promotion:
    """A version that became the champion.

    Attributes
    ----------
    name, version : str
        Registered model, and the version that is its champion now.
    before : str or None
        The version that was; None if there was none.
    comparison : str or None
        Parent run of the comparison that decided; None without a condition.
    reason : str
        What the comparison says; empty without a condition.
    """

    name: str
    version: str
    before: str | None
    comparison: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Version:
    """A version: the fits of its model, and what they were fitted to."""

    number: str
    run_ids: frozenset[str]
    identity: str
    data_sha256: str
    experiment: str


def promote(client: "MlflowClient", name: str, version: str, condition: str | None = None) -> Promotion:
    """Give a version of a registered model the alias `champion`.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    name, version : str
        Registered model, and number of the version.
    condition : str, optional
        `practically-same`: the verdict on the primary endpoint of the last comparison that used the fits of the
        champion and of this version. `more-accurate`: by its test of held-out accuracy, this version is significantly
        more accurate than the champion. By default there is no condition.

    Returns
    -------
    Promotion

    Raises
    ------
    TrackingError
        If there is no such version, or no champion to compare it with.
    UnmetExpectation
        If the condition is not met, or no comparison can tell. The champion stays.
    """
    missing = f"there is no registered model {name!r}; `latentlab run CONFIG --register NAME` makes one"
    if not is_name(name):
        raise TrackingError(missing)
    with reporting_missing(missing):
        registered = client.get_registered_model(name)
    aliases = {alias: str(number) for alias, number in registered.aliases.items()}  # databases give numbers
    with reporting_missing(f"{name} has no version {version}; {_versions(client, name)}"):
        candidate = client.get_model_version(name, version)
    before = aliases.get(CHAMPION)
    comparison, reason = None, ""
    if condition is not None and before != version:
        if before is None:
            raise TrackingError(
                f"{name} has no champion to compare version {version} with; promote one without --if first"
            )
        champion = client.get_model_version(name, before)
        comparison, reason = _compared(client, name, condition, _of(client, champion), _of(client, candidate))
    client.set_registered_model_alias(name, CHAMPION, version)
    if aliases.get(CHALLENGER) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    return Promotion(name, version, before, comparison, reason)


def is_name(name: str) -> bool:
    """Return whether MLflow takes a name for a registered model."""
    return bool(name.strip()) and not set(name) & set("/:")


def versions_of(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    """Return the versions of a registered model.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    name : str
        Of the registered model.

    Returns
    -------
    list of ModelVersion
    """
    quote = next((quote for quote in "'\"" if quote not in name), None)
    condition = f"name = {quote}{name}{quote}" if quote else ""  # a name with both cannot be quoted
    return [version for version in client.search_model_versions(condition) if version.name == name]


def is_version_of(logged: "LoggedModel", version: "ModelVersion") -> bool:
    """Return whether a version has the files of a logged model.

    Parameters
    ----------
    logged : LoggedModel
        The logged model.
    version : ModelVersion
        A version, in whichever registry: MLflow stores the address of the files with it, or their path.

    Returns
    -------
    bool
    """
    location = str(logged.artifact_location)
    return version.source in (location, str(file_path(location)))


def _versions(client: "MlflowClient", name: str) -> str:
    numbers = sorted(int(version.version) for version in versions_of(client, name))
    return f"it has {enumerated([str(number) for number in numbers])}" if numbers else "it has none"


def _of(client: "MlflowClient", version: "ModelVersion") -> _Version:
    """Return what a version was made from: one fit, or, for a consensus, the fits of a comparison."""
    where = f"version {version.version} of {version.name}"
    if not version.run_id:
        raise TrackingError(f"{where} was registered without its run; promote without --if")
    with reporting_missing(f"the run of {where} does not exist in MLflow any more; promote without --if"):
        run = client.get_run(version.run_id)
    ref = run_ref(run)
    run_ids = {ref.run_id}
    if ref.role == PARENT:
        model = _consensus_of(client, version, run)
        run_ids = {fit.run_id for fit in used_fits(client, ref.run_id) if (fit.role, fit.model) == (MODEL, model)}
    experiment = client.get_experiment(run.info.experiment_id).name
    data_sha256 = run.data.tags.get("latentlab.data_sha256", "")
    identity = ref.identity if ref.role == MODEL else ""
    return _Version(str(version.version), frozenset(run_ids), identity, data_sha256, experiment)


def _consensus_of(client: "MlflowClient", version: "ModelVersion", run: "Run") -> str:
    """Return which model's consensus a version is: MLflow stores where its files are, and not the logged model."""
    for model_id in output_models(run):
        logged = client.get_logged_model(model_id)
        if is_version_of(logged, version):
            return str(logged.tags["latentlab.model"])
    raise TrackingError(
        f"version {version.version} of {version.name} is no model that run {run.info.run_id} logged; promote without "
        "--if"
    )


def _compared(
    client: "MlflowClient", name: str, condition: str, champion: _Version, candidate: _Version
) -> tuple[str | None, str]:
    """Return the comparison that fulfils a condition, and what it says."""
    stays = f"{name}: version {champion.number} stays champion"
    if champion.data_sha256 != candidate.data_sha256:
        raise UnmetExpectation(
            f"{stays}: it was fitted to interactions {champion.data_sha256[:12]} (experiment {champion.experiment}) "
            f"and version {candidate.number} to {candidate.data_sha256[:12]} (experiment {candidate.experiment}). "
            "Lists of different data cannot be compared; expected versions of the same data, or no --if"
        )
    if champion.identity and champion.identity == candidate.identity:
        reason = f"versions {champion.number} and {candidate.number} have the same settings, data and seed"
        if condition == Verdict.SAME:
            return None, f"{reason}."
        raise UnmetExpectation(f"{stays}: {reason}; expected a version that is {condition}")
    found = _last_comparison(client, champion, candidate)
    if found is None:
        experiments = " and ".join(dict.fromkeys([champion.experiment, candidate.experiment]))
        raise UnmetExpectation(
            f"{stays}: no comparison used the fits of both versions (of {experiments}); compare their models with "
            "`latentlab compare A B`, then promote again"
        )
    result, of_champion, of_candidate = found
    met, reason = _finding(result, condition, of_champion, of_candidate)
    if not met:
        raise UnmetExpectation(
            f"{stays}: comparison {result.parent_id} of {of_champion} (version {champion.number}) and {of_candidate} "
            f"(version {candidate.number}) does not find version {candidate.number} {condition}. {reason}"
        )
    return result.parent_id, reason


def _finding(result: Result, condition: str, champion: str, candidate: str) -> tuple[bool, str]:
    """Return whether a comparison fulfils a condition on two of its models, and why."""
    pair = {champion, candidate}
    if condition == MORE_ACCURATE:
        test = next((test for test in result.accuracy_tests if {test.a, test.b} == pair), None)
        missing = (
            "It has no test of their accuracy; expected a comparison with evaluation, and one of them as baseline."
        )
        return (test.more_accurate == candidate, test.sentence) if test else (False, missing)
    answer = next((row for row in result.answers if row.verdict and {row.a, row.b} == pair), None)
    missing = "It has no verdict on them; expected a comparison with two seeds per model, and one of them as baseline."
    return (answer.verdict == condition, answer.sentence) if answer else (False, missing)


def _last_comparison(client: "MlflowClient", champion: _Version, candidate: _Version) -> tuple[Result, str, str] | None:
    """Return the last complete comparison of the fits of two versions, and how it calls their models."""
    parents = [
        parent for experiment_id in experiment_ids_of(client) for parent in complete_parents(client, experiment_id)
    ]
    for parent in sorted(parents, key=lambda parent: parent.info.end_time, reverse=True):
        if parent.data.tags.get("latentlab.data_sha256") != champion.data_sha256:
            continue
        models: dict[str, str] = {fit.run_id: fit.model for fit in used_fits(client, parent.info.run_id)}
        of_champion, of_candidate = (
            {models.get(run_id) for run_id in version.run_ids} for version in (champion, candidate)
        )
        if len(of_champion) == len(of_candidate) == 1 and not of_champion & of_candidate:
            (a,), (b,) = of_champion, of_candidate
            if a is not None and b is not None:
                return result_of(client, parent), a, b
    return None
