"""Checks that involve several keys of `evaluation`."""

from typing import Any

from pydantic import ValidationError

from tasks.core.config.checks.values import NO_VALIDATION_PART, Config, Disagreements, value_at
from tasks.core.config.evaluation import REPEATABLE, EvaluationConfig
from tasks.core.config.yaml_source import KeyPath
from tasks.core.formatting import did_you_mean, shortened

STOPPABLE = ("random", "random_user")
"""Strategies by which a fit can hold out a part of its interactions: they need no timestamps, and every user keeps
interactions to be trained on."""
_WHY_NOT_REPEATED = {
    "leave_last": "holds out the last interactions, which are the same in every repeat",
    "time": "holds out the latest interactions, which are the same in every repeat",
    "files": "holds out a published test part, which is the same in every repeat",
    "folds": "has one split for each fold already: raise `folds`",
}


def check_evaluation(config: Config) -> Disagreements:
    """Find keys of `evaluation` that are valid by themselves but not together.

    Parameters
    ----------
    config : dict of str to Any
        Contents of a config file, see `tasks.core.config.checks.cross_checks.find_disagreements`.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    evaluation = config.get("evaluation")
    if not isinstance(evaluation, dict):
        return
    split = evaluation.get("split", {})
    if not isinstance(split, dict):
        return
    strategy = split.get("strategy", "random")
    if strategy == "random_user" and split.get("test_fraction") is not None and split.get("test_count") is not None:
        yield ("evaluation", "split"), "has both test_fraction and test_count; expected one of them"
    if strategy == "files" and evaluation.get("part") == "validation":
        yield ("evaluation", "part"), NO_VALIDATION_PART
    if strategy == "folds" and split.get("by") != "users" and split.get("visible") is not None:
        yield ("evaluation", "split", "visible"), "is for `by: users`; folds of interactions hold out no whole user"
    repeats = evaluation.get("repeats", 1)
    if isinstance(repeats, int) and repeats > 1 and strategy in _WHY_NOT_REPEATED:
        yield (
            ("evaluation", "repeats"),
            f"found {repeats}, but `strategy: {strategy}` {_WHY_NOT_REPEATED[strategy]}; repeats are for "
            f"{', '.join(REPEATABLE)}",
        )


def check_metric(evaluation: Config, metric: Any, path: KeyPath) -> Disagreements:
    """Find a metric that the evaluation does not compute, or that is no accuracy.

    Parameters
    ----------
    evaluation : dict of str to Any
        The section `evaluation`.
    metric : Any
        Name of the metric. Values of another type than text are skipped.
    path : KeyPath
        Where the name stands.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    cutoffs = {key: value for key, value in evaluation.items() if key == "cutoffs"}
    try:
        metrics = EvaluationConfig.model_validate(cutoffs).accuracy_metrics
    except ValidationError:  # reported as a fault of evaluation
        return
    if isinstance(metric, str) and metric not in metrics:
        known = did_you_mean(metric, metrics) or f"; they are {', '.join(metrics)}"
        yield path, f"found {shortened(metric)}; expected an accuracy metric at one of evaluation.cutoffs{known}"


def check_metric_stops(config: Config) -> Disagreements:
    """Find stopping rules whose metric cannot be measured.

    Parameters
    ----------
    config : dict of str to Any
        See `check_evaluation`.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    models, evaluation = config.get("models"), config.get("evaluation", {})
    for name in models if isinstance(models, dict) else ():
        path = ("models", name, "stop")
        if value_at(config, (*path, "when")) != "metric":
            continue
        if not isinstance(evaluation, dict):
            yield path, "holds out a part as `evaluation.split` does, so `evaluation` cannot be null"
            continue
        strategy = value_at(evaluation, ("split", "strategy")) or "random"
        if strategy not in STOPPABLE:
            expected = " or ".join(STOPPABLE)
            yield path, f"holds out a part as `evaluation.split` does; expected strategy {expected}, found {strategy}"
        yield from check_metric(evaluation, value_at(config, (*path, "metric")) or "ndcg_at_10", (*path, "metric"))
