"""What models that Spark trains are, and need: said and checked before anything is trained."""

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import ConfigError
from tasks.core.formatting import enumerated
from tasks.core.models.spark import als
from tasks.core.models.spark.installation import check_java, spark_version
from tasks.core.models.spark.start import session_of_process
from tasks.core.planning.capacity import free_memory
from tasks.core.planning.estimate import memory_bytes


def spark_remark(config: ExperimentConfig) -> str:
    """Return what is said of models that Spark trains wherever results of them are shown; empty without one.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.

    Returns
    -------
    str
        Sentences.
    """
    names = list(_of_spark(config))
    if not names:
        return ""
    are = f"{enumerated(names)} {'is' if len(names) == 1 else 'are'}"
    return (
        f"{are} trained by Spark MLlib (engine: spark): another model, not a faster one, with the regularization times "
        "the number of interactions of each user and item. Spark gives no factors before the last iteration, so that "
        "nothing shows whether these fits had converged. See docs/spark.md."
    )


def check_spark(config: ExperimentConfig, data: PreparedData) -> None:
    """Refuse models that Spark cannot train here, or on these data.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions.

    Raises
    ------
    ConfigError
        If pyspark, Java or a session is missing, a confidence is too low, or the memory of this machine.
    """
    if _of_spark(config):
        check_installation(config)
        if config.execution.spark is None:
            session_of_process()
        check_interactions(config, data)


def check_interactions(config: ExperimentConfig, data: PreparedData) -> None:
    """Refuse models of Spark that cannot be trained on these data, wherever they are trained.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data : PreparedData
        Interactions.

    Raises
    ------
    ConfigError
        If a confidence is too low, or the memory of this machine.
    """
    of_spark = _of_spark(config)
    if not of_spark:
        return
    matrix = data.load().matrix
    for name, settings in of_spark.items():
        als.check(matrix, settings, f"models.{name}")
    check_memory(config, data.summary.size)


def check_installation(config: ExperimentConfig) -> None:
    """Refuse models that Spark trains if pyspark is missing, or Java for a session that is to be started.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.

    Raises
    ------
    ConfigError
        Saying what is missing.
    """
    if _of_spark(config):
        spark_version()
        if config.execution.spark is not None:
            check_java()


def check_memory(config: ExperimentConfig, size: tuple[int, int, int]) -> None:
    """Refuse models of Spark whose factors and lists this machine, Spark's driver, cannot hold.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    size : tuple of int
        Number of users, of items and of interactions.

    Raises
    ------
    ConfigError
        With the memory that is needed and that is free.
    """
    if not _of_spark(config):
        return
    needed, free = memory_bytes(config, size), free_memory()
    if needed > free:
        sample = "set neighbours.sample, so that fewer lists are made" if config.neighbours.sample is None else ""
        remedies = enumerated([*([sample] if sample else []), "lower factors", "use a machine with more memory"], "or")
        raise ConfigError(
            f"this machine is Spark's driver: it needs {needed / 2**30:,.1f} GiB for the interactions, all factors and "
            f"the lists, and has {free / 2**30:,.1f} GiB free; {remedies}"
        )


def _of_spark(config: ExperimentConfig) -> dict[str, AlsConfig]:
    """Return the models that Spark trains, with their settings."""
    return {name: settings for name, settings in config.trained.items() if settings.is_of_spark}
