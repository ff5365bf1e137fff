"""Checks of models that Spark trains, and of the session that trains them."""

import re

from tasks.core.config.als import DEFAULT_SNAPSHOTS, OF_IMPLICIT
from tasks.core.config.checks.values import Config, Disagreements, value_at
from tasks.core.config.file_models import model_kind

_WHY = {
    "solver": "Spark solves each user and item exactly",
    "orientation": "Spark always solves for the items first",
    "acceleration": "Spark gives no factors before the last iteration, so that they cannot be balanced on the way",
    "stop": "Spark gives no factors before the last iteration; set `iterations`",
}
"""Setting of a model of implicit -> why Spark's has none."""
_SECRET = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)
"""In the name of an option; Spark's own default for `spark.redaction.regex`."""


def check_spark(config: Config) -> Disagreements:
    """Find what Spark cannot train, or a session cannot be started with.

    Parameters
    ----------
    config : dict of str to Any
        See `tasks.core.config.checks.cross_checks.find_disagreements`.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    models = config.get("models")
    trained = {
        name: settings
        for name, settings in (models.items() if isinstance(models, dict) else ())
        if isinstance(settings, dict) and model_kind(settings) == "als"
    }
    of_spark = {name: settings for name, settings in trained.items() if settings.get("engine") == "spark"}
    for name, settings in trained.items():
        if name not in of_spark and settings.get("blocks") is not None:
            yield ("models", name, "blocks"), "is for `engine: spark` only"
    for name, settings in of_spark.items():
        yield from _check_model(config, name, settings)
    if of_spark:
        yield from _check_execution(config, len(of_spark) == len(trained))
    elif value_at(config, ("execution", "spark")) is not None:
        yield ("execution", "spark"), "is for models with `engine: spark`, and there is none"
    options = value_at(config, ("execution", "spark", "config"))
    for option in options if isinstance(options, dict) else ():
        path = ("execution", "spark", "config", option)
        if option == "spark.master":
            yield path, "is the key `execution.spark.master`"
        elif _SECRET.search(str(option)):
            yield path, "is a secret, but configs are printed and logged; set it in Spark's own spark-defaults.conf"


def _check_model(config: Config, name: str, settings: Config) -> Disagreements:
    for key in OF_IMPLICIT:
        if settings.get(key) is not None:
            yield ("models", name, key), f"is for `engine: implicit` only: {_WHY[key]}; remove it"
    alpha = settings.get("alpha", 1.0)
    is_number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    if value_at(config, ("preprocess", "confidence")) == "binary" and is_number and 0 < alpha <= 1:
        yield ("models", name, "alpha"), too_low_confidence(alpha)
    if value_at(config, ("search", "models", name)) is not None:
        message = "is trained by Spark, which gives no factors before the last iteration; a search measures them along"
        yield ("search", "models", name), f"{message} the iterations, and searches models with `engine: implicit`"


def too_low_confidence(confidence: float) -> str:
    """Return why Spark cannot train on a confidence of 1 or less.

    Parameters
    ----------
    confidence : float
        alpha times a stored confidence.

    Returns
    -------
    str
        What was found and what was expected.
    """
    return (
        f"found a confidence alpha·c of {confidence:g}; `engine: spark` needs more than 1 for each interaction: Spark "
        "weights it by 1 + r, and to Spark r = alpha·c - 1 of 0 or less is no interaction; raise alpha, or change "
        "preprocess.confidence"
    )


def _check_execution(config: Config, all_of_spark: bool) -> Disagreements:
    execution = config.get("execution")
    if isinstance(execution, dict):
        if execution.get("runner") == "dask":
            message = "a model with `engine: spark` is trained from this process, and Spark distributes each fit itself"
            yield ("execution", "runner"), f"{message}; expected threads"
        elif execution.get("workers", "auto") not in (1, "auto"):
            message = "with `engine: spark` one fit at a time is trained, since Spark uses all cores for each"
            yield ("execution", "workers"), f"{message}; expected 1 or auto"
        if execution.get("spark") is not None and execution.get("isolate") is False:
            message = "found false, but a Spark session that is started has a process of its own; expected true"
            yield ("execution", "isolate"), message
    snapshots = config.get("snapshots")
    is_default = isinstance(snapshots, list | tuple) and tuple(snapshots) == DEFAULT_SNAPSHOTS
    if all_of_spark and snapshots and not is_default:
        yield ("snapshots",), "Spark gives no factors before the last iteration, and trains all models; remove it"
