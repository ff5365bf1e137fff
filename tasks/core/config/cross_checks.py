"""Faults that involve several keys of a config."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tasks.core.config.als import BALANCE_EVERY
from tasks.core.config.dataset import DatasetConfig
from tasks.core.config.evaluation import REFERENCES
from tasks.core.config.yaml_source import KeyPath
from tasks.core.formatting import did_you_mean


def cross_checks(value: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What no single key can show; tolerant of values that are wrong by themselves."""
    models = value.get("models")
    comparison = value.get("comparison")
    if isinstance(models, dict) and isinstance(comparison, dict):
        baseline = comparison.get("baseline")
        if isinstance(baseline, str) and baseline not in models:
            found = f"found {baseline!r}; the models are {', '.join(map(str, models))}"
            yield ("comparison", "baseline"), found + did_you_mean(baseline, models)
    for name in models if isinstance(models, dict) else ():
        if name in REFERENCES:
            yield ("models", name), "is the name of a reference recommender; choose another"
        every = value_at(models, (name, "stop", "every"))
        if value_at(models, (name, "acceleration")) == "balanced" and isinstance(every, int) and every % BALANCE_EVERY:
            told = f"found {every}; expected a multiple of {BALANCE_EVERY}, the sweeps after which factors are balanced"
            yield ("models", name, "stop", "every"), told
    for path in (("snapshots",), ("comparison", "depths"), ("evaluation", "cutoffs")):
        node = value_at(value, path)
        numbers = node if isinstance(node, list | tuple) and all(isinstance(each, int) for each in node) else ()
        if any(b <= a for a, b in pairwise(numbers)):
            yield path, f"found {list(numbers)}; expected increasing numbers, each once"
    dataset = value.get("dataset")
    if isinstance(dataset, dict):
        name = dataset.get("name", DatasetConfig.model_fields["name"].default)
        if name == "file":
            if dataset.get("path") is None:
                yield ("dataset",), "`name: file` needs a `path`"
        else:
            for key in ("layout", "separator", "header", "columns"):
                if dataset.get(key) is not None:
                    yield ("dataset", key), f"is for `name: file` only, and the data set is {name!r}"
    confidence = value_at(value, ("preprocess", "confidence"))
    if isinstance(confidence, dict):
        is_log, epsilon = confidence.get("transform") == "log", confidence.get("epsilon")
        if is_log and epsilon is None:
            yield ("preprocess", "confidence"), "`transform: log` needs an `epsilon`, such as 1"
        elif confidence.get("transform") == "linear" and epsilon is not None:
            yield ("preprocess", "confidence", "epsilon"), "is for `transform: log` only"
    yield from _split_disagreements(value.get("evaluation"))
    for path in (("dataset",), ("evaluation", "split")):
        node = value_at(value, path)
        if isinstance(node, dict) and node.get("layout") == "lists":
            for key in ("header", "columns"):
                if node.get(key) is not None:
                    yield (*path, key), "is for `layout: pairs` only"
    tracking = value.get("tracking")
    uri = tracking.get("uri") if isinstance(tracking, dict) else None
    if isinstance(uri, str) and re.search(r"://[^/@]*:[^/]*@", uri):
        yield ("tracking", "uri"), "holds a password, and configs are shown and logged; set MLFLOW_TRACKING_URI instead"
    execution = value.get("execution")
    if isinstance(execution, dict):
        on_dask, address = execution.get("runner") == "dask", execution.get("address")
        if on_dask and address is None:
            yield ("execution",), "`runner: dask` needs the `address` of a scheduler, such as tcp://scheduler:8786"
        elif on_dask and execution.get("workers", "auto") not in (1, "auto"):
            yield ("execution", "workers"), "is for `runner: threads` only; a Dask cluster has workers of its own"
        elif not on_dask and address is not None:
            yield ("execution", "address"), "is for `runner: dask` only"


def _split_disagreements(evaluation: Any) -> Iterator[tuple[KeyPath, str]]:
    split = value_at(evaluation, ("split",))
    if not isinstance(split, dict):
        return
    strategy = split.get("strategy")
    if strategy == "random_user" and split.get("test_fraction") is not None and split.get("test_count") is not None:
        yield ("evaluation", "split"), "has both test_fraction and test_count; expected one of them"
    if strategy == "files" and evaluation.get("part") == "validation":
        told = "with `strategy: files` there is no validation part: use `strategy: random` on the train file to tune"
        yield ("evaluation", "part"), told


def value_at(value: Any, path: KeyPath) -> Any:
    """What stands under a path of keys; None where nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
