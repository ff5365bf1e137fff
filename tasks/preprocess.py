"""Step 2: ratings -> interactions and their held-out split, in the store."""

from prefect import task

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.prepared import PreparedData, prepare, with_split
from tasks.core.files import StoredFile
from tasks.core.planning.runs import split_seed


@task(name="preprocess", task_run_name="preprocess {config.dataset.name}")
def preprocess(config: ExperimentConfig, ratings: StoredFile) -> PreparedData:
    """Filter and index the ratings, and split them if the config asks for evaluation.

    Parameters
    ----------
    config : ExperimentConfig
    ratings : StoredFile
        The located data set.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `tasks.core.data.prepared`.
    """
    data = prepare(config.dataset, config.preprocess, ratings)
    if config.evaluation is None:
        return data
    return with_split(
        data,
        config.evaluation,
        dataset=config.dataset,
        settings=config.preprocess,
        ratings=ratings,
        seed=split_seed(config),
    )
