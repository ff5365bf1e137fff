"""What is searched for each model, and the identity under which its trials are stored."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.search.sections import SearchSpace
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import ConfigError
from tasks.core.files import combined_sha256, home
from tasks.core.models import als
from tasks.core.models.seeds import run_seed
from tasks.core.ranking import metrics

ALGORITHM = 1
"""Part of a search's identity. It is raised whenever the same search would make other trials."""
SEARCH, TRIAL = "search", "trial"
"""Roles of MLflow runs: a search, and its trials. The first is also the role from which the seeds of its fits come."""


@dataclass(frozen=True)
class ModelSearch:
    """The search of one model's settings.

    Attributes
    ----------
    model : str
    settings : AlsConfig
        Of the config. Those of `space` are replaced.
    space : SearchSpace
    metric : str
        Such as `ndcg_at_10`.
    trials : int
        Number of settings to try.
    seeds : tuple of int
        Of the fits of each trial.
    pruner : str
        `median` or `halving`.
    snapshots : tuple of int
        Iterations after which the metric is measured, from a third of the iterations on, in addition to the last.
    root_seed : int
        Of the config: what is tried is derived from it.
    identity : str
        sha256 over everything that decides the trials, except their number.
    """

    model: str
    settings: AlsConfig
    space: SearchSpace
    metric: str
    trials: int
    seeds: tuple[int, ...]
    pruner: str
    snapshots: tuple[int, ...]
    root_seed: int
    identity: str

    @property
    def study_file(self) -> Path:
        """The database of the trials."""
        return home() / "searches" / f"{self.identity}.db"

    @property
    def label(self) -> str:
        """The name of the search in progress reports."""
        return f"search {self.model}"


def on_validation_part(config: ExperimentConfig) -> ExperimentConfig:
    """Return the config with accuracy measured on the validation part of one split, the first.

    Parameters
    ----------
    config : ExperimentConfig
        A config with `search`.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigError
        If it has no `search`.
    """
    if config.search is None or config.evaluation is None:
        raise ConfigError(
            "search: is missing; expected the models and the ranges of their settings, such as "
            "search: {models: {k50: {regularization: {low: 1, high: 200, log: true}}}}"
        )
    evaluation = config.evaluation.model_copy(update={"part": "validation", "repeats": 1})
    return config.model_copy(update={"evaluation": evaluation})


def planned_searches(config: ExperimentConfig, data: PreparedData) -> list[ModelSearch]:
    """Return the searches of a config, one for each model.

    Parameters
    ----------
    config : ExperimentConfig
        A config with `search`.
    data : PreparedData
        Interactions, and the split of their validation part.

    Returns
    -------
    list of ModelSearch
        In the order of `search.models`.
    """
    search = config.search
    assert search is not None, "the config was checked"
    searches = []
    for model, space in search.models.items():
        settings = config.trained[model]
        seeds = tuple(run_seed(config.seed, model, seed, SEARCH) for seed in range(search.seeds))
        fixed = {name: value for name, value in settings.identity().items() if name not in space.free}
        identity = combined_sha256(
            *(data.sha256, data.splits[0].sha256, model, fixed, space.model_dump(exclude_none=True), search.metric),
            *(seeds, search.pruner, config.snapshots, config.seed, als.ALGORITHM, metrics.ALGORITHM, ALGORITHM),
        )
        searches.append(
            ModelSearch(
                model=model,
                settings=settings,
                space=space,
                metric=search.metric,
                trials=search.trials,
                seeds=seeds,
                pruner=search.pruner,
                snapshots=config.snapshots,
                root_seed=config.seed,
                identity=identity,
            )
        )
    return searches
