"""Checks that involve several keys of `evaluation`."""

from tasks.core.config.checks.values import Config, Disagreements
from tasks.core.config.evaluation import REPEATABLE

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
        message = "`strategy: files` has no validation part; to tune, use `strategy: random` on the train file"
        yield ("evaluation", "part"), message
    if strategy == "folds" and split.get("by") != "users" and split.get("visible") is not None:
        yield ("evaluation", "split", "visible"), "is for `by: users`; folds of interactions hold out no whole user"
    repeats = evaluation.get("repeats", 1)
    if isinstance(repeats, int) and repeats > 1 and strategy in _WHY_NOT_REPEATED:
        yield (
            ("evaluation", "repeats"),
            f"found {repeats}, but `strategy: {strategy}` {_WHY_NOT_REPEATED[strategy]}; repeats are for "
            f"{', '.join(REPEATABLE)}",
        )
