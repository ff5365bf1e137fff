"""Checks that involve several keys of a config."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tasks.core.config.als import BALANCE_EVERY
from tasks.core.config.dataset import NO_DATA_SET, DatasetConfig
from tasks.core.config.evaluation import REFERENCES
from tasks.core.config.file_models import model_kind
from tasks.core.config.yaml_source import KeyPath
from tasks.core.errors import without_logins
from tasks.core.formatting import did_you_mean, shortened

_Config = dict[str, Any]
_Disagreements = Iterator[tuple[KeyPath, str]]


def find_disagreements(config: _Config) -> _Disagreements:
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
    yield from _check_dataset(config)
    yield from _check_min_rating(config)
    yield from _check_confidence(config)
    yield from _check_split(config)
    yield from _check_layouts(config)
    yield from _check_tracking(config)
    yield from _check_execution(config)
    yield from _check_file_models(config)


def _check_models(config: _Config) -> _Disagreements:
    models, baseline = config.get("models"), _value_at(config, ("comparison", "baseline"))
    if not isinstance(models, dict):
        return
    if isinstance(baseline, str) and baseline not in models:
        message = f"found {baseline!r}; the models are {', '.join(map(str, models))}"
        yield ("comparison", "baseline"), message + did_you_mean(baseline, models)
    for name in models:
        if name in REFERENCES:
            yield ("models", name), "is the name of a reference recommender; choose another name"
        # A check between two balancing steps would compare balanced factors with unbalanced ones.
        every = _value_at(models, (name, "stop", "every"))
        balanced = _value_at(models, (name, "acceleration")) == "balanced"
        if balanced and isinstance(every, int) and every % BALANCE_EVERY:
            message = (
                f"found {every}; expected a multiple of {BALANCE_EVERY}, because the factors are balanced every "
                f"{BALANCE_EVERY} iterations"
            )
            yield ("models", name, "stop", "every"), message


def _check_increasing(config: _Config) -> _Disagreements:
    for path in (("snapshots",), ("comparison", "depths"), ("evaluation", "cutoffs"), ("replicates", "looks")):
        node = _value_at(config, path)
        numbers = node if isinstance(node, list | tuple) and all(isinstance(number, int) for number in node) else ()
        if any(b <= a for a, b in pairwise(numbers)):
            yield path, f"found {list(numbers)}; expected increasing numbers without repeats"


def _check_looks(config: _Config) -> _Disagreements:
    models = config.get("models")
    if isinstance(config.get("replicates"), dict) and isinstance(models, dict) and len(models) == 1:
        message = "planned looks compare models, and there is only one; add a model, or set replicates to a number"
        yield ("replicates",), message


def _check_file_models(config: _Config) -> _Disagreements:
    models = config.get("models")
    kinds = {model_kind(settings) for settings in models.values()} if isinstance(models, dict) else {"als"}
    without_data = _value_at(config, ("dataset", "name")) == NO_DATA_SET or ("dataset" not in config)
    if kinds == {"als"}:
        if _value_at(config, ("dataset", "name")) == NO_DATA_SET:
            yield ("dataset", "name"), "`none` is for experiments whose models are all read from files"
        if config.get("intersect"):
            yield ("intersect",), "is for models that are read from files"
        return
    if "als" in kinds and config.get("intersect"):
        yield ("intersect",), "the models that are trained have all users and items; expected false beside them"
    if "als" in kinds and _value_at(config, ("dataset", "name")) == NO_DATA_SET:
        yield ("dataset", "name"), "`none` is for experiments whose models are all read from files, and one is trained"
    if "lists" in kinds and config.get("of") is None:
        message = "is missing: say what the files list: users (nearest users of users), items, or recommendations"
        yield ("of",), message
    if "factors" in kinds and without_data and config.get("of") == "recommendations":
        message = "recommendations from factors leave out the items that a user has, so they need the interactions"
        yield ("dataset",), message
    if "lists" in kinds and _value_at(config, ("neighbours", "similarity")) == "scores":
        yield ("neighbours", "similarity"), "files of lists do not have the scores; expected factors"
    for path in (("resample",), ("replicates", "looks"), ("neighbours", "sample")):
        if _value_at(config, path) is not None:
            yield path, "is for experiments whose models are all trained, and some are read from files"
    of = config.get("of")
    if isinstance(config.get("evaluation"), dict):
        if _value_at(config, ("evaluation", "split", "strategy")) != "files":
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
        if of not in (None, target) and _value_at(config, ("queries", section)):
            yield ("queries", section), f"found queries, but only the lists of {of} are compared (`of`)"


def _check_dataset(config: _Config) -> _Disagreements:
    dataset = config.get("dataset")
    if not isinstance(dataset, dict):
        return
    name = dataset.get("name", DatasetConfig.model_fields["name"].default)
    if name == "file":
        yield from _check_own_file(dataset)
        return
    for key in ("layout", "separator", "header", "columns", "quote", "url", "sha256"):
        if dataset.get(key) is not None:
            yield ("dataset", key), f"is for `name: file` only, and the data set is {name!r}"


def _check_min_rating(config: _Config) -> _Disagreements:
    """Refuse the default minimum for ratings whose scale latentlab does not know."""
    if isinstance(preprocess := config.get("preprocess"), dict) and "min_rating" in preprocess:
        return
    duplicates = _value_at(config, ("preprocess", "duplicates"))
    own_files: list[KeyPath] = [("dataset",)] if _value_at(config, ("dataset", "name")) == "file" else []
    if own_files and _value_at(config, ("evaluation", "split", "strategy")) == "files":
        own_files.append(("evaluation", "split"))
    if duplicates in ("sum", "count"):
        reason = f"`duplicates: {duplicates}` makes ratings of a scale of their own"
        without = ""
    elif any(_has_ratings(_value_at(config, path)) for path in own_files):
        reason = "the scale of the ratings in a file of your own is not known"
        without = "; for a file without ratings write `columns: {rating: null}`"
    else:
        return
    yield (
        ("preprocess", "min_rating"),
        f"is missing: {reason}; `preprocess.min_rating: null` keeps all ratings; 4 keeps 4 and 5 of a five-point "
        f"scale{without}",
    )


def _has_ratings(file: Any) -> bool:
    """Return whether a section that describes a file says that it has a column of ratings."""
    if not isinstance(file, dict) or file.get("layout") == "lists":
        return False
    columns = file.get("columns")
    return not isinstance(columns, dict) or columns.get("rating", "") is not None


def _check_own_file(dataset: _Config) -> _Disagreements:
    path, url, sha256 = (dataset.get(key) for key in ("path", "url", "sha256"))
    if path is None and url is None:
        yield ("dataset",), "`name: file` needs a `path` or a `url`"
    elif path is not None and url is not None:
        yield ("dataset",), "has both path and url; keep one of them: path for a file on this machine"
    if url is None:
        if sha256 is not None:
            yield ("dataset", "sha256"), "is for a `url` only"
        return
    if sha256 is None:
        yield ("dataset",), "a `url` needs the `sha256` of its file, which `sha256sum FILE` prints"
    if isinstance(url, str) and not re.match(r"https?://[^/?#]+/([^?#]*/)?[^/?#]+(\?|#|$)", url):
        yield ("dataset", "url"), f"found {shortened(url)}; expected http(s)://HOST/.../FILE"
    elif isinstance(url, str) and without_logins(url) != url:
        message = "contains a login, but configs are printed and logged; put it into ~/.netrc instead"
        yield ("dataset", "url"), message


def _check_confidence(config: _Config) -> _Disagreements:
    transform, epsilon = (_value_at(config, ("preprocess", "confidence", key)) for key in ("transform", "epsilon"))
    if transform == "log" and epsilon is None:
        yield ("preprocess", "confidence"), "`transform: log` needs an `epsilon`, such as 1"
    elif transform == "linear" and epsilon is not None:
        yield ("preprocess", "confidence", "epsilon"), "is for `transform: log` only"


def _check_split(config: _Config) -> _Disagreements:
    split = _value_at(config, ("evaluation", "split"))
    if not isinstance(split, dict):
        return
    strategy = split.get("strategy")
    if strategy == "random_user" and split.get("test_fraction") is not None and split.get("test_count") is not None:
        yield ("evaluation", "split"), "has both test_fraction and test_count; expected one of them"
    if strategy == "files" and _value_at(config, ("evaluation", "part")) == "validation":
        message = "`strategy: files` has no validation part; to tune, use `strategy: random` on the train file"
        yield ("evaluation", "part"), message


def _check_layouts(config: _Config) -> _Disagreements:
    for path in (("dataset",), ("evaluation", "split")):
        node = _value_at(config, path)
        if isinstance(node, dict) and node.get("layout") == "lists":
            for key in ("header", "columns", "quote"):
                if node.get(key) is not None:
                    yield (*path, key), "is for `layout: pairs` only"


def _check_tracking(config: _Config) -> _Disagreements:
    uri = _value_at(config, ("tracking", "uri"))
    if isinstance(uri, str) and re.search(r"://[^/@]*:.*@", uri):
        message = "contains a password, but configs are printed and logged; set MLFLOW_TRACKING_URI instead"
        yield ("tracking", "uri"), message


def _check_execution(config: _Config) -> _Disagreements:
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


def _value_at(node: Any, path: KeyPath) -> Any:
    """Return the value at a key path, or None if there is none."""
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node
