"""Checks that involve several keys of a config."""

import re
from itertools import pairwise

from tasks.core.config.als import BALANCE_EVERY
from tasks.core.config.checks.data import check_data
from tasks.core.config.checks.evaluation_checks import check_evaluation, check_metric_stops
from tasks.core.config.checks.spark_checks import check_spark
from tasks.core.config.checks.values import Config, Disagreements, model_kinds, value_at
from tasks.core.config.dataset import NO_DATA_SET
from tasks.core.config.evaluation import REFERENCES
from tasks.core.config.search.checks import check_search
from tasks.core.formatting import did_you_mean, shortened

_LONGEST_NAME = 500
"""Characters of the name of an MLflow experiment."""


def find_disagreements(config: Config) -> Disagreements:
    """Find keys that are valid by themselves but not together.

    Parameters
    ----------
    config : dict of str to Any
        Contents of a config file, which may have other faults too. Values of a wrong type are skipped.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    yield from _check_models(config)
    yield from _check_increasing(config)
    yield from _check_looks(config)
    yield from check_data(config)
    yield from check_evaluation(config)
    yield from _check_tracking(config)
    yield from _check_execution(config)
    yield from _check_file_models(config)
    yield from check_search(config)
    yield from check_metric_stops(config)
    yield from check_spark(config)


def _check_models(config: Config) -> Disagreements:
    models, baseline = config.get("models"), value_at(config, ("comparison", "baseline"))
    if not isinstance(models, dict):
        return
    if isinstance(baseline, str) and baseline not in models:
        message = f"found {baseline!r}; the models are {', '.join(map(str, models))}"
        yield ("comparison", "baseline"), message + did_you_mean(baseline, models)
    for name in models:
        if name in REFERENCES:
            yield ("models", name), "is the name of a reference recommender; choose another name"
        # A check between two balancing steps would compare balanced factors with unbalanced ones.
        every = value_at(models, (name, "stop", "every"))
        balanced = value_at(models, (name, "acceleration")) == "balanced"
        if balanced and isinstance(every, int) and every % BALANCE_EVERY:
            message = (
                f"found {every}; expected a multiple of {BALANCE_EVERY}, because the factors are balanced every "
                f"{BALANCE_EVERY} iterations"
            )
            yield ("models", name, "stop", "every"), message


def _check_increasing(config: Config) -> Disagreements:
    for path in (("snapshots",), ("comparison", "depths"), ("evaluation", "cutoffs"), ("replicates", "looks")):
        node = value_at(config, path)
        numbers = node if isinstance(node, list | tuple) and all(isinstance(number, int) for number in node) else ()
        if any(b <= a for a, b in pairwise(numbers)):
            yield path, f"found {list(numbers)}; expected increasing numbers without repeats"


def _check_looks(config: Config) -> Disagreements:
    models = config.get("models")
    if isinstance(config.get("replicates"), dict) and isinstance(models, dict) and len(models) == 1:
        message = "planned looks compare models, and there is only one; add a model, or set replicates to a number"
        yield ("replicates",), message


def _check_file_models(config: Config) -> Disagreements:
    kinds = model_kinds(config)
    without_data = value_at(config, ("dataset", "name")) == NO_DATA_SET or ("dataset" not in config)
    if kinds == {"als"}:
        if value_at(config, ("dataset", "name")) == NO_DATA_SET:
            yield ("dataset", "name"), "`none` is for experiments whose models are all read from files"
        if config.get("intersect"):
            yield ("intersect",), "is for models that are read from files"
        return
    if "als" in kinds and config.get("intersect"):
        yield ("intersect",), "the models that are trained have all users and items; expected false beside them"
    if "als" in kinds and value_at(config, ("dataset", "name")) == NO_DATA_SET:
        yield ("dataset", "name"), "`none` is for experiments whose models are all read from files, and one is trained"
    if "lists" in kinds and config.get("of") is None:
        message = "is missing: say what the files list: users (nearest users of users), items, or recommendations"
        yield ("of",), message
    if "factors" in kinds and without_data and config.get("of") == "recommendations":
        message = "recommendations from factors leave out the items that a user has, so they need the interactions"
        yield ("dataset",), message
    if "lists" in kinds and value_at(config, ("neighbours", "similarity")) == "scores":
        yield ("neighbours", "similarity"), "files of lists do not have the scores; expected factors"
    for path in (("resample",), ("replicates", "looks"), ("neighbours", "sample")):
        if value_at(config, path) is not None:
            yield path, "is for experiments whose models are all trained, and some are read from files"
    of = config.get("of")
    if isinstance(config.get("evaluation"), dict):
        if value_at(config, ("evaluation", "split", "strategy")) != "files":
            message = (
                "a model that is read from files is measured on a published test part; expected `strategy: files`, or "
                "`evaluation: null`"
            )
            yield ("evaluation",), message
        elif "factors" in kinds and without_data:
            yield ("dataset",), "the accuracy of factors leaves out the items that a user has: give the interactions"
        elif "lists" in kinds and of in ("users", "items"):
            yield ("evaluation",), f"lists of {of} have no accuracy; expected `of: recommendations`, or null"
    for section, target in (("users", "users"), ("items", "items"), ("recommend_for", "recommendations")):
        if of not in (None, target) and value_at(config, ("queries", section)):
            yield ("queries", section), f"found queries, but only the lists of {of} are compared (`of`)"


def _check_tracking(config: Config) -> Disagreements:
    for key, variable in (("uri", "MLFLOW_TRACKING_URI"), ("registry", "MLFLOW_REGISTRY_URI")):
        uri = value_at(config, ("tracking", key))
        if isinstance(uri, str) and re.search(r"://[^/@]*:.*@", uri):
            yield ("tracking", key), f"contains a password, but configs are printed and logged; set {variable} instead"
    experiment = value_at(config, ("tracking", "experiment"))
    if isinstance(experiment, str) and not _is_experiment(experiment):
        message = (
            f"found {shortened(experiment)}; expected a name of at most {_LONGEST_NAME} characters, or a path such as "
            "/Users/someone@example.org/ml-100k, without empty parts, . and .."
        )
        yield ("tracking", "experiment"), message


def _is_experiment(name: str) -> bool:
    """Return whether MLflow can take a name for an experiment, whose files may be in folders of the same name."""
    parts = name.removeprefix("/").split("/")
    are_named = all(part.strip() == part and part not in ("", ".", "..") for part in parts)
    return are_named and name.isprintable() and len(name) <= _LONGEST_NAME


def _check_execution(config: Config) -> Disagreements:
    execution = config.get("execution")
    if not isinstance(execution, dict):
        return
    on_dask, address = execution.get("runner") == "dask", execution.get("address")
    if on_dask and address is None:
        yield ("execution",), "`runner: dask` needs the `address` of a scheduler, such as tcp://scheduler:8786"
    elif on_dask and execution.get("workers", "auto") not in (1, "auto"):
        yield ("execution", "workers"), "is for `runner: threads` only; a Dask cluster has its own workers"
    elif not on_dask and address is not None:
        yield ("execution", "address"), "is for `runner: dask` only"
